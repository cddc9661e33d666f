"""Keeping the cache small and sound: its size, what goes first, what is damaged."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lambdabuild.cache import LAYOUT, Cache
from lambdabuild.locks import held, held_if_free

DEFAULT_BOUND = 10_000_000_000
"""Bytes that the cache may take when a build ends, unless LAMBDABUILD_CACHE_MAX_SIZE says otherwise."""
_LAYOUT = re.compile(r"v\d+")
_NEW = ".new-"
"""What the names of files that are being written begin with."""
_ABANDONED = 3600
"""Seconds after which nobody writes to such a file any more: its writer was killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What lies in a cache, or was removed from it."""

    segments: int
    size: int
    """Bytes of all files."""


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    size: int
    used: float
    """When it was last used, in seconds since 1970."""


def measure(cache: Cache) -> Usage:
    """What the cache holds."""
    return _usage(_files(cache))


def prune(cache: Cache, bound: int, *, waiting: Callable[[], None]) -> Usage:
    """Remove what no version of this layout reads and then, beginning with what was not used for longest, whatever is
    over the bound (bytes); waits for builds that read from the cache. Gives what was removed."""
    with held(cache.usage_lock, waiting=waiting):
        return _prune(cache, bound)


def prune_if_free(cache: Cache, bound: int) -> Usage:
    """The same at the end of a build, when no other one reads from the cache; nothing is removed otherwise."""
    with held_if_free(cache.usage_lock) as free:
        return _prune(cache, bound) if free else Usage(segments=0, size=0)


def clear(cache: Cache, *, waiting: Callable[[], None]) -> Usage:
    """Remove everything but the folder and its tag; waits for builds that read from the cache."""
    with held(cache.usage_lock, waiting=waiting):
        files = list(_files(cache))
        for layout in _layouts(cache):
            shutil.rmtree(layout, ignore_errors=True)
    return _usage(files)


def find_damaged(cache: Cache) -> Iterator[Path]:
    """Read every byte of every entry, and set aside those that are not what they were; gives their paths."""
    with cache.in_use():
        for file in _files(cache):
            if not _is_refuse(file.path) and not _is_whole(cache, file.path):
                yield file.path


def _is_refuse(path: Path) -> bool:
    """Whether it was set aside, or never finished."""
    return path.suffix == ".damaged" or path.name.startswith(_NEW)


def _is_whole(cache: Cache, path: Path) -> bool:
    if path.suffix == ".segment":
        return cache.find(path.stem, used=False) is not None
    return cache.find_text(path.parent.name, path.name, used=False) is not None


def _prune(cache: Cache, bound: int) -> Usage:
    removed: list[_File] = []
    for layout in _layouts(cache):
        if layout.name != LAYOUT:
            removed += list(_below(layout))
            shutil.rmtree(layout, ignore_errors=True)
    kept: list[_File] = []
    for file in _files(cache):
        (removed if _is_refuse(file.path) else kept).append(file)
    kept.sort(key=lambda file: file.used, reverse=True)
    size = sum(file.size for file in kept)
    while size > bound and kept:
        oldest = kept.pop()
        removed.append(oldest)
        size -= oldest.size
    for file in removed:
        with suppress(OSError):
            file.path.unlink(missing_ok=True)
    return _usage(removed)


def _files(cache: Cache) -> Iterator[_File]:
    """What was kept, not what is only for a moment: locks, scratch folders and files that are being written."""
    with suppress(OSError):
        for folder in cache.version.iterdir():
            if folder.is_dir() and folder.name != "locks" and not folder.name.startswith("scratch-"):
                yield from _below(folder)


def _below(folder: Path) -> Iterator[_File]:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            with suppress(OSError):  # another one may be removing it
                status = path.lstat()
                if not name.startswith(_NEW) or time.time() - status.st_mtime > _ABANDONED:
                    yield _File(path, status.st_size, status.st_mtime)


def _layouts(cache: Cache) -> list[Path]:
    """The folders of this and of other versions' layouts."""
    try:
        return sorted(path for path in cache.root.iterdir() if path.is_dir() and _LAYOUT.fullmatch(path.name))
    except OSError:
        return []


def _usage(files: Iterator[_File] | list[_File]) -> Usage:
    files = list(files)
    segments = sum(file.path.suffix == ".segment" for file in files)
    return Usage(segments=segments, size=sum(file.size for file in files))
