"""The segment cache: content-addressed files, verified on read, written atomically, never changed.

A segment file is ``magic · sha256 of all that follows · length of the header · header (JSON) · data``. Anything wrong
with it is a miss: the file is set aside and the segment built again. The folder's name holds the layout's version, so
another version of lambdabuild never reads it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from lambdabuild.errors import MachineError
from lambdabuild.locks import held, is_held
from lambdabuild.model.facts import facts_document, parse_facts
from lambdabuild.model.segment import Member, Segment, Slice
from lambdabuild.slices import each_with_data

LAYOUT = "v2"
_MAGIC = b"lambdabuild segment 2\n"
_LENGTH = struct.Struct("<Q")
_FIELDS = ("path", "mode", "size", "crc32", "sha256", "method", "compressed_size")
_CACHEDIR_TAG = """Signature: 8a477f597d28d172789f06886806bc55
# This folder holds what lambdabuild can build again: https://bford.info/cachedir/
"""
_CHUNK = 1 << 20
_SCRATCH = "scratch-"


def default_root(environ: Mapping[str, str], *, home: Path, platform: str) -> Path:
    """Where the cache lies: LAMBDABUILD_CACHE_DIR, or the platform's folder for caches.

    https://specifications.freedesktop.org/basedir-spec/latest/ for Linux.
    """
    if environ.get("LAMBDABUILD_CACHE_DIR"):
        return Path(environ["LAMBDABUILD_CACHE_DIR"]).absolute()
    if platform == "darwin":
        return home / "Library" / "Caches" / "lambdabuild"
    if platform == "win32" and environ.get("LOCALAPPDATA"):
        return Path(environ["LOCALAPPDATA"]) / "lambdabuild" / "Cache"
    base = environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else home / ".cache") / "lambdabuild"


@dataclass(frozen=True, slots=True)
class Cache:
    """Segments by key below a folder of the user's."""

    root: Path

    @property
    def locks(self) -> Path:
        """Where locks of other things than segments lie."""
        return self.root / "locks"

    def ensure(self) -> None:
        """Make the folder; raises MachineError when it cannot be written."""
        try:
            self._segments.mkdir(parents=True, exist_ok=True)
            tag = self.root / "CACHEDIR.TAG"
            if not tag.exists():
                tag.write_text(_CACHEDIR_TAG)
        except OSError as error:
            raise MachineError(
                f"the cache folder {self.root} cannot be written: {error.strerror}",
                hint="set LAMBDABUILD_CACHE_DIR to a folder that can",
            ) from error

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A temporary folder on the cache's disk, removed at the end; what killed builds left is removed first."""
        for lock in self._version.glob(f"{_SCRATCH}*.lock"):
            if not is_held(lock):
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                lock.unlink(missing_ok=True)
        folder = self._version / f"{_SCRATCH}{os.urandom(8).hex()}"
        lock = folder.with_suffix(".lock")
        with held(lock):
            try:
                folder.mkdir()
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
                lock.unlink(missing_ok=True)

    def find(self, key: str) -> Segment | None:
        """The segment of a key, its every byte checked, or None."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                return _read(file, path)
        except FileNotFoundError:
            return None
        except (OSError, _Damaged):
            self._set_aside(path)
            return None

    def store(self, key: str, segment: Segment) -> Segment:
        """Write a segment and return it as it lies in the cache, its members pointing into the file."""
        path = self._path(key)
        try:
            path.parent.mkdir(exist_ok=True)
            new = path.with_name(f".new-{os.urandom(8).hex()}")
            try:
                with new.open("x+b") as file:
                    _write(file, segment)
                new.replace(path)
            except BaseException:
                new.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise MachineError(
                f"{segment.name} {segment.version} cannot be written to the cache {self.root}: {error.strerror}",
                hint="free some disk space, or set LAMBDABUILD_CACHE_DIR to another disk",
            ) from error
        stored = self.find(key)
        if stored is None:
            raise MachineError(f"{path} did not read back as it was written", hint="check the disk")
        return stored

    def find_resolution(self, key: str) -> str | None:
        """The text of a resolution that was kept, or None."""
        try:
            return (self._version / "resolutions" / f"{key}.toml").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def store_resolution(self, key: str, text: str) -> None:
        """Keep the text of a resolution; it can be had again, so a disk that does not take it is no error."""
        folder = self._version / "resolutions"
        new = folder / f".new-{os.urandom(8).hex()}"
        with suppress(OSError):
            folder.mkdir(exist_ok=True)
            try:
                new.write_text(text, encoding="utf-8")
                new.replace(folder / f"{key}.toml")
            finally:
                new.unlink(missing_ok=True)

    @property
    def _version(self) -> Path:
        return self.root / LAYOUT

    @property
    def _segments(self) -> Path:
        return self._version / "segments"

    def _path(self, key: str) -> Path:
        return self._segments / key[:2] / f"{key}.segment"

    def _set_aside(self, path: Path) -> None:
        with suppress(OSError):  # in a cache that cannot be written it stays, and stays a miss
            path.replace(path.with_suffix(".damaged"))


class _Damaged(Exception):
    """A segment file that does not hold what it says."""


def _write(file: BinaryIO, segment: Segment) -> None:
    rows, offset = [], 0
    for member in segment.members:
        rows.append([*(getattr(member, field) for field in _FIELDS), offset])
        offset += member.compressed_size
    document = {
        "name": segment.name,
        "version": segment.version,
        "requires": segment.requires,
        "facts": facts_document(segment.facts),
        "members": rows,
    }
    header = json.dumps(document, separators=(",", ":")).encode()
    digest = hashlib.sha256()
    file.write(_MAGIC + bytes(digest.digest_size))
    for part in chain((_LENGTH.pack(len(header)), header), (data for _, data in each_with_data(segment.members))):
        digest.update(part)
        file.write(part)
    file.seek(len(_MAGIC))
    file.write(digest.digest())


def _read(file: BinaryIO, path: Path) -> Segment:
    digest = hashlib.sha256()
    claimed = file.read(len(_MAGIC) + digest.digest_size)
    if claimed[: len(_MAGIC)] != _MAGIC:
        raise _Damaged
    start = len(claimed)
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    if digest.digest() != claimed[len(_MAGIC) :]:
        raise _Damaged
    file.seek(start)
    try:
        (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
        return _segment(json.loads(file.read(length)), path, start + _LENGTH.size + length)
    except (struct.error, KeyError, TypeError, ValueError) as error:
        raise _Damaged from error


def _segment(header: Mapping[str, Any], path: Path, start: int) -> Segment:
    members = tuple(
        Member(**dict(zip(_FIELDS, fields, strict=True)), data=Slice(path, start + offset))
        for *fields, offset in header["members"]
    )
    return Segment(
        name=header["name"],
        version=header["version"],
        requires=tuple(header["requires"]),
        members=members,
        facts=parse_facts(header["facts"]),
    )
