"""What a run reads of a project, noted where it is read, so that the next run can tell by looks that nothing changed.

As git's index does: a file whose size, times and inode are what they were is the file that it was; where they differ
its content decides. What was written within moments of being noted could change without its looks telling, so of that
the content always decides.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

_TICK = 2_000_000_000
"""Nanoseconds within which a file system may give two writes one time (FAT: two seconds)."""
_PASSING = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis"})
"""What tools leave in a folder of sources, and no archive takes."""

_CHUNK = 1 << 20

_INDEX = "git index "
"""What stands before the path of a git index of which only the names of tracked files matter."""

Looks = tuple[int, ...]
"""Size, modification and change time in nanoseconds, and inode; empty where there is nothing."""

_open: list[Ledger] = []


class Changed(Exception):
    """Something was changed after it was read; the message is its path."""


class Ledger:
    """Files and folders with the looks that they had when they were read."""

    def __init__(self) -> None:
        self._looks: dict[str, Looks] = {}
        self._listed: dict[str, str] = {}
        self._adopted: dict[str, list[Any]] = {}

    def note(self, path: str) -> None:
        if path not in self._looks:
            self._looks[path] = _look(path)
            if path.startswith(_INDEX) or (self._looks[path] and stat.S_ISDIR(self._looks[path][-1])):
                self._listed[path] = _digest(path)

    def renew(self, path: str) -> None:
        if path in self._looks:
            del self._looks[path]
            self._listed.pop(path, None)
            self.note(path)

    def adopt(self, taken: Mapping[str, list[Any]]) -> None:
        self._adopted |= taken

    def take(self) -> dict[str, list[Any]]:
        """For JSON: all that was noted, each with its looks and the digest of what it holds.

        Raises Changed when something is not what it was when it was noted.
        """
        now = time.time_ns()
        taken = dict(self._adopted)
        for path, looks in self._looks.items():
            if path in taken:
                continue
            digest, after = _digest(path), _look(path)
            if digest != self._listed[path] if path in self._listed else after != looks:
                raise Changed(path)
            taken[path] = [_settled(after, now), digest]
        return taken


def note(path: str | os.PathLike[str]) -> None:
    """Say that a file is read, a folder listed, or that something was looked for here, whether it is there or not."""
    for ledger in _open:
        ledger.note(os.fspath(path))


def note_index(path: str | os.PathLike[str]) -> None:
    """Say that the names of what git tracks are read in an index: git writes it often, and seldom changes the names."""
    note(_INDEX + os.fspath(path))


def renew(path: str | os.PathLike[str]) -> None:
    """Say that this run itself has just written here: what was noted before is what it began with."""
    for ledger in _open:
        ledger.renew(os.fspath(path))


def adopt(taken: Mapping[str, list[Any]]) -> None:
    """Say that all this would be read, and was found to be what it was when it was taken."""
    for ledger in _open:
        ledger.adopt(taken)


def written(path: str | os.PathLike[str], sha256: str) -> dict[str, list[Any]]:
    """What a ledger takes of a file that was just written with content of this sha256, without reading it."""
    name, now = os.fspath(path), time.time_ns()
    looks = _look(name)
    return {name: [_settled(looks, now), f"{sha256} {looks[-1] & 0o100}" if looks else ""]}


@contextmanager
def recording() -> Iterator[Ledger]:
    """A ledger of all that is noted in the ``with`` block."""
    ledger = Ledger()
    _open.append(ledger)
    try:
        yield ledger
    finally:
        _open.remove(ledger)


class Glance:
    """One moment's look at files and folders, each looked at once, however many ask."""

    def __init__(self) -> None:
        self.now = time.time_ns()
        self._looks: dict[str, Looks] = {}
        self._digests: dict[str, str] = {}

    def look(self, path: str) -> Looks:
        if path not in self._looks:
            self._looks[path] = _look(path)
        return self._looks[path]

    def digest(self, path: str) -> str:
        if path not in self._digests:
            self._digests[path] = _digest(path)
        return self._digests[path]


def find_change(taken: MutableMapping[str, list[Any]], glance: Glance | None = None) -> str | None:
    """The path of something that is not what it was when this was taken, or None.

    What had to be read because its looks did not tell has them replaced, so that next time they may. With a ``glance``
    the answer is of its moment.
    """
    glance = glance or Glance()
    for path, (looks, digest) in taken.items():
        seen = glance.look(path)
        if (looks or not digest) and list(seen) == looks:
            continue
        if glance.digest(path) != digest:
            return path
        taken[path][0] = _settled(seen, glance.now)
    return None


def _settled(looks: Looks, now: int) -> list[int]:
    """The looks, or nothing for what was written just now."""
    return [] if any(now - time < _TICK for time in looks[1:3]) else list(looks)


def _look(path: str) -> Looks:
    try:
        status = os.stat(path.removeprefix(_INDEX))
    except OSError:
        return ()
    size = 0 if stat.S_ISDIR(status.st_mode) else status.st_size
    return (size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_mode)


def _digest(path: str) -> str:
    """Of a file's content and whether it may be executed, or of the names in a folder; empty for what is not there."""
    try:
        if path.startswith(_INDEX):
            return _digest_index(path.removeprefix(_INDEX))
        kind = stat.S_IFMT(os.stat(path).st_mode)
        if kind not in (stat.S_IFREG, stat.S_IFDIR):
            return f"{kind:o}"  # a pipe would be waited for, and a device may have no end
        with open(path, "rb") as file:
            digest = hashlib.sha256()
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
            return f"{digest.hexdigest()} {os.fstat(file.fileno()).st_mode & 0o100}"
    except IsADirectoryError:
        names = sorted(name for name in os.listdir(path) if name not in _PASSING)
        return hashlib.sha256("\0".join(names).encode(errors="surrogateescape")).hexdigest()
    except OSError:
        return ""


def _digest_index(path: str) -> str:
    from lambdabuild.model.gitindex import read_index  # only where an index was written

    with open(path, "rb") as file:
        content = file.read()
    names = read_index(content)
    told = content if names is None else "\0".join(names).encode(errors="surrogateescape")
    return hashlib.sha256(told).hexdigest()
