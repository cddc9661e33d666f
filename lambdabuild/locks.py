"""Locks between processes: the kernel's own (flock), so that a killed holder's lock is free at once.

A lock is that of the file which lies at its path: who finally holds that of a file that was removed holds nothing.

The standard library's ``fcntl`` and not a package: importing one costs half of what an unchanged build may take.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_NO_LOCKS = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOLCK)
"""What file systems without locks answer, such as folders that a host shares with a machine; there nobody waits."""


@contextmanager
def held(path: Path, *, waiting: Callable[[], None] = lambda: None, shared: bool = False) -> Iterator[None]:
    """Hold the lock at a path, alone or with others that share it; ``waiting`` is called once when it is not free."""
    kind, told = fcntl.LOCK_SH if shared else fcntl.LOCK_EX, False
    while True:
        file = _open(path)
        try:
            if not _lock(file, kind):
                if not told:
                    waiting()
                told = True
                fcntl.flock(file, kind)
            if _lies_at(file, path):
                yield
                return
        finally:
            os.close(file)


@contextmanager
def held_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock alone if it is free, without waiting; tells whether it was."""
    file = _open(path)
    try:
        yield _lock(file, fcntl.LOCK_EX) and _lies_at(file, path)
    finally:
        os.close(file)


def is_held(path: Path) -> bool:
    """Whether a process holds the lock now."""
    with held_if_free(path) as free:
        return not free


def wait_until_free(path: Path) -> None:
    """Until nobody holds the lock alone, or its file is gone."""
    with suppress(FileNotFoundError):
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(file, fcntl.LOCK_SH)
        finally:
            os.close(file)


def _open(path: Path) -> int:
    flags = os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, os.O_RDWR | flags, 0o666)
    except OSError:  # another user's, or on a disk that may only be read: to lock it does not take writing it
        return os.open(path, os.O_RDONLY | flags, 0o666)


def _lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True


def _lies_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
