"""Tar in, tar out: what goes into a container, and what comes out of it, of which nothing is trusted."""

from __future__ import annotations

import io
import shutil
import stat
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from lambdabuild.builders.base import InstalledFile, installed_file
from lambdabuild.errors import BuildError, MachineError, PolicyError
from lambdabuild.model.paths import check_path


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


def read_only_file(chunks: Iterable[bytes], folder: Path, *, most: int, doing: str) -> str:
    """Write the one file of a tar stream, which is all that lies in the stream's top folder, into a folder; gives its
    name. ``doing`` is what made it.

    Raises BuildError where there is none, or not this alone, PolicyError for what is no regular file or larger than
    ``most``, MachineError for a stream that ends early.
    """
    name = ""
    try:
        with tarfile.open(fileobj=_Reader(chunks), mode="r|", encoding="utf-8", errors="surrogateescape") as archive:
            for info in archive:
                _, _, path = info.name.partition("/")
                if not path and info.isdir():
                    continue
                file = archive.extractfile(info) if info.isreg() and not info.issparse() else None
                check_path(path)
                if file is None or "/" in path or info.size > most:
                    raise PolicyError(f"{doing} gave {path!r}, which is no file, or has more than {most:,} bytes")
                if name:
                    raise BuildError(f"{doing} gave several files in place of one wheel: {name!r}, {path!r}")
                name = path
                with (folder / name).open("xb") as out:
                    shutil.copyfileobj(file, out)
    except tarfile.TarError as error:
        raise MachineError(f"{doing}: the wheel cannot be read to its end: {error}") from error
    if not name:
        raise BuildError(f"{doing} gave no wheel", hint="its build backend is at fault")
    return name


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
