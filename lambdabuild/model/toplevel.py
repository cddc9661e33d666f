"""The names at the top of an artifact's import root."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from lambdabuild.model.importroot import Name, Root, names
from lambdabuild.model.lint import Remark, exclusion, listed, shown
from lambdabuild.model.tree import SOURCES

_BELONG_TO_NOBODY = ("benchmark", "benchmarks", "doc", "docs", "example", "examples", "samples", "test", "tests")
"""What a build backend packages by mistake when it is to find packages by itself."""


RUNTIME = frozenset({"awslambdaric", "boto3", "botocore", "dateutil", "jmespath", "s3transfer"})
RUNTIME |= {"simplejson", "six", "snapshot_restore_py", "urllib3"}
"""What every runtime brings besides the standard library, at the top of its import path."""


def remark_top_level(root: Root, stdlib: Collection[str]) -> Iterator[Remark]:
    """Names of the standard library's, packages that landed at the top by mistake, and modules that packages hide."""
    top = names(root.files)
    for owner, found in _importable(root, [one for name, one in top.items() if name in stdlib]).items():
        yield Remark(
            artifact=_artifact(root),
            code="standard-library-name",
            text=f"modules of {shown(owner)} have names of the standard library's, and of each name only one can be "
            f"imported: {listed(found)}",
            hint="rename them; /var/task and /opt come before the standard library on Lambda's import path"
            if owner == SOURCES
            else f"where nothing needs them: {exclusion(found)}",
        )
    ours = _importable(root, [one for name, one in top.items() if name in RUNTIME]).get(SOURCES)
    if ours:
        yield Remark(
            artifact=_artifact(root),
            code="runtime-name",
            text=f"modules of the sources have names of what the runtime brings, and hide it: {listed(ours)}",
            hint="rename them; /var/task and /opt come before the runtime's own modules on Lambda's import path",
        )
    for owner, found in _dropped(root, [top[name] for name in _BELONG_TO_NOBODY if name in top]).items():
        if owner != SOURCES and found != [f"{owner.partition(' ')[0]}/"]:
            yield Remark(
                artifact=_artifact(root),
                code="stray-name",
                text=f"{owner} puts names at the top of the import path that hardly are its own: {listed(found)}",
                hint=f"where nothing imports them: {exclusion(found)}",
            )
    for one in top.values():
        yield from _hidden_by_package(root, one)


def _hidden_by_package(root: Root, one: Name) -> Iterator[Remark]:
    """A module beside a package of its name is never found; with other owners nobody meant it so.

    Distributions among each other are left alone: pytest brings a ``py.py`` to be hidden by the package of py.
    """
    if one.init is None:
        return
    package = root.files[one.init]
    for path in one.modules:
        module = root.files[path]
        owners = module.entry.owner, package.entry.owner
        if owners[0] != owners[1] and SOURCES in owners:
            yield Remark(
                artifact=_artifact(root),
                code="hidden-module",
                text=f"{one.init} of {shown(owners[1])} hides {path} of {shown(owners[0])}",
                hint="rename the module, or exclude one of the two",
            )


def _importable(root: Root, found: Iterable[Name]) -> dict[str, list[str]]:
    """What an import of these names would find, by who brings it: files, or folders with a slash.

    A folder without ``__init__`` is left out: a module of its name is found first, wherever that is (PEP 420).
    """
    owners: dict[str, list[str]] = {}
    for name in found:
        if name.found is not None:
            owners.setdefault(root.files[name.found].entry.owner, []).append(_top(name.found))
    return owners


def _dropped(root: Root, found: Iterable[Name]) -> dict[str, list[str]]:
    """Everything that is there under these names, in the same form."""
    owners: dict[str, list[str]] = {}
    for path in (path for name in found for path in name.paths):
        tops = owners.setdefault(root.files[path].entry.owner, [])
        if _top(path) not in tops:
            tops.append(_top(path))
    return owners


def _top(path: str) -> str:
    first, slash, _ = path.partition("/")
    return first + slash


def _artifact(root: Root) -> str:
    return next(iter(root.files.values())).artifact
