"""Locks between processes: the kernel's own (flock), so that a killed holder's lock is free at once.

The standard library's ``fcntl`` and not a package: importing one costs half of what an unchanged build may take.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def held(path: Path, *, waiting: Callable[[], None] = lambda: None, shared: bool = False) -> Iterator[None]:
    """Hold the lock at a path, alone or with others that share it; ``waiting`` is called once when it is not free."""
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        if not _lock(file, kind):
            waiting()
            fcntl.flock(file, kind)
        yield
    finally:
        os.close(file)


@contextmanager
def held_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock alone if it is free, without waiting; tells whether it was."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        yield _lock(file, fcntl.LOCK_EX)
    finally:
        os.close(file)


def is_held(path: Path) -> bool:
    """Whether a process holds the lock now."""
    with held_if_free(path) as free:
        return not free


def _lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
