"""The files that decide on what ``uv export`` says, so that it need not be asked twice."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from lambdabuild import configfile
from lambdabuild.errors import UsageError
from lambdabuild.ledger import note

_LOCAL = re.compile(r'^source = \{ (?:editable|virtual|directory) = "([^"]*)"', re.MULTILINE)
"""How uv.lock names the folder of a distribution that no index serves."""


def lock_inputs(project: Path, script: Path | None) -> list[str] | None:
    """Digests of the lock and of what uv checks it against; None when that is not told by files alone."""
    if script is not None:
        files = [script, script.with_name(f"{script.name}.lock")]
    else:
        lock = configfile.find_lock(project)
        if lock is None:
            return None
        members = {Path(os.path.normpath(lock.parent / path)) for path in _LOCAL.findall(configfile.read_text(lock))}
        folders = list(dict.fromkeys([project, lock.parent, *sorted(members)]))
        files = [lock, *(folder / configfile.PYPROJECT for folder in folders)]
        if any(map(_is_dynamic, folders)):
            return None
    return [f"{path.name} {file_digest(path)}" for path in files]


def settings_inputs(project: Path, environ: Mapping[str, str]) -> list[str]:
    """Digests of what may hold settings of uv's: the ``tool.uv`` of the project and of folders above it, one of which
    may be its workspace, and the files of the project, the user, the system and the one that is asked for.

    https://docs.astral.sh/uv/concepts/configuration-files/
    """
    user = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "/"), ".config"))
    system = map(Path, (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep))
    files = [folder / "uv.toml" for folder in (project, *project.parents)]
    files += [folder / "uv" / "uv.toml" for folder in (user, *system, Path("/etc"))]
    if environ.get("UV_CONFIG_FILE"):
        files.append(project / environ["UV_CONFIG_FILE"])
    tables = [_uv_table(folder / configfile.PYPROJECT) for folder in (project, *project.parents)]
    return [*tables, *map(_settings, files)]


def _uv_table(pyproject: Path) -> str:
    return _settings(pyproject, "tool", "uv")


def _settings(file: Path, *keys: str) -> str:
    """A digest of what a file of settings, or a table in it, means; empty where there is none."""
    note(file)
    if not file.is_file():
        return ""
    try:
        table = configfile.read_toml(file)
        for key in keys:
            table = table.get(key, {})
    except (UsageError, AttributeError):  # of a folder above, which may be nothing of uv's
        return file_digest(file)
    return hashlib.sha256(json.dumps(table, sort_keys=True, default=str).encode()).hexdigest()


def _is_dynamic(folder: Path) -> bool:
    """Whether the dependencies of a project are only known to its build backend."""
    pyproject = folder / configfile.PYPROJECT
    own = configfile.read_toml(pyproject).get("project") if pyproject.is_file() else None
    if own is None:
        for name in ("setup.py", "setup.cfg"):
            note(folder / name)
        return (folder / "setup.py").is_file() or (folder / "setup.cfg").is_file()
    return "dependencies" in own.get("dynamic", ()) or "optional-dependencies" in own.get("dynamic", ())


def file_digest(path: Path) -> str:
    """sha256 of a file, hex; empty where there is none."""
    note(path)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
