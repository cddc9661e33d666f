"""Tar in, tar out: what goes into a container, and what comes out of it, of which nothing is trusted."""

from __future__ import annotations

import io
import stat
import tarfile
from collections.abc import Iterable, Iterator
from typing import IO

from lambdabuild.builders.base import InstalledFile, installed_file
from lambdabuild.errors import MachineError


def write_tar(out: IO[bytes], files: Iterable[tuple[str, int, bytes]], *, owner: int) -> None:
    """Folders (names that end in ``/``) and files, with numeric owner and mode."""
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, mode, content in files:
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            info.mode, info.uid, info.gid, info.size = mode, owner, owner, len(content)
            archive.addfile(info, io.BytesIO(content))


def read_installed(chunks: Iterable[bytes], *, rooms: int) -> Iterator[InstalledFile]:
    """The regular files of a tar stream whose top folder holds the rooms.

    Raises what ``installed_file`` raises, and MachineError for a stream that ends early.
    """
    try:
        with tarfile.open(fileobj=_Reader(chunks), mode="r|", encoding="utf-8", errors="surrogateescape") as archive:
            yield from _files(archive, rooms)
    except tarfile.TarError as error:
        raise MachineError(f"the installed tree cannot be read to its end: {error}") from error


def _files(archive: tarfile.TarFile, rooms: int) -> Iterator[InstalledFile]:
    for info in archive:
        if info.isdir():
            continue
        _, _, name = info.name.partition("/")
        file = archive.extractfile(info) if info.isreg() else None
        kind = stat.S_IFREG if file is not None else 0
        yield installed_file(name, kind | info.mode, file.read() if file is not None else b"", rooms=rooms)


class _Reader(io.RawIOBase):
    """A stream of chunks as a file."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts, missing = [], size
        while missing > 0 or size < 0:
            if not self._rest:
                self._rest = next(self._chunks, b"")
                if not self._rest:
                    break
            part = self._rest if size < 0 else self._rest[:missing]
            self._rest = self._rest[len(part) :]
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)
