"""Fixtures that more than one folder of tests uses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.index import Index


@pytest.fixture
def index() -> Iterator[Index]:
    """An empty package index on the loopback address."""
    with Index() as serving:
        yield serving
