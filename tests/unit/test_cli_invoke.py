"""lambdabuild invoke: what is no event is told before anything is asked of an Engine, and nothing hangs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SIZE = "has more than 6,291,556 bytes (6 MB), which is more than Lambda takes"
TOO_MUCH = f"{SIZE}\n  hint: hand over where the data lies, such as a key in S3\n"


def invoke(folder: Path, *argv: str, stdin: bytes = b"") -> str:
    (folder / "pyproject.toml").write_text('[project]\nname = "p"\nversion = "1"\n')
    command = [sys.executable, "-m", "lambdabuild", "invoke", "api", "--project", str(folder), *argv]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=30, check=False)
    assert done.returncode == 2
    return done.stderr.decode()


def test_an_event_that_is_too_large(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(f'"{"x" * 6_291_555}"')
    assert invoke(tmp_path, "--event", str(event)) == f"error: {event} {TOO_MUCH}"
    assert invoke(tmp_path, "--event", "-", stdin=event.read_bytes()) == f"error: standard input {TOO_MUCH}"
    event.write_text(f'"{"x" * 6_291_554}"')
    assert 'no function "api" was built in' in invoke(tmp_path, "--event", str(event))


def test_an_event_without_an_end(tmp_path: Path) -> None:
    assert invoke(tmp_path, "--event", "/dev/zero") == f"error: /dev/zero {TOO_MUCH}"
    assert invoke(tmp_path, "--env-file", "/dev/zero") == f"error: /dev/zero {SIZE}\n"


def test_a_pipe_that_nobody_writes_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert invoke(tmp_path, "--event", str(pipe)) == f"error: {pipe}:1:1: the event is not JSON: Expecting value\n"


def test_a_pipe_that_somebody_writes_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = subprocess.Popen([sys.executable, "-c", f"open({str(pipe)!r}, 'w').write('{{')"])
    try:
        while not (told := invoke(tmp_path, "--event", str(pipe))).startswith(f"error: {pipe}:1:2: "):
            assert told == f"error: {pipe}:1:1: the event is not JSON: Expecting value\n"  # the writer is yet to come
    finally:
        writer.wait()


@pytest.mark.parametrize("text", ["[" * 1_000_000, '{"a":' * 500_000])
def test_an_event_that_is_too_deep(tmp_path: Path, text: str) -> None:
    event = tmp_path / "event.json"
    event.write_text(text)
    assert invoke(tmp_path, "--event", str(event)) == (
        f"error: {event}: the event is nested too deeply to be read as JSON\n"
    )


def test_what_is_no_file(tmp_path: Path) -> None:
    assert invoke(tmp_path, "--event", str(tmp_path)) == f"error: {tmp_path} cannot be read: Is a directory\n"
    gone = tmp_path / "gone.json"
    assert invoke(tmp_path, "--event", str(gone)) == f"error: {gone} cannot be read: No such file or directory\n"
    for event, why in (
        ('{"a": 1}', "No such file or directory"),
        ("[1]", "No such file or directory"),
        ('{"a": "' + "long" * 100 + '"}', "File name too long"),
    ):
        assert invoke(tmp_path, "--event", event) == (
            f"error: {event} cannot be read: {why}\n  hint: --event takes a file with the event; - is standard input\n"
        )
