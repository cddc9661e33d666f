"""locks: the kernel's own, between processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lambdabuild.locks import held, is_held, wait_until_free

HOLDER = """
import sys
from pathlib import Path
from lambdabuild.locks import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a lock until it reads a line."""
    argv = [sys.executable, "-c", HOLDER, path]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.communicate("\n")


def test_a_free_lock_is_had_at_once(tmp_path: Path) -> None:
    waits: list[str] = []
    with held(tmp_path / "lock", waiting=lambda: waits.append("waited")):
        pass
    with held(tmp_path / "lock", waiting=lambda: waits.append("waited")):
        pass
    assert waits == []


def test_a_lock_is_free_after_an_exception(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), held(tmp_path / "lock"):
        raise ZeroDivisionError
    assert not is_held(tmp_path / "lock")


def test_another_process_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path) as process:
        assert is_held(path)

        def go_on() -> None:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()

        waits: list[str] = []
        with held(path, waiting=lambda: (waits.append("waited"), go_on())):  # type: ignore[arg-type, func-returns-value]
            assert waits == ["waited"]
    assert not is_held(path)


def test_a_killed_holders_lock_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path) as process:
        process.kill()
        process.wait()
        assert not is_held(path)


def test_a_lock_whose_file_was_removed_is_taken_anew(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path) as process:

        def remove() -> None:
            path.unlink()
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()

        with held(path, waiting=remove):
            assert is_held(path)
    assert not is_held(path)


def test_who_waits_needs_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    wait_until_free(path)
    assert not path.exists()
    with holder(path) as process:
        process.kill()
        wait_until_free(path)
