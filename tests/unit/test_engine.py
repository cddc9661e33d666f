"""builders.engine: which engines may be on this machine's own kernel."""

from __future__ import annotations

import sys

import pytest

from lambdabuild.builders.engine import Engine
from lambdabuild.errors import MachineError


@pytest.mark.parametrize(
    ("host", "near"),
    [
        (None, True),
        ("", True),
        ("unix:///run/user/1000/docker.sock", True),
        ("tcp://127.0.0.1:2375", False),
        ("ssh://me@build.example", False),
        ("npipe:////./pipe/docker_engine", False),
    ],
)
def test_near(host: str | None, near: bool) -> None:
    environ = {} if host is None else {"DOCKER_HOST": host}
    assert Engine(image="lambda:{python}", environ=environ).near == (near and sys.platform == "linux")


class Gone(Engine):
    """An engine that does not answer."""

    asked = 0

    def _connect(self) -> MachineError:
        self.asked += 1
        return MachineError("no Docker Engine answers")


def test_an_engine_that_does_not_answer_is_asked_once() -> None:
    engine = Gone(image="lambda:{python}", environ={})
    for _ in range(2):
        with pytest.raises(MachineError, match=r"^no Docker Engine answers$"):
            _ = engine.client
    assert engine.asked == 1
