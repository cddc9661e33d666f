"""Keeping the cache small and sound: its size, what goes first, what is damaged."""

from __future__ import annotations

import errno
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from lambdabuild.cache import DAMAGED, LAYOUT, PARTIAL, WHEELS, Cache
from lambdabuild.errors import MachineError
from lambdabuild.locks import held, held_if_free
from lambdabuild.manifest import file_sha256
from lambdabuild.scratch import PREFIX
from lambdabuild.values import dataclass

DEFAULT_BOUND = 10_000_000_000
"""Bytes that the cache may take when a build ends, unless LAMBDABUILD_CACHE_MAX_SIZE says otherwise."""
_LAYOUT = re.compile(r"v\d+")
_NEW = ".new-"
"""What the names of files that are being written begin with."""
_ABANDONED = 3600
"""Seconds after which nobody writes to such a file any more: its writer was killed."""
_TRIES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What lies in a cache, or was removed from it."""

    wheels: int
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
    with _alone(cache, waiting):
        removed, failed = _prune(cache, bound)
    _check(failed)
    return removed


def prune_if_free(cache: Cache, bound: int) -> Usage:
    """The same at the end of a build, when no other one reads from the cache; nothing is removed otherwise."""
    with suppress(OSError), held_if_free(cache.usage_lock) as free:  # where it cannot be had, nothing was kept
        if free:
            return _prune(cache, bound)[0]
    return Usage(wheels=0, size=0)


def clear(cache: Cache, *, waiting: Callable[[], None]) -> Usage:
    """Remove everything but the folder and its tag; waits for builds that read from the cache."""
    with _alone(cache, waiting):
        files = list(_files(cache))
        failed = [error for folder in (*_layouts(cache), cache.logs) if (error := _remove(folder)) is not None]
    _check(failed)
    return _usage(files)


def find_damaged(cache: Cache) -> Iterator[Path]:
    """Read every byte of every entry, and set aside those that are not what they were; gives their paths."""
    with cache.in_use():
        for file in _files(cache):
            if not _is_refuse(file.path) and not _is_whole(cache, file.path):
                yield file.path


@contextmanager
def _alone(cache: Cache, waiting: Callable[[], None]) -> Iterator[None]:
    """When no build reads from the cache."""
    with ExitStack() as stack:
        try:
            cache.usage_lock.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(held(cache.usage_lock, waiting=waiting))
        except OSError as error:
            raise _cannot(error) from error
        yield


def _check(failed: list[OSError]) -> None:
    if failed:
        raise _cannot(failed[0]) from failed[0]


def _cannot(error: OSError) -> MachineError:
    return MachineError(
        f"{error.filename} in the cache cannot be written or removed: {error.strerror}",
        hint="mend its permissions, or set LAMBDABUILD_CACHE_DIR to another folder",
    )


def _remove(folder: Path) -> OSError | None:
    """Remove a folder and tell why that cannot be. A build that has just ended may still keep what it knows there, and
    remove what it had for a moment: that is no reason."""
    for _ in range(_TRIES):
        try:
            shutil.rmtree(folder)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            if error.errno not in (errno.ENOENT, errno.ENOTEMPTY):
                return error
    return None


def _is_refuse(path: Path) -> bool:
    """Whether it was set aside, or never finished."""
    return path.suffix == DAMAGED or path.name.startswith(_NEW)


def _is_whole(cache: Cache, path: Path) -> bool:
    if path.suffix == PARTIAL:
        return True  # it is checked when it has come in whole
    if not _is_wheel(path):
        return cache.find_bytes(path.parent.name, path.name, used=False) is not None
    with path.open("rb") as file:  # what is set aside is what was read, and not what came in its place
        if file_sha256(path) == path.name:
            return True
        cache.set_aside(path, file.fileno())
    return False


def _is_wheel(path: Path) -> bool:
    return path.parent.parent.name == WHEELS and not path.suffix


def _prune(cache: Cache, bound: int) -> tuple[Usage, list[OSError]]:
    """Gives what was removed, and why something was not."""
    doomed: list[_File] = []
    for layout in _layouts(cache):
        if layout.name != LAYOUT:
            doomed += list(_below(layout))
    kept: list[_File] = []
    for file in _files(cache):
        (doomed if _is_refuse(file.path) else kept).append(file)
    kept.sort(key=lambda file: file.used, reverse=True)
    size = sum(file.size for file in kept)
    while size > bound and kept:
        oldest = kept.pop()
        doomed.append(oldest)
        size -= oldest.size
    removed: list[_File] = []
    failed: list[OSError] = []
    for file in doomed:
        try:
            file.path.unlink(missing_ok=True)
            removed.append(file)
        except OSError as error:
            failed.append(error)
    for layout in _layouts(cache):
        if layout.name != LAYOUT:
            shutil.rmtree(layout, ignore_errors=True)
    return _usage(removed), failed


def _files(cache: Cache) -> Iterator[_File]:
    """What was kept, not what is only for a moment: scratch folders and files that are being written."""
    with suppress(OSError):
        for folder in cache.version.iterdir():
            if folder.is_dir() and not folder.name.startswith(PREFIX):
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
    wheels = sum(_is_wheel(file.path) for file in files)
    return Usage(wheels=wheels, size=sum(file.size for file in files))
