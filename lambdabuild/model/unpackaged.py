"""Modules of the project that a function's code imports, and that neither its archive nor its layers have."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import PurePosixPath

from lambdabuild.model.attempts import Names, imports_of
from lambdabuild.model.handler import split_handler
from lambdabuild.model.importroot import Read, Root
from lambdabuild.model.lint import Remark
from lambdabuild.model.reachable import SUFFIX
from lambdabuild.model.toplevel import RUNTIME
from lambdabuild.model.tree import SOURCES

_INIT = "/__init__.py"


def remark_unpackaged(
    root: Root,
    layers: Iterable[Root],
    *,
    file: str,
    handler: str,
    stdlib: Collection[str],
    read: Read,
    find_hint: Callable[[str], str | None],
) -> Iterator[Remark]:
    """What the code that a handler reaches imports in vain; ``find_hint`` tells of a module of the project how it comes
    into the archive, and None of any other.

    Imports that may fail are none, and names that something else has, a distribution or a layer, are left to that.
    """
    sources = {path for path, found in root.files.items() if found.entry.owner == SOURCES and path.endswith(SUFFIX)}
    others = {path for path in root.files if path not in sources}.union(*(layer.files for layer in layers))
    given = {path.partition("/")[0].partition(".")[0] for path in others} | RUNTIME | set(stdlib)
    folders = {str(folder) for path in sources for folder in PurePosixPath(path).parents}
    module = split_handler(handler)[0]
    waiting = [path for path in (f"{module}{_INIT}", f"{module}{SUFFIX}") if path in sources][:1]
    seen: set[str] = set()
    while waiting:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        for names, caught in sorted(imports_of(path, read(root.files[path].entry.member).encode())):
            if caught or names[0] in given:
                continue
            found, lacking = _follow(names, sources, folders)
            waiting += found
            hint = find_hint(".".join(lacking)) if lacking and not _lies_below(lacking, sources) else None
            if hint is not None:
                text = f"{path} imports {'.'.join(lacking)}, which neither the archive nor a layer has"
                yield Remark(artifact=file, code="not-packaged", text=text, hint=hint)


def _follow(names: Names, sources: Collection[str], folders: Collection[str]) -> tuple[list[str], Names]:
    """The modules that are run when a name is imported, and the first part of the name that is not there."""
    found: list[str] = []
    for end in range(1, len(names) + 1):
        stem = "/".join(names[:end])
        if f"{stem}{_INIT}" in sources:
            found.append(f"{stem}{_INIT}")
        elif f"{stem}{SUFFIX}" in sources:
            return [*found, f"{stem}{SUFFIX}"], ()
        elif stem not in folders:
            return found, names[:end]
    return found, ()


def _lies_below(names: Names, sources: Iterable[str]) -> bool:
    """Whether the archive has it in some other folder, which code may put on the import path."""
    stem = f"/{'/'.join(names)}"
    return any(path.endswith((f"{stem}{SUFFIX}", f"{stem}{_INIT}")) for path in sources)
