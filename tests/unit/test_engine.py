"""builders.engine: which engines may be on this machine's own kernel."""

from __future__ import annotations

import sys

import pytest

from lambdabuild.builders.engine import Engine


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
