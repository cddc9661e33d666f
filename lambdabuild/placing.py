"""Moving what a build made to its places: all of it, or, after an interrupt in the middle, the rest by the next build.

What is moved is first complete in one folder, which gets a name that says so. From then on the new artifacts are what
the output folder holds, though some of them may still lie in that folder: finishing the move needs nothing else.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Collection
from pathlib import Path

from lambdabuild.errors import UsageError
from lambdabuild.model.report import MANIFEST

PENDING = ".lambdabuild-publishing"
"""The folder, in the output folder, of what is complete and not yet in its place."""
_REMOVED = "removed.json"
"""In it: the names of the archives that go when the new ones come."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


def place(stage: Path, output: Path, *, remove: Collection[str]) -> None:
    """Move the archives and the manifest of a stage, a folder in the output folder, to their places, and remove these
    archives. Raises UsageError where one cannot be moved."""
    (stage / _REMOVED).write_text(json.dumps(sorted(remove)), encoding="utf-8")
    for path in (stage / MANIFEST, stage / _REMOVED, stage):
        _sync(path)
    stage.replace(output / PENDING)
    _sync(output)
    finish(output)


def finish(output: Path) -> None:
    """Finish the move that a build began and was interrupted in; nothing where none was."""
    pending = output / PENDING
    if not pending.is_dir():
        return
    archives = sorted(path.name for path in pending.glob("*.zip"))
    for name in archives:
        _move(pending / name, output / name)
    for name in _read_removed(pending):
        (output / name).unlink(missing_ok=True)
    if (pending / MANIFEST).exists():
        _move(pending / MANIFEST, output / MANIFEST)
    _sync(output)
    shutil.rmtree(pending)


def is_unfinished(output: Path) -> bool:
    """Whether a build began to move its artifacts to their places here, and did not come to the end."""
    try:
        return (output / PENDING).is_dir()
    except OSError:  # a folder that may not be entered: reading what is in it will tell
        return False


def _move(source: Path, place: Path) -> None:
    try:
        source.replace(place)
    except OSError as error:
        if error.errno in _FULL:
            raise
        raise UsageError(
            f"{place} cannot be replaced: {error.strerror}; the new one is {source}",
            hint="remove what is in the way and build again, or choose another folder with --output",
        ) from error


def _read_removed(pending: Path) -> list[str]:
    try:
        names = json.loads((pending / _REMOVED).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return []
    texts = (name for name in names if isinstance(name, str)) if isinstance(names, list) else ()
    return [name for name in texts if Path(name).name == name and name.endswith(".zip")]


def _sync(path: Path) -> None:
    """Have the disk hold a file, or the names in a folder."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
