"""Dependencies that are told to another tool alone, in files that lambdabuild does not read, and the way out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lambdabuild.values import dataclass

LOCKS = ("poetry.lock", "Pipfile.lock")
"""Those that ``migrate-to-uv`` takes over."""
FILES = ("poetry.lock", "Pipfile", "Pipfile.lock", "pdm.lock", "setup.py", "setup.cfg")
_SETUPTOOLS = re.compile(r"\binstall_requires\b|\bpbr\b")
"""How setuptools is told; pbr reads requirements.txt for it."""
_NAMED = '[project] with name = "NAME" and version = "0.1.0"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Untold:
    """What tells dependencies in another tool's words."""

    where: str
    """A file of the project, or a table of pyproject.toml."""
    hint: str


def find_untold(document: Mapping[str, Any], files: Mapping[str, str], *, project: str) -> Untold | None:
    """The dependencies that a project's ``pyproject.toml`` does not tell uv of, though another tool is told of some.

    ``files`` are those of ``FILES`` that the project has, with their text. Whoever has a uv.lock has told uv.
    """
    own = _table(document, "project")
    if own.get("dependencies") or "dependencies" in own.get("dynamic", ()):
        return None
    tools = _table(document, "tool")
    poetry, pdm = _table(tools, "poetry"), _table(tools, "pdm")
    if set(_table(poetry, "dependencies")) - {"python"}:
        return Untold(where="[tool.poetry.dependencies]", hint=_migration(own, poetry, "[tool.poetry]", project))
    for file in ("poetry.lock", "Pipfile", "Pipfile.lock"):
        if file in files:
            return Untold(where=file, hint=_migration(own, poetry, file, project))
    if pdm.get("dependencies") or "pdm.lock" in files:
        return _pdm(pdm, project)
    for file in ("setup.py", "setup.cfg"):
        if _SETUPTOOLS.search(files.get(file, "")):
            return Untold(where=file, hint=_setuptools(own, project))
    return None


def migration(what: str, *, project: str) -> str:
    """The command that brings a file or table of another tool to uv."""
    return f"uvx migrate-to-uv   (in {project}: it takes {what} over into pyproject.toml and uv.lock)"


def _pdm(pdm: Mapping[str, Any], project: str) -> Untold:
    if pdm.get("dependencies"):
        hint = f"uv add NAME…   (in {project}: uv reads dependencies of [project] alone)"
        return Untold(where="[tool.pdm.dependencies]", hint=hint)
    command = "pdm export --without-hashes -o requirements.txt"  # nothing is in [project], so it is in groups
    what = "that file is read; --without GROUP leaves out what is for development"
    return Untold(where="pdm.lock", hint=f"{command}   (in {project}: {what})")


def _migration(own: Mapping[str, Any], poetry: Mapping[str, Any], what: str, project: str) -> str:
    """``migrate-to-uv`` keeps what [project] has, and takes over no name where there is none."""
    command = migration(what, project=project)
    if "dependencies" in own:
        return f"remove dependencies = [] from [project], then: {command}"
    if own.get("name") or poetry.get("name"):
        return command
    return f"write {_NAMED} into pyproject.toml, then: {command}"


def _setuptools(own: Mapping[str, Any], project: str) -> str:
    dynamic = 'dynamic = ["dependencies"] in [project]' if own else f'{_NAMED} and dynamic = ["dependencies"]'
    backend = '[build-system] with requires = ["setuptools"] and build-backend = "setuptools.build_meta"'
    removed = "without dependencies = [], " if "dependencies" in own else ""
    return f"write {removed}{dynamic}, and {backend}, into pyproject.toml, then: uv lock --project {project}"


def _table(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table = document.get(key)
    return table if isinstance(table, Mapping) else {}
