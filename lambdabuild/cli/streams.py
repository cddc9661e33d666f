"""Standard streams that end no build: one that is closed leads to nothing, and a reader may leave before the end."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from io import BufferedReader, BufferedWriter, FileIO, TextIOWrapper
from pathlib import Path
from typing import Any

_UTF_8 = ("utf-8", "utf8")


class _Stream(FileIO):
    """What cannot be written any more goes nowhere, and so does all that follows."""

    def __init__(self, number: int, name: str, *, needed: bool) -> None:
        """``needed``: that something could not be written is an error, unless its reader has left."""
        super().__init__(number, "w", closefd=False)
        self._told_name = name
        self._needed = needed

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            with Path(os.devnull).open("wb") as nothing:
                os.dup2(nothing.fileno(), self.fileno())
            if self._needed and not isinstance(error, BrokenPipeError):
                raise OSError(error.errno, error.strerror, self._told_name) from error
            return memoryview(data).nbytes


def open_streams() -> None:
    """Replace the process's standard streams, once, before anything is opened that could take a closed one's place."""
    for number, mode in enumerate((os.O_RDONLY, os.O_WRONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, mode), True)  # the lowest number that is free
    if sys.stdin is None:
        sys.stdin = TextIOWrapper(BufferedReader(FileIO(0, closefd=False)))
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    # A path that is not UTF-8 is printed as it is, where the stream takes it.
    errors = "surrogateescape" if encoding.lower() in _UTF_8 else "backslashreplace"
    sys.stdout = _text(_Stream(1, "standard output", needed=True), encoding, errors)
    sys.stderr = _text(_Stream(2, "standard error", needed=False), encoding, "backslashreplace")


def flush() -> None:
    """Write what is buffered; raises OSError where the result cannot be printed."""
    sys.stdout.flush()
    with suppress(OSError):
        sys.stderr.flush()


def _text(stream: _Stream, encoding: str, errors: str) -> TextIOWrapper:
    return TextIOWrapper(
        BufferedWriter(stream), encoding=encoding, errors=errors, line_buffering=stream.isatty() or stream.fileno() == 2
    )
