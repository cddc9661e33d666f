"""The folders that a pattern names, each of which may be a function."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from lambdabuild.errors import UsageError
from lambdabuild.ledger import note
from lambdabuild.model.configmany import Folders

_WILD = frozenset("*?[")
_NEVER = frozenset({"__pycache__", "node_modules"})


def find_folders(project: Path, pattern: str, module: str) -> Folders:
    """Relative to the project, in the order of their names: folders with the module of a handler, and other folders
    that have modules at all.

    In a pattern ``*``, ``?`` and ``[...]`` stand for what they do in a shell, and match no folder whose name begins
    with a dot.
    """
    found, passed = [], []
    matches = _match(project, pattern)
    for folder in matches:
        if _has_module(folder, module):
            found.append(folder)
        elif any(name.endswith(".py") for name in _list(folder)):
            passed.append(folder)
    return Folders(
        found=tuple(map(str, (folder.relative_to(project) for folder in found))),
        passed=tuple(map(str, (folder.relative_to(project) for folder in passed))),
        near=None if matches else _find_near(project, pattern),
    )


def _has_module(folder: Path, module: str) -> bool:
    """Whether a module is there, told by the names in folders: what is in its file does not matter."""
    path = folder / module
    for file in (path.with_name(f"{path.name}.py"), path / "__init__.py"):
        if not file.parent.is_dir():
            note(file.parent)
        elif file.name in _list(file.parent) and file.is_file():
            return True
    return False


def _match(project: Path, pattern: str) -> list[Path]:
    folders = [project]
    for part in filter(lambda part: part != ".", pattern.rstrip("/").split("/")):
        folders = [below for folder in folders for below in _below(folder, part)]
    return folders


def _below(folder: Path, part: str) -> Iterator[Path]:
    if not _WILD & set(part):
        note(folder / part)
        names = [part]
    else:
        visible = (name for name in _list(folder) if name[0] != "." or part[0] == ".")
        names = [name for name in visible if fnmatchcase(name, part) and name not in _NEVER]
    yield from (folder / name for name in names if (folder / name).is_dir())


def _list(folder: Path) -> list[str]:
    note(folder)
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise UsageError(f"{folder} cannot be read: {error.strerror}") from error


def _find_near(project: Path, pattern: str) -> str | None:
    """The pattern with its first folder as it was probably meant, where that names any."""
    first, slash, rest = pattern.partition("/")
    for name in difflib.get_close_matches(first, [name for name in _list(project) if (project / name).is_dir()]):
        if name != first and _match(project, meant := f"{name}{slash}{rest}"):
            return meant
    return None
