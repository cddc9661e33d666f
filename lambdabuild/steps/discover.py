"""The dependencies of what configures none, found in the project's files and beside the handlers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from lambdabuild import configfile
from lambdabuild.configfile import LOCK, PYPROJECT, REQUIREMENTS
from lambdabuild.ledger import note
from lambdabuild.model.config import FunctionConfig
from lambdabuild.model.handler import split_handler
from lambdabuild.model.needs import NOTHING, Found, Locked, Needs, Required, Script

_SCRIPT = re.compile(r"(?m)^# /// script\r?$")
"""https://packaging.python.org/en/latest/specifications/inline-script-metadata/"""


def find_needs(project: Path, functions: Iterable[FunctionConfig]) -> Found:
    """What functions need by what lies beside their handlers, and what the project itself does.

    The block of a script (PEP 723) in a single file; else what tells of dependencies in the function's folder, in that
    of the handler's file, or in the nearest folder above it, up to the project's: a project with dependencies of its
    own, or a requirements.txt. Where nothing tells of any, nothing is needed.
    """
    otherwise = None if _may_have_lock(project) else NOTHING
    found: dict[str, Needs] = {}
    unused: dict[str, str] = {}
    for function in functions:
        needs, message = _find_beside(project, function)
        needs = needs or otherwise
        if needs is not None:
            found[function.name] = needs
        if message is not None:
            unused[function.name] = message
    return Found(functions=found, project=_find_own(project), unused=unused)


def _find_own(project: Path) -> Needs | None:
    if configfile.has_dependencies(project):
        return Locked()
    if configfile.holds(project, REQUIREMENTS):
        return Required(file=REQUIREMENTS)
    return Locked() if configfile.read_project(project) or _is_untold(project) else None


def _may_have_lock(project: Path) -> bool:
    """Whether uv.lock may tell of dependencies, the project's own or that of its workspace; or should, since another
    tool is told of some."""
    if configfile.has_dependencies(project) or _is_untold(project):
        return True
    return bool(configfile.read_project(project)) and configfile.find_lock(project) is not None


def _is_untold(folder: Path) -> bool:
    """Whether dependencies are told to another tool alone. That is refused where they are needed, as without a lock."""
    return configfile.find_untold_dependencies(folder) is not None


def _find_beside(project: Path, function: FunctionConfig) -> tuple[Needs | None, str | None]:
    """The needs of a function, if anything beside it tells of them, and what is said of a file that is not used."""
    module = split_handler(function.handler)[0]
    if function.folder is None and function.source is None and "/" in function.handler:
        script = project / f"{module}.py"
        note(script)
        if script.is_file() and _SCRIPT.search(configfile.read_text(script)):
            return Script(file=f"{module}.py"), None
    for folder in _places(project, function, module):
        place = project / folder
        if configfile.has_dependencies(place):
            needs = Locked(folder=str(folder)) if folder.parts else None
            file = folder / REQUIREMENTS
            if not configfile.holds(place, REQUIREMENTS):
                return needs, None
            winner = folder / (LOCK if configfile.holds(place, LOCK) else PYPROJECT)
            return needs, f"{file} is not used: the dependencies come from {winner}, which lies beside it"
        if configfile.holds(place, REQUIREMENTS):
            return Required(file=str(folder / REQUIREMENTS)), None
        if folder.parts and _is_untold(place):
            return Locked(folder=str(folder)), None
    return None, None


def _places(project: Path, function: FunctionConfig, module: str) -> Iterator[PurePosixPath]:
    """The folders that are looked into, relative to the project, each once: the function's own, that of the handler's
    file, and those above it."""
    base = function.folder if function.folder is not None else function.source
    if base is not None:
        roots = [PurePosixPath(base)]
    else:
        roots = [PurePosixPath()] if "/" in function.handler else [PurePosixPath("src"), PurePosixPath()]
    files = [root / file for root in roots for file in (f"{module}/__init__.py", f"{module}.py")]
    file = next((file for file in files if _is_file(project / file)), files[-1])
    own = [roots[0]] if base is not None else []
    yield from dict.fromkeys([*own, *file.parents])


def _is_file(path: Path) -> bool:
    note(path)
    return path.is_file()
