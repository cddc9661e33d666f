"""Installed files out of a container through a named pipe, where the engine runs on this machine's own kernel.

An engine's tar stream takes more processor time than all else in reading a tree; a pipe takes a tenth of it
(docs/decisions/0017). The pipe alone is lent to the container, read only: no file of the host can be read or written
through it, and none is made. Where the two ends do not meet, because the engine is elsewhere after all, `Unreachable`
tells so before anything has been read.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from lambdabuild.builders.base import InstalledFile, installed_file
from lambdabuild.builders.execution import Ran
from lambdabuild.errors import MachineError

if sys.platform == "linux":
    import fcntl

_SIZE = 1 << 20
"""Bytes that the pipe holds: the most that Linux gives to everyone (``man 7 pipe``)."""
_HEADER = struct.Struct("<IIQ")
"""Before each file: the length of its path, its mode and its size in bytes; path and content follow."""
_END = _HEADER.pack(0, 0, 0)
_SEND = """
import os, shutil, stat, struct, sys

def walk(folder, prefix=b""):
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from walk(entry.path, prefix + entry.name + b"/")
        else:
            yield entry.stat(follow_symlinks=False), prefix + entry.name, entry.path

# Does not wait for a reader: where there is none, there will be none.
pipe = os.open(sys.argv[2], os.O_WRONLY | os.O_NONBLOCK)
os.set_blocking(pipe, True)
with open(pipe, "wb", 1 << 16) as out:
    for status, name, path in sorted(walk(os.fsencode(sys.argv[1])), key=lambda each: (-each[0].st_size, each[1])):
        size = status.st_size if stat.S_ISREG(status.st_mode) else 0
        out.write(struct.pack("<IIQ", len(name), status.st_mode, size) + name)
        if size:
            with open(path, "rb", 0) as file:
                shutil.copyfileobj(file, out, 1 << 20)
    out.write(bytes(16))
"""
"""Sends the files below a folder, the largest first: they take longest, and nobody waits for them at the end."""


class Unreachable(Exception):
    """Nothing came through the pipe: its other end is not the one that was lent."""


class Pipe:
    """A pipe that can be lent to one container, once."""

    def __init__(self, path: Path, reader: BinaryIO, writer: ExitStack) -> None:
        self.path = path
        self._reader = reader
        self._writer = writer

    def receive(self, send: Callable[[], Ran]) -> Iterator[tuple[str, int, bytes]]:
        """Path, mode and content of each file that ``send`` sends: a program of ``sender``, run to its end.

        Raises Unreachable when nothing comes, MachineError for a stream that ends early, and what ``send`` raises.
        """
        with ThreadPoolExecutor(1) as pool:
            ran = pool.submit(send)
            # Without a writer of its own a reader learns that there is nothing more to come.
            ran.add_done_callback(lambda _: self._writer.close())
            try:
                yield from _files(self._reader, ran)
            finally:
                self._reader.close()  # a sender that is still at it fails


def sender(python: str, folder: str, pipe: str) -> list[str]:
    """The command that sends the files below a folder into the pipe at a path."""
    return [python, "-I", "-c", _SEND, folder, pipe]


@contextmanager
def opened(scratch: Callable[[], AbstractContextManager[Path]]) -> Iterator[Pipe]:
    """A pipe in a temporary folder, open for reading."""
    with ExitStack() as stack:
        path = stack.enter_context(scratch()) / "files"
        os.mkfifo(path)
        path.chmod(0o666)  # the container's user is another one, and no umask holds here
        reader = stack.enter_context(os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", _SIZE))
        descriptor = os.open(path, os.O_WRONLY)
        writer = stack.enter_context(ExitStack())
        writer.callback(os.close, descriptor)
        os.set_blocking(reader.fileno(), True)
        with suppress(OSError):  # one who has many pipes open gets a smaller one
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _SIZE)
        yield Pipe(path, reader, writer)


def read_sent(pipe: Pipe, send: Callable[[], Ran], *, rooms: int) -> Iterator[InstalledFile]:
    """The files of a tree whose folders are the rooms.

    Raises PolicyError for what ``read_installed`` refuses, and what ``Pipe.receive`` raises.
    """
    for name, mode, content in pipe.receive(send):
        yield installed_file(name, mode, content, rooms=rooms)


def _files(reader: BinaryIO, ran: Future[Ran]) -> Iterator[tuple[str, int, bytes]]:
    begun = False
    while (header := reader.read(_HEADER.size)) != _END:
        if not header and not begun:
            raise Unreachable(ran.result().stderr)
        begun = True
        length, mode, size = _HEADER.unpack(_whole(header, _HEADER.size, ran))
        name = _whole(reader.read(length), length, ran)
        yield os.fsdecode(name), mode, _whole(reader.read(size), size, ran)


def _whole(data: bytes, size: int, ran: Future[Ran]) -> bytes:
    if len(data) != size:
        raise MachineError(f"the installed tree cannot be read to its end: {ran.result().stderr.strip()[-500:]}")
    return data
