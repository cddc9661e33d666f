"""The git repository that a project is in: where its top is, and which files it tracks, read from its index."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from lambdabuild.ledger import note, note_index
from lambdabuild.model.gitindex import read_index
from lambdabuild.values import dataclass

_GIT = ".git"
_POINTER = "gitdir:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """What git tracks, as paths without links in them."""

    files: frozenset[str]
    """Links and submodules among them."""
    folders: frozenset[str]
    """The folders that these lie in."""


def find_top(project: Path) -> Path | None:
    """The top of the work tree that a project is in."""
    return next((above for above in (project, *project.parents) if (above / _GIT).exists()), None)


def find_tracked(project: Path) -> Tracked | None:
    """What git tracks in the repository that a project is in; None outside of one, or where its index cannot be read.

    No git is run: a repository may come from anybody, and its configuration can name programs.
    """
    for above in (project, *project.parents):
        note_index(_index_of(above / _GIT))
        if (above / _GIT).exists():
            return read_tracked(above)
    return None


def read_tracked(top: Path) -> Tracked | None:
    """What git tracks in the work tree with this top."""
    index = _index_of(top / _GIT)
    try:
        status = index.stat()
    except FileNotFoundError:  # of a repository to which nothing was ever added
        return Tracked(files=frozenset(), folders=frozenset())
    except OSError:
        return None
    return _read(index, top.resolve(), (status.st_ino, status.st_size, status.st_mtime_ns))


def _index_of(git: Path) -> Path:
    """The index of a repository, or of a further work tree of one, which has a file that tells where."""
    if git.is_file():
        note(git)
        text = git.read_text(errors="surrogateescape").strip()
        if text.startswith(_POINTER):
            return git.parent / text.removeprefix(_POINTER).strip() / "index"
    return git / "index"


@lru_cache(maxsize=1)
def _read(index: Path, top: Path, looks: tuple[int, ...]) -> Tracked | None:
    """``looks`` tell whether the index is still the one that was read for another function."""
    del looks
    try:
        names = read_index(index.read_bytes())
    except OSError:
        return None
    if names is None:
        return None
    files = frozenset(f"{top}/{name}" for name in names)
    return Tracked(files=files, folders=frozenset(_folders(files)))


def _folders(files: frozenset[str]) -> Iterator[str]:
    seen: set[str] = set()
    for file in files:
        folder = file.rpartition("/")[0]
        while folder not in seen:
            seen.add(folder)
            yield folder
            folder = folder.rpartition("/")[0]
