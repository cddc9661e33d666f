"""Temporary folders that do not outlive their run: those of killed runs are removed by the next."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from lambdabuild.locks import held, held_if_free

PREFIX = "lambdabuild-scratch-"
_ROOM = 1_000_000_000
"""Bytes that a disk should have free for a temporary folder."""


def temporary_folder() -> Path:
    """The system's folder for what is temporary; raises OSError where there is none that can be written."""
    import tempfile

    return Path(tempfile.gettempdir())


def with_room(folder: Path) -> Path:
    """A folder, or the system's for what is temporary where the folder's disk is nearly full and that one's less so."""
    free = shutil.disk_usage(folder).free
    if free < _ROOM and shutil.disk_usage(temporary_folder()).free > free:
        return temporary_folder()
    return folder


def make_scratch(base: Path) -> tuple[Path, Callable[[], None]]:
    """A new folder below another one, and what removes it; what killed runs left there is removed first.

    Raises OSError where the base cannot be written.
    """
    remove_stale(base)
    folder = base / f"{PREFIX}{os.urandom(8).hex()}"
    lock = folder.with_suffix(".lock")
    with ExitStack() as stack:
        stack.enter_context(held(lock))
        stack.callback(lock.unlink, missing_ok=True)  # while it is held
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        return folder, stack.pop_all().close


def remove_stale(base: Path) -> None:
    """Remove the temporary folders of killed runs."""
    for lock in base.glob(f"{PREFIX}*.lock"):
        with suppress(OSError), held_if_free(lock) as free:  # it may be another user's
            if free:
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                lock.unlink()
