"""What to do about an import that failed: each hint is true of this artifact, and works as it is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from lambdabuild.model.target import Target
from lambdabuild.model.tree import SOURCES
from lambdabuild.model.verification import Failure, Place, Removed

_LOADER = re.compile(
    r"cannot open shared object file|version `[^']+' not found|undefined symbol|wrong ELF class|invalid ELF header"
    r"|ELF load command|cannot enable executable stack|static TLS block|file too short"
)
"""What glibc's loader says of a binary that it does not take (elf/dl-load.c, dl-version.c, dl-lookup.c)."""
_MISSING_LIBRARY = re.compile(r"(?P<library>[\w.+-]+\.so[\w.]*): cannot open shared object file")
_NO_LIBRARY = re.compile(
    r"(?:failed|unable|cannot|can't|could not|couldn't|not able) (?:to )?(?:find|load|locate)\b[^\n]*"
    r"\b(?:lib\w+|library)"
    r"|library[^\n]* not found|no library called",
    re.IGNORECASE,
)
"""What bindings say that look for a library of the system by themselves."""
_PATH = re.compile(r"'(/[^']*)'")
_NO_NAME = re.compile(r"cannot import name '([^']+)' from (?:partially initialized module )?'([^']+)'(?: \(([^)]*)\))?")
_CIRCULAR = "partially initialized module"
_SYNTAX = ("SyntaxError", "IndentationError", "TabError")
_IMPORT_ROOTS = ("/var/task/", "/opt/python/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What the project tells of what an artifact lacks."""

    module: Callable[[str], str | None]
    """A hint about a module, by its dotted name, that lies in the project and not in the archive."""
    file: Callable[[str], str | None]
    """The same of a file, by its path in the archive."""
    dependencies: str
    """Where a distribution is to be added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The files of an artifact and its layers in the image, by absolute path."""

    owners: Mapping[str, str]
    """Of what is there."""
    removed: Mapping[str, Removed]
    """What rules left out."""
    layers: Mapping[str, Collection[str]]
    """The modules of the layers that were built for the same target and are not among those, by name."""
    stdlib: Mapping[str, Collection[str]]
    """The modules of the standard library, by the runtime's language version."""
    advice: Advice | None = None


def is_binary_failure(failure: Failure) -> bool:
    """Whether a binary is at fault: the system's loader refused it, or it crashed."""
    return failure.status < 0 or any(_LOADER.search(cause.message) for cause in failure.causes)


def general_hint(
    failure: Failure, around: Surroundings, *, target: Target, owner: str | None, handler: bool
) -> str | None:
    """What to do about a failure that slimming has no part in; ``owner`` is that of a module."""
    if failure.kind == "timeout":
        return "Lambda gives the init phase 10 s: do less when the module is imported" if handler else None
    found = (
        _library_hint(failure, around, target, owner)
        or _system_hint(failure, around)
        or _module_hint(failure, around, target)
        or _name_hint(failure, around)
        or _syntax_hint(failure, around, target)
    )
    if found is not None or not handler:
        return found
    if failure.status < 0 or failure.type in ("ImportError", "AttributeError", "NameError", "TypeError"):
        return "mend the code at that place"
    return "mend it; or, where it needs what it has in Lambda alone, build with --no-verify"


def _library_hint(failure: Failure, around: Surroundings, target: Target, owner: str | None) -> str | None:
    texts = [cause.message for cause in failure.causes]
    of_places = (around.owners.get(place.file, SOURCES) for place in reversed(failure.places))
    owner = next((one for one in of_places if one != SOURCES), owner)
    missing = next((found for text in texts if (found := _MISSING_LIBRARY.search(text))), None)
    if is_binary_failure(failure) and owner is not None:
        return f"choose a version of {owner.partition(' ')[0]} whose wheel fits {target}, or leave it out" + (
            f"; or {_bring(missing['library'])}" if missing else ""
        )
    if missing is not None:
        return f"{_bring(missing['library'])}, or do without it"
    if is_binary_failure(failure) and failure.status >= 0:
        return f"compile it for {target}, or leave it out"
    if any(map(_NO_LIBRARY.search, texts)):
        return f"{target.runtime.os} of {target.runtime.name} has no such library: {_bring('it')}, or do without it"
    return None


def _bring(library: str) -> str:
    return f"bring {library} along (Lambda finds it in lib/ of a function's source)"


def _system_hint(failure: Failure, around: Surroundings) -> str | None:
    text = failure.message
    found = _PATH.search(text)
    path = found[1] if found else ""
    if "[Errno 28]" in text:
        return "a function has 512 MB of /tmp when its configuration says no more: write less of it at import"
    if "[Errno 30]" in text or (failure.type == "PermissionError" and around.owners and path not in around.owners):
        return "a function can write to /tmp alone: let it write there"
    if failure.type == "PermissionError":
        return "Lambda runs functions as another user: files in an archive must be readable for all (0644)"
    return _file_hint(failure, around, path) if failure.type == "FileNotFoundError" else None


def _file_hint(failure: Failure, around: Surroundings, path: str) -> str | None:
    """Of a file that is not there; ``path`` is empty for one that is told of by another than an absolute path."""
    if any(cause.place and cause.place.function == "_execute_child" for cause in failure.causes):
        return "the image has no such program: package it, and run it by its path below /var/task"
    if path.startswith("/home/"):
        return "a function has no home folder, it can write to /tmp alone: let it write there"
    relative = re.search(r"'([^'/][^']*)'", failure.message)
    inside = path.removeprefix("/var/task/") if path else relative[1] if relative else ""
    if not inside or inside.startswith("/"):
        return None
    own = around.advice.file(inside) if around.advice else None
    return own or "no such file is in the archive: package it, or read it in the handler's function"


def _module_hint(failure: Failure, around: Surroundings, target: Target) -> str | None:
    missing = missing_module(failure)
    if missing is None:
        return None
    top = missing.partition(".")[0]
    own = around.advice.module(missing) if around.advice else None
    if own is not None:
        return own
    there, python = _find_package(missing, around), target.runtime.python
    if there is not None:
        whose = "the sources" if there == SOURCES else there
        version = "" if there == SOURCES else f"choose a version of {there.partition(' ')[0]} that has it, or "
        return f'"{top}" is there, of {whose}, and lacks "{missing}": {version}mend the import'
    if top in around.stdlib.get(python, ()):
        return f'"{top}" is of the standard library, and lacks "{missing}": mend the import'
    layer = next((name for name, modules in around.layers.items() if top in modules), None)
    if layer is not None:
        return f'"{top}" is in the layer {layer}, which this function does not use: add "{layer}" to its layers'
    wanted = missing if any(_below(top, around)) else top  # a namespace, of which others bring other parts
    add = f'add the distribution that brings "{wanted}" to {_dependencies(around)}'
    older = [one for one, names in around.stdlib.items() if top in names and _number(one) < _number(python)]
    last = max(older, key=_number, default="")
    return f'"{top}" left the standard library after Python {last}: use python = "{last}", or {add}' if last else add


def _dependencies(around: Surroundings) -> str:
    return around.advice.dependencies if around.advice else "the dependencies (uv add), or to a layer"


def _find_package(missing: str, around: Surroundings) -> str | None:
    """Who brings the module, or a package above it that has an ``__init__`` and so cannot be of several."""
    parts = missing.split(".")
    for depth in range(1, len(parts) + 1):
        path = "/".join(parts[:depth])
        for root in _import_roots(around):
            for file in (f"{root}{path}/__init__.py", f"{root}{path}.py"):
                if file in around.owners:
                    return around.owners[file]
    return None


def _below(top: str, around: Surroundings) -> Iterator[str]:
    return (path for path in around.owners if path.startswith(tuple(f"{root}{top}/" for root in _import_roots(around))))


def _import_roots(around: Surroundings) -> tuple[str, ...]:
    return *_IMPORT_ROOTS, *(f"/opt/python/lib/python{python}/site-packages/" for python in around.stdlib)


def _name_hint(failure: Failure, around: Surroundings) -> str | None:
    text = next((cause.message for cause in failure.causes if cause.type == "builtins.ImportError"), "")
    found = _NO_NAME.search(text)
    if "no known parent package" in text:
        return "import it without the dots: the handler's module is at the root of the archive, and in no package"
    own = around.advice.module(f"{found[2]}.{found[1]}") if found and around.advice else None
    if own is not None:
        return own
    if _CIRCULAR in text or _CIRCULAR in failure.message:
        return "modules that import each other: import one of them where it is used, in a function"
    if found is None:
        return None
    owner = around.owners.get(found[3] or "", None)
    if owner is None or owner == SOURCES:
        return None
    return f'{owner} defines no "{found[1]}" in {found[2]}: choose a version of {owner.partition(" ")[0]} that does'


def _syntax_hint(failure: Failure, around: Surroundings, target: Target) -> str | None:
    if failure.type not in _SYNTAX:
        return None
    place: Place | None = failure.places[-1] if failure.places else None
    found = re.search(r"\(([^()]+\.py), line \d+\)", failure.message)
    owner = next(
        (one for path, one in around.owners.items() if found and path.endswith(f"/{found[1]}") and one != SOURCES), None
    )
    if owner is None and place is not None:
        owner = around.owners.get(place.file)
    if owner in (None, SOURCES):
        python = target.runtime.python
        return f"write what Python {python} can read, or build for a newer one: python in [tool.lambdabuild]"
    return f"choose a version of {str(owner).partition(' ')[0]} for Python {target.runtime.python}"


def missing_module(failure: Failure) -> str | None:
    """The dotted name of the module that is not there."""
    for cause in reversed(failure.causes):
        found = re.match(r"No module named '([^']+)'", cause.message)
        if cause.type == "builtins.ModuleNotFoundError" and found:
            return found[1]
    return None


def _number(python: str) -> tuple[int, ...]:
    return tuple(map(int, python.split(".")))
