"""What was probably meant by a handler whose module is not where it is looked for: every hint names what is there."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from lambdabuild.model.configfunction import find_long_handler_problem
from lambdabuild.model.handler import find_attribute, split_handler
from lambdabuild.model.sources import Sources
from lambdabuild.model.typed import quote
from lambdabuild.sourcefiles import each_module

_NEAR = 3
"""Similar modules that are looked into, and suggestions of the same module that are made."""
_PLAIN = "a handler is package.module.function, relative to source"


def find_hint(project: Path, roots: Iterable[Path], sources: Sources) -> str:
    """A handler of the same module elsewhere in the project, or of one with a similar name where it was looked for."""
    meant = list(dict.fromkeys(_elsewhere(project, sources)))[:_NEAR] or list(_similar(roots, sources))[:1]
    return f"did you mean {' or '.join(meant)}?" if meant else _PLAIN


def _similar(roots: Iterable[Path], sources: Sources) -> Iterator[str]:
    """Handlers in modules whose names are like the one that was asked for."""
    module, attribute = split_handler(sources.handler)
    found = {_module_path(PurePosixPath(path.relative_to(root))): path for root in roots for path in each_module(root)}
    for near in difflib.get_close_matches(module, sorted(found), n=_NEAR):
        known = _find_attribute(found[near], attribute)
        if known is not None and "." not in near:
            handler = f"{near if '/' in sources.handler else near.replace('/', '.')}.{known}"
            if find_long_handler_problem(handler) is None:
                yield quote(handler)


def _elsewhere(project: Path, sources: Sources) -> Iterator[str]:
    """Where in the project the module lies, in the words of the key that says so."""
    written, attribute = sources.handler.rpartition(".")[0], split_handler(sources.handler)[1]
    module = split_handler(sources.handler)[0]
    for path in each_module(project):
        relative = path.relative_to(project)
        # A folder with a dot in its name is one that Lambda takes for two, unless the function is a folder.
        dotted = relative.with_suffix("").as_posix() == written and "." in relative.parent.as_posix()
        inside = PurePosixPath(relative.name) if dotted else PurePosixPath(f"{module}.py")
        if relative.name == "__init__.py" and not dotted:
            inside = PurePosixPath(module, "__init__.py")
        folder = relative.parents[len(inside.parts) - 1] if len(inside.parts) <= len(relative.parts) else None
        if folder is None or relative != folder / inside:
            continue
        known = _find_attribute(path, attribute)
        if known is not None:
            yield from _suggestion(folder.as_posix(), _module_path(inside), known, sources)


def _suggestion(folder: str, module: str, attribute: str, sources: Sources) -> Iterator[str]:
    key = "source" if sources.source is not None else "folder" if sources.folder is not None else None
    handler = f"{module if '/' in sources.handler else module.replace('/', '.')}.{attribute}"
    if key is not None:
        yield f"{key} = {quote(folder)}" + f" and handler = {quote(handler)}" * (handler != sources.handler)
    elif "/" in sources.handler and "." not in folder:
        yield quote(f"{folder}/{handler}")
    elif find_long_handler_problem(f"{folder}::{handler}") is None:
        yield quote(f"{folder}::{handler}")


def _module_path(path: PurePosixPath) -> str:
    return path.with_suffix("").as_posix().removesuffix("/__init__")


def _find_attribute(path: Path, attribute: str) -> str | None:
    try:
        return find_attribute(path.read_bytes(), attribute)
    except OSError:
        return None
