"""Whether a zip that somebody else made can be unpacked: its names, its methods, and every byte of it."""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from pathlib import Path, PurePosixPath

from lambdabuild.errors import PolicyError
from lambdabuild.model.limits import MAX_UNZIPPED

_CHUNK = 1 << 20
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError)


def check_unpacking(path: Path) -> None:
    """Raises PolicyError for the first member that cannot be unpacked, or is not what the zip's directory says of it.

    Members of a zip that says itself to be too large are not read.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        for name, count in Counter(member.filename for member in members).items():
            if name.startswith("/") or ".." in PurePosixPath(name).parts:
                raise _refused(path, name, "lies outside of the folder that it is unpacked into")
            if count > 1:
                raise _refused(path, name, f"is in it {count} times")
        for member in members:
            if member.flag_bits & _ENCRYPTED:
                raise _refused(path, member.filename, "is encrypted")
            if member.compress_type not in _METHODS:
                raise _refused(path, member.filename, "is neither stored nor deflated, and Lambda reads nothing else")
        if sum(member.file_size for member in members) <= MAX_UNZIPPED:
            for member in members:
                _read(path, archive, member)


def _read(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    try:
        with archive.open(member) as file:
            while file.read(_CHUNK):
                pass
    except _UNREADABLE as error:
        raise _refused(path, member.filename, f"cannot be read: {error}") from error


def _refused(path: Path, name: str, why: str) -> PolicyError:
    return PolicyError(f"{path} cannot be unpacked: {name!r} {why}", hint="zip it again", code="archive-damaged")
