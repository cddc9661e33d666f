"""uvversion: a binary is asked once, and again when it is another one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lambdabuild.cache import Cache
from lambdabuild.errors import MachineError
from lambdabuild.ledger import find_change, recording
from lambdabuild.uvversion import read_version

ENVIRON = {"PATH": os.environ["PATH"]}


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    cache = Cache(tmp_path / "cache")
    cache.ensure()
    return cache


def write_binary(path: Path, version: str, *, status: int = 0) -> Path:
    """A program that answers as uv does, and counts how often it is asked."""
    path.write_text(f'#!/bin/sh\nprintf x >> "{path}.asked"\necho "uv {version} (somewhere)"\nexit {status}\n')
    path.chmod(0o755)
    return path


def asked(binary: Path) -> int:
    return len(binary.with_name(f"{binary.name}.asked").read_text())


def test_it_is_asked_once(tmp_path: Path, cache: Cache) -> None:
    binary = write_binary(tmp_path / "uv", "1.2.3")
    for _ in range(3):
        assert read_version(binary, environ=ENVIRON, cache=cache) == "1.2.3"
    assert asked(binary) == 1


def test_another_binary_is_asked(tmp_path: Path, cache: Cache) -> None:
    binary = write_binary(tmp_path / "uv", "1.2.3")
    other = write_binary(tmp_path / "uv2", "1.2.4")
    assert read_version(binary, environ=ENVIRON, cache=cache) == "1.2.3"
    assert read_version(other, environ=ENVIRON, cache=cache) == "1.2.4"
    looks = binary.stat()
    write_binary(binary, "1.2.5")  # of the same size, and as old
    os.utime(binary, ns=(looks.st_atime_ns, looks.st_mtime_ns))
    assert read_version(binary, environ=ENVIRON, cache=cache) == "1.2.5"
    assert asked(binary) == 2


@pytest.mark.parametrize(
    "text", ["", "no JSON", "[]", "{}", '{"version": 1, "seen": {"a": [[], ""]}}', '{"version": "9"}']
)
def test_what_was_kept_and_is_damaged(tmp_path: Path, cache: Cache, text: str) -> None:
    binary = write_binary(tmp_path / "uv", "1.2.3")
    read_version(binary, environ=ENVIRON, cache=cache)
    (kept,) = (cache.version / "versions").iterdir()
    cache.store_text("versions", kept.name, text)
    assert read_version(binary, environ=ENVIRON, cache=cache) == "1.2.3"
    assert asked(binary) == 2


def test_a_build_notes_the_binary_either_way(tmp_path: Path, cache: Cache) -> None:
    binary = write_binary(tmp_path / "uv", "1.2.3")
    for _ in range(2):
        with recording() as ledger:
            read_version(binary, environ=ENVIRON, cache=cache)
        taken = ledger.take()
        assert set(taken) == {str(binary)}
        assert find_change(taken) is None
    write_binary(binary, "1.2.4")
    assert find_change(taken) == str(binary)


def test_one_that_does_not_run_is_not_remembered(tmp_path: Path, cache: Cache) -> None:
    binary = write_binary(tmp_path / "uv", "1.2.3", status=1)
    for _ in range(2):
        with pytest.raises(MachineError, match=f"{binary} does not run"):
            read_version(binary, environ=ENVIRON, cache=cache)
    assert asked(binary) == 2
