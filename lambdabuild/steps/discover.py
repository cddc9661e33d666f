"""The dependencies of a function that configures none, found beside its handler."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from lambdabuild import configfile
from lambdabuild.ledger import note
from lambdabuild.model.config import FunctionConfig
from lambdabuild.model.needs import NOTHING, Needs, Required, Script

_REQUIREMENTS = "requirements.txt"
_SCRIPT = re.compile(r"(?m)^# /// script\r?$")
"""https://packaging.python.org/en/latest/specifications/inline-script-metadata/"""


def find_needs(project: Path, functions: Iterable[FunctionConfig]) -> dict[str, Needs]:
    """What functions need by what lies beside their handlers, by name, of those of which something tells.

    A requirements.txt in the folder of a function that is a folder or a single file; the block of a script (PEP 723)
    in a single file. In a project without dependencies and without a lock, nothing is needed.
    """
    otherwise = NOTHING if configfile.has_no_dependencies(project) else None
    needs = {function.name: _find_beside(project, function) or otherwise for function in functions}
    return {name: one for name, one in needs.items() if one is not None}


def _find_beside(project: Path, function: FunctionConfig) -> Needs | None:
    module = function.handler.rpartition(".")[0]
    is_file = function.folder is None and function.source is None and "/" in function.handler
    if is_file:
        script = project / f"{module}.py"
        note(script)
        if script.is_file() and _SCRIPT.search(configfile.read_text(script)):
            return Script(file=f"{module}.py")
    folder = function.folder if function.folder is not None else module.rpartition("/")[0] if is_file else None
    if folder is not None:
        note(project / folder / _REQUIREMENTS)
        if (project / folder / _REQUIREMENTS).is_file():
            return Required(file=f"{folder}/{_REQUIREMENTS}")
    return None
