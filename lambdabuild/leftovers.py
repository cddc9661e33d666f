"""A note that this run speaks to an engine, kept until it has removed what it made there.

The note of a run that was killed is found by the next one, whatever that does, and only then an engine is asked. It is
told from that of a run that goes on by its lock.
"""

from __future__ import annotations

import atexit
import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from lambdabuild.locks import held, held_if_free

_FOLDER = "engines"
_SUFFIX = ".engine"
_A_DAY = 24 * 3600
_TELLING = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONFIG")
"""Variables that say where an engine is; none holds a secret."""


_something_left = False


def keep_note(root: Path, environ: Mapping[str, str]) -> None:
    """Note the engine of an environment until this process ends; a cache that cannot be written has no notes."""
    note = root / _FOLDER / f"{os.urandom(8).hex()}{_SUFFIX}"
    with suppress(OSError), ExitStack() as stack:
        note.parent.mkdir(parents=True, exist_ok=True)
        stack.enter_context(held(note))
        stack.callback(_drop, note)  # while its lock is held
        note.write_text(json.dumps({name: environ[name] for name in _TELLING if name in environ}))
        atexit.register(stack.pop_all().close)


def _drop(note: Path) -> None:
    if not _something_left:
        note.unlink(missing_ok=True)


def leave_note() -> None:
    """Something could not be removed: the next run is to try it again."""
    global _something_left  # noqa: PLW0603
    _something_left = True


def remove_leftovers(root: Path, environ: Mapping[str, str], clean: Callable[[Mapping[str, str]], bool]) -> None:
    """Of each run that was killed: ``clean`` the engine that its environment tells of; its note goes where that
    could be done, and after a day in any case."""
    try:
        with os.scandir(root / _FOLDER) as entries:
            notes = [Path(entry.path) for entry in entries if entry.name.endswith(_SUFFIX)]
    except OSError:
        return
    for note in notes:
        with suppress(OSError, ValueError), held_if_free(note) as free:
            if not free:
                continue
            told = json.loads(note.read_text() or "{}")
            elsewhere = {name: value for name, value in environ.items() if name not in _TELLING} | told
            if clean(elsewhere) or time.time() - note.stat().st_mtime > _A_DAY:
                note.unlink(missing_ok=True)


def remove_folders(base: Path) -> None:
    """The temporary folders of killed runs, also where this one needed none itself."""
    with suppress(OSError), os.scandir(base) as entries:
        if any(entry.name.endswith(".lock") for entry in entries):
            from lambdabuild.scratch import remove_stale  # most runs find nothing

            remove_stale(base)
