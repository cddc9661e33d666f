"""Fixtures that more than one folder of tests uses."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.index import Index


@pytest.fixture(scope="session", autouse=True)
def interrupts_arrive() -> Iterator[None]:
    """What tests start can be interrupted also where this run was started with SIGINT ignored, in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def index() -> Iterator[Index]:
    """An empty package index on the loopback address."""
    with Index() as serving:
        yield serving
