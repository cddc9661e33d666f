"""Which modules of a project a module's imports reach, by reading them: static imports, wherever they stand."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable
from pathlib import PurePosixPath

from lambdabuild.model.attempts import Names, each_import, imports_of
from lambdabuild.model.syntax import parse

SUFFIX = ".py"
_INIT = "__init__.py"


def reach(starts: Iterable[str], paths: Collection[str], load: Callable[[str], bytes | str]) -> frozenset[str]:
    """The paths of the starting modules, of what they import, and of the packages on the way.

    ``paths`` are those of all files below the folder that is on the import path; ``load`` gives the source of one.
    Raises SyntaxError, whose ``filename`` is the path, and what ``load`` raises. Modules that an expression names
    (``importlib.import_module(name)``) are not found; they are given as further starts.
    """
    modules = frozenset(path for path in paths if path.endswith(SUFFIX))
    trees: dict[str, ast.Module] = {}

    def tree(path: str) -> ast.Module:
        if path not in trees:
            trees[path] = _parse(load(path), path)
        return trees[path]

    reached: set[str] = set()
    waiting = [path for start in starts for path in (*_packages_above(start, modules), start)]
    while waiting:
        path = waiting.pop()
        if path in reached:
            continue
        reached.add(path)
        for names, _ in each_import(path, tree(path)):
            if names[-1] == "*":
                waiting += _find(names[:-1], modules)
                waiting += _exported(names[:-1], modules, tree)
            else:
                waiting += _find(names, modules)
    return frozenset(reached)


def find_lost(
    starts: Iterable[str], paths: Collection[str], load: Callable[[str], bytes], is_lost: Callable[[str], bool]
) -> dict[str, str]:
    """Modules that are imported from the starting modules on and that are lost, each with the path of who imports it.

    ``is_lost`` is asked of paths that are not among ``paths``. An import that may fail loses nothing.
    """
    lost: dict[str, str] = {}
    seen: set[str] = set()
    waiting = list(starts)
    while waiting:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        for names, caught in imports_of(path, load(path)):
            for end in range(1, len(names) + 1):
                stem = "/".join(names[:end])
                candidates = [f"{stem}/{_INIT}", f"{stem}{SUFFIX}"]
                present = [one for one in candidates if one in paths]
                waiting += present[:1]
                if not present and not caught:
                    lost |= {one: path for one in candidates if one not in lost and is_lost(one)}
    return lost


def data_of(reached: Collection[str], paths: Collection[str]) -> frozenset[str]:
    """The files other than modules that belong to a package of which a module is reached, or to no package.

    A file belongs to the nearest folder, its own or one above it, that has modules in it.
    """
    packages = {_folder(path) for path in paths if path.endswith(SUFFIX)} - {""}
    live = {_folder(path) for path in reached}
    data = set()
    for path in paths:
        if not path.endswith(SUFFIX):
            owner = _folder(path)
            while owner and owner not in packages:
                owner = _folder(owner)
            if not owner or owner in live:
                data.add(path)
    return frozenset(data)


def _parse(source: bytes | str, path: str) -> ast.Module:
    try:
        return parse(source)
    except SyntaxError as error:
        error.filename = path
        raise
    except ValueError as error:  # a null byte, before Python 3.12
        raise SyntaxError(str(error), (path, None, None, None)) from error


def _find(names: Names, modules: Collection[str]) -> list[str]:
    """The files that are run when a name is imported: of the packages on the way and of the module itself."""
    found = []
    for end in range(1, len(names) + 1):
        stem = "/".join(names[:end])
        candidates = (f"{stem}/{_INIT}", f"{stem}{SUFFIX}")  # in the order in which Python looks
        found += [path for path in candidates if path in modules][:1]
    return found


def _exported(package: Names, modules: Collection[str], tree: Callable[[str], ast.Module]) -> list[str]:
    """Modules that ``from package import *`` imports, because ``__all__`` names them."""
    path = "/".join((*package, _INIT))
    if path not in modules:
        return []
    names = [
        node.value
        for statement in tree(path).body
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign)
        and "__all__" in {target.id for target in ast.walk(statement) if isinstance(target, ast.Name)}
        for node in ast.walk(statement)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return [path for name in names for path in _find((*package, name), modules)]


def _packages_above(path: str, modules: Collection[str]) -> list[str]:
    above = (f"{folder}/{_INIT}" for folder in PurePosixPath(path).parents if folder != PurePosixPath())
    return [path for path in above if path in modules]


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
