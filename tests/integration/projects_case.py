"""The little projects of tests/projects: what each one's project.toml says, and how a copy of it is set up.

Keys of project.toml, all but ``about`` optional:

* ``about``: the layout, in a sentence.
* ``project``: the folder that is given to ``--project``, where that is not the whole.
* ``prepare``: commands to run in the copy before it is locked; ``{copy}`` is its folder.
* ``files``: files to write into the copy, those that the repository's own git would ignore.
* ``warnings``, ``fat-warnings``: all that a slim, and a fat, build warns of or notes.
* ``left-out``: by archive, the modules that a build reports as not reached.
* ``archives``: by file name, and for slim builds all of them: ``runtime``, ``layers``, ``distributions`` as the
  manifest tells them; ``files``, all of the archive; ``code``, all that no distribution brought.

Beside it lie the project itself; ``events/NAME.json`` (without it the event is ``{}``); ``expected/NAME.json``, what
the function answers, and ``expected/NAME-fat.json`` where its fat zip answers something else; and ``published/NAME/``,
the content of an external layer.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli

PROJECTS = Path(__file__).resolve().parents[1] / "projects"
_OURS = ("project.toml", "events", "expected", "published")
"""What is about the project and no part of it."""


@dataclass(frozen=True)
class Case:
    """One folder of tests/projects."""

    folder: Path
    document: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.folder.name

    def archives(self, *, fat: bool) -> dict[str, Mapping[str, Any]]:
        """What is expected of the archives of a build."""
        archives = self.document.get("archives", {})
        return {file: table for file, table in archives.items() if file.endswith("-fat.zip") == fat}

    def warnings(self, *, fat: bool) -> list[str]:
        return list(self.document.get("fat-warnings" if fat else "warnings", []))

    def left_out(self, *, fat: bool) -> dict[str, list[str]]:
        left_out = self.document.get("left-out", {})
        return {file: modules for file, modules in left_out.items() if file.endswith("-fat.zip") == fat}

    def event(self, function: str) -> object:
        path = self.folder / "events" / f"{function}.json"
        return json.loads(path.read_text()) if path.is_file() else {}

    def expected(self, function: str, *, fat: bool) -> object:
        own = self.folder / "expected" / f"{function}-fat.json"
        path = own if fat and own.is_file() else self.folder / "expected" / f"{function}.json"
        return json.loads(path.read_text())

    def copied(self, folder: Path) -> Path:
        """A copy in a folder that does not exist, set up and locked; returns the folder for ``--project``."""
        shutil.copytree(self.folder, folder, symlinks=True, ignore=_ignored(self.folder))
        for name, text in self.document.get("files", {}).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for command in self.document.get("prepare", []):
            run([word.format(copy=folder) for word in command], cwd=folder)
        if _has_something_to_lock(folder):
            run(["uv", "lock", "--quiet"], cwd=folder)
        return folder / self.document.get("project", ".")

    def published(self, layer: str, folder: Path) -> Path:
        """The zip of a layer that others published."""
        root = self.folder / "published" / layer
        path = folder / f"{layer}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(root.rglob("*")):
                if file.is_file():
                    info = zipfile.ZipInfo(file.relative_to(root).as_posix())
                    info.external_attr = 0o644 << 16
                    archive.writestr(info, file.read_bytes())
        return path


def read_cases() -> list[Case]:
    """Every project, by name."""
    return [Case(path.parent, tomli.loads(path.read_text())) for path in sorted(PROJECTS.glob("*/project.toml"))]


def run(command: Sequence[str], *, cwd: Path) -> None:
    """A command of a set-up; ``uv`` is the one that lambdabuild depends on, and git knows nothing of its user."""
    argv = [sys.executable, "-m", "uv", *command[1:]] if command[0] == "uv" else list(command)
    identity = {f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    env = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but those of git itself."""
    paths = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _ignored(root: Path):
    def ignored(folder: str, names: list[str]) -> list[str]:
        ours = _OURS if Path(folder) == root else ()
        return [name for name in names if name in (*ours, "dist", "uv.lock", ".venv", "__pycache__")]

    return ignored


def _has_something_to_lock(folder: Path) -> bool:
    pyproject = folder / "pyproject.toml"
    document = tomli.loads(pyproject.read_text()) if pyproject.is_file() else {}
    workspace = "workspace" in document.get("tool", {}).get("uv", {})
    return workspace or "dependencies" in document.get("project", {})
