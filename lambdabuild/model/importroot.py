"""A folder that is on a function's import path, and what Python finds there under a name."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from lambdabuild.model.segment import Member
from lambdabuild.model.tree import Entry, Tree

TASK_ROOT = "/var/task"
LAYERS_ROOT = "/opt"

Read = Callable[[Member], str]
"""The text of a member; whoever calls for a lint does the reading."""

# What FileFinder takes, in its order: https://docs.python.org/3/library/importlib.html#importlib.machinery.FileFinder
_MODULE = re.compile(r"(?P<name>[^/.]+)(?P<suffix>(?:\.cpython-[^/.]+|\.abi3)?\.so|\.py|\.pyc)")
_SUFFIXES = (".so", ".py", ".pyc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file below a root, and the artifact that brings it."""

    artifact: str
    entry: Entry

    @property
    def distribution(self) -> str | None:
        """The name of the distribution that owns it; None of application code."""
        name, _, version = self.entry.owner.partition(" ")
        return name if version else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A folder on the import path."""

    folder: str
    """Where it is on Lambda."""
    files: Mapping[str, Found]
    """By path relative to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """What one folder has for a name that is imported."""

    init: str | None = None
    """Path of the ``__init__`` of a package of that name."""
    modules: tuple[str, ...] = ()
    """Paths of files that are modules of that name, the one that is found first."""
    below: tuple[str, ...] = ()
    """Paths of all modules in a folder of that name, however deep."""

    @property
    def found(self) -> str | None:
        """The file that an import runs; None of a part of a namespace package (PEP 420)."""
        return self.init or (self.modules[0] if self.modules else None)

    @property
    def paths(self) -> tuple[str, ...]:
        """All modules that are reached through this name."""
        return (*self.modules, *self.below)


def tree_root(tree: Tree, *, artifact: str, root: str, mount: str) -> Root:
    """The import root of one artifact; ``root`` as a layer's plan has it, empty for a function."""
    files = {
        path[len(root) :]: Found(artifact=artifact, entry=entry)
        for path, entry in tree.entries.items()
        if path.startswith(root)
    }
    return Root(folder=f"{mount}/{root}".rstrip("/"), files=files)


def is_module(path: str) -> bool:
    """Whether a file can be imported, by its name."""
    if not path.endswith(_SUFFIXES) or "__pycache__" in path:
        return False
    return _MODULE.fullmatch(path.rpartition("/")[2]) is not None


def shared_names(roots: Iterable[Root], prefix: str) -> set[str]:
    """The names, maybe of more than modules, that several roots have below a folder: a quick look."""
    seen: set[str] = set()
    shared: set[str] = set()
    for root in roots:
        below = (path[len(prefix) :] for path in root.files if path.startswith(prefix))
        tops = {path.partition("/")[0].partition(".")[0] for path in below}
        shared |= seen & tops
        seen |= tops
    return shared


def names(paths: Iterable[str], prefix: str = "", *, among: Collection[str] | None = None) -> dict[str, Name]:
    """What a folder has for each name, or for those ``among`` them; of names without a module nothing.

    ``prefix`` is empty or ends with a slash.
    """
    inits: dict[str, list[str]] = {}
    modules: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for path in paths:
        first, slash, rest = path[len(prefix) :].partition("/")
        wanted = path.startswith(prefix) and (among is None or first.partition(".")[0] in among)
        if not wanted or not is_module(path):
            continue
        if not slash:
            modules.setdefault(first.partition(".")[0], []).append(path)
        elif first.isidentifier():
            below.setdefault(first, []).append(path)
            if "/" not in rest and rest.partition(".")[0] == "__init__":
                inits.setdefault(first, []).append(path)
    return {
        name: Name(
            init=min(inits[name], key=_rank) if name in inits else None,
            modules=tuple(sorted(modules.get(name, ()), key=_rank)),
            below=tuple(below.get(name, ())),
        )
        for name in sorted({*modules, *below})
    }


def _rank(path: str) -> tuple[int, str]:
    return next(rank for rank, suffix in enumerate(_SUFFIXES) if path.endswith(suffix)), path
