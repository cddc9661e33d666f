import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from spectra import results
from spectra.settings import settings

EVENTS = Path(__file__).parents[1] / "events"


@dataclass(frozen=True)
class Context:
    """As much of Lambda's context as the handlers read."""

    function_name: str = "spectra"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:123456789012:function:spectra"
    aws_request_id: str = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def context() -> Context:
    return Context()


@pytest.fixture
def event() -> Callable[[str], Any]:
    """Read an example event, or with ``expected/`` before its name the stable part of its answer."""
    return lambda name: json.loads((EVENTS / f"{name}.json").read_text())


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An environment of the test's own: results go to a fresh folder, and there are no credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("SPECTRA_SPOOL", str(tmp_path))
    settings.cache_clear()
    results.s3.cache_clear()
    yield tmp_path
    settings.cache_clear()
    results.s3.cache_clear()
