"""builders.pipe: what is sent comes as it is, and what is not sent is noticed; nothing waits for ever."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lambdabuild.builders.base import InstalledFile
from lambdabuild.builders.execution import Ran
from lambdabuild.builders.pipe import Pipe, Unreachable, opened, read_sent, sender
from lambdabuild.errors import MachineError, PolicyError

FILE = stat.S_IFREG | 0o644


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / "room-0").mkdir(parents=True)
    return folder


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Pipe]:
    scratch = tmp_path / "scratch"

    @contextmanager
    def made() -> Iterator[Path]:
        scratch.mkdir()
        yield scratch

    with opened(made) as pipe:
        yield pipe
    with pytest.raises(OSError, match="No such device or address"):
        os.open(pipe.path, os.O_WRONLY | os.O_NONBLOCK)


def sends(folder: Path, pipe: Path) -> Callable[[], Ran]:
    """Runs the program as a container would."""

    def send() -> Ran:
        argv = sender(sys.executable, str(folder), str(pipe))
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return Ran(done.returncode, done.stdout, done.stderr)

    return send


def writes(pipe: Pipe, data: bytes, *, stderr: str = "") -> Callable[[], Ran]:
    def send() -> Ran:
        with pipe.path.open("wb", 0) as file:
            file.write(data)
        return Ran(1, "", stderr)

    return send


def test_every_file_comes_as_it_is(tree: Path, pipe: Pipe) -> None:
    contents = {
        "room-0/large.bin": os.urandom(3_000_001),
        "room-0/empty.py": b"",
        "room-1/deep/er/naïve.py": b"A = 1\n",
        "room-0/run": b"#!/bin/sh\n",
    }
    for name, content in contents.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tree / "room-0" / "run").chmod(0o755)
    assert list(read_sent(pipe, sends(tree, pipe.path), rooms=2)) == [
        InstalledFile(room=0, path="large.bin", executable=False, content=contents["room-0/large.bin"]),
        InstalledFile(room=0, path="run", executable=True, content=b"#!/bin/sh\n"),
        InstalledFile(room=1, path="deep/er/naïve.py", executable=False, content=b"A = 1\n"),
        InstalledFile(room=0, path="empty.py", executable=False, content=b""),
    ]


def test_many_files(tree: Path, pipe: Pipe) -> None:
    for number in range(3000):
        (tree / "room-0" / f"{number}.py").write_text("x" * number)
    found = list(read_sent(pipe, sends(tree, pipe.path), rooms=1))
    assert [len(file.content) for file in found] == list(reversed(range(3000)))


def test_an_empty_tree(tree: Path, pipe: Pipe) -> None:
    assert list(read_sent(pipe, sends(tree, pipe.path), rooms=1)) == []


def make_link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def make_link_to_a_folder(path: Path) -> None:
    path.symlink_to("/etc")


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("make", [make_link, make_link_to_a_folder, make_pipe])
def test_what_no_wheel_holds(tree: Path, pipe: Pipe, make: Callable[[Path], None]) -> None:
    make(tree / "room-0" / "odd")
    with pytest.raises(PolicyError) as caught:
        list(read_sent(pipe, sends(tree, pipe.path), rooms=1))
    assert str(caught.value) == "'room-0/odd' in the installed tree is not a regular file of a distribution"


def test_a_file_in_no_room(tree: Path, pipe: Pipe) -> None:
    (tree / "room-1").mkdir()
    (tree / "room-1" / "a.py").write_text("")
    with pytest.raises(PolicyError) as caught:
        list(read_sent(pipe, sends(tree, pipe.path), rooms=1))
    assert str(caught.value) == "'room-1/a.py' in the installed tree is not a regular file of a distribution"


def test_a_name_that_is_not_utf8(tree: Path, pipe: Pipe) -> None:
    Path(os.fsdecode(os.fsencode(tree) + b"/room-0/caf\xe9.py")).write_text("")
    with pytest.raises(PolicyError) as caught:
        list(read_sent(pipe, sends(tree, pipe.path), rooms=1))
    assert str(caught.value) == (
        "'caf\\udce9.py' is not a path that may be packaged: a path is relative, below its root, and of printable UTF-8"
    )


def test_a_pipe_that_nobody_reads_is_left_at_once(tree: Path, pipe: Pipe, tmp_path: Path) -> None:
    other = tmp_path / "other"
    os.mkfifo(other)
    with pytest.raises(Unreachable, match="No such device or address"):
        list(pipe.receive(sends(tree, other)))


def test_a_pipe_that_is_not_there(tree: Path, pipe: Pipe, tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="No such file or directory"):
        list(pipe.receive(sends(tree, tmp_path / "nothing")))


def test_a_pipe_that_is_a_file(tree: Path, pipe: Pipe, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.touch()
    with pytest.raises(Unreachable):
        list(pipe.receive(sends(tree, other)))


@pytest.mark.parametrize("end", [1, 15, 16, 20, 16 + 11 + 1, 16 + 11 + 5])
def test_a_stream_that_ends_early(pipe: Pipe, end: int) -> None:
    data = (
        b"\x0b\0\0\0" + FILE.to_bytes(4, "little") + (5).to_bytes(8, "little") + b"room-0/a.py" + b"A = 1" + bytes(16)
    )
    with pytest.raises(MachineError) as caught:
        list(pipe.receive(writes(pipe, data[:end], stderr="killed\n")))
    assert str(caught.value) == "the installed tree cannot be read to its end: killed"


def test_what_comes_after_the_end_is_not_read(pipe: Pipe) -> None:
    assert list(pipe.receive(writes(pipe, bytes(16) + b"more"))) == []


def test_a_sender_that_fails(pipe: Pipe) -> None:
    def send() -> Ran:
        raise MachineError("lost the Docker Engine")

    with pytest.raises(MachineError, match=r"^lost the Docker Engine$"):
        list(pipe.receive(send))


def test_a_reader_that_stops_ends_the_sender(tree: Path, pipe: Pipe) -> None:
    for name in "abc":
        (tree / "room-0" / name).write_bytes(bytes(5_000_000))
    ended: list[Ran] = []

    def send() -> Ran:
        ended.append(sends(tree, pipe.path)())
        return ended[0]

    files = pipe.receive(send)
    assert next(files)[0] == "room-0/a"
    files.close()
    (ran,) = ended
    assert ran.returncode != 0
    assert "BrokenPipeError" in ran.stderr
