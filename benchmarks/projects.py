"""Copies of the example, locked, and the states that a case puts them in."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import run
from benchmarks.workplace import ROOT, Workplace, tool

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXAMPLE = ROOT / "examples" / "spectra"
SWAPPED = "jmespath"
"""A small distribution of the example, of which two versions satisfy all others."""
VERSIONS = ("1.0.1", "1.1.0")
SMALL = """[project]
name = "small"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = ["pydantic>=2.12,<3", "requests>=2.32,<3"]

[tool.uv]
package = false
exclude-newer = "2026-11-01T00:00:00Z"

[tool.lambdabuild]
python = "3.13"

[tool.lambdabuild.functions.app]
handler = "app.handler"
"""
_LEFT = shutil.ignore_patterns("dist", ".venv", "__pycache__", ".*_cache", "uv.lock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project's folder, its target, and a cache of lambdabuild's for nothing but it."""

    folder: Path
    cache: Path
    python: str
    architecture: str
    functions: tuple[str, ...]

    @property
    def output(self) -> Path:
        return self.folder / "dist" / "lambda"

    def forget(self) -> None:
        """As if lambdabuild had never built here. What it downloaded stays, as it stays with the others."""
        for path in self.cache.glob("*/*"):
            if path.name != "wheels":
                _remove(path)
        _remove(self.output)


def read_project(folder: Path, cache: Path) -> Project:
    """A project as its pyproject.toml describes it."""
    table = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["lambdabuild"]
    return Project(
        folder=folder,
        cache=cache,
        python=table["python"],
        architecture=table.get("architecture", "x86_64"),
        functions=tuple(table["functions"]),
    )


def copy_example(place: Workplace, name: str) -> Project:
    """A copy of the example with a lock, made once for all copies."""
    locked = place.folder / "example"
    if not locked.exists():
        shutil.copytree(EXAMPLE, locked, ignore=_LEFT)
        uv(place, locked, "lock")
    folder = place.folder / name / "project"
    shutil.copytree(locked, folder)
    return read_project(folder, place.folder / name / "cache")


def make_small(place: Workplace, name: str) -> Project:
    """A project of ten small distributions, two and what they need, and a function."""
    folder = place.folder / name / "project"
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(SMALL, encoding="utf-8")
    (folder / "app.py").write_text(
        "import requests\n\n\ndef handler(event, context):\n    return requests.__version__\n"
    )
    uv(place, folder, "lock", "--quiet")
    return read_project(folder, place.folder / name / "cache")


def folder_of(place: Workplace, name: str) -> Path:
    """An empty folder for what a contender works on."""
    folder = place.folder / name
    folder.mkdir(parents=True)
    return folder


def uv(place: Workplace, folder: Path, *argv: str) -> None:
    """Run uv in a project; raises Failed."""
    log = place.folder / "set-up.log"
    run([tool("uv"), *argv], cwd=folder, environ=place.environ, log=log, timeout=600, measured=False)


def export(place: Workplace, folder: Path, to: Path) -> None:
    """The project's pinned requirements, as a project without lambdabuild has them in its repository."""
    to.parent.mkdir(parents=True, exist_ok=True)
    uv(place, folder, "export", "--quiet", "--frozen", "--no-dev", "--no-hashes", "--no-emit-project", "-o", str(to))


def lock_with(place: Workplace, folder: Path, version: str) -> bytes:
    """The content of a lock with this version of the distribution that is swapped; it stays in place."""
    uv(place, folder, "lock", "--upgrade-package", f"{SWAPPED}=={version}")
    return (folder / "uv.lock").read_bytes()


@dataclass(slots=True)
class Edited:
    """A file of the sources that gets another content, of the same length, before each run."""

    file: Path
    _original: str = ""
    _count: int = 0

    def edit(self) -> None:
        self._original = self._original or self.file.read_text(encoding="utf-8")
        self._count += 1
        self.file.write_text(f"{self._original}\n# edit {self._count:06}\n", encoding="utf-8")


@dataclass(slots=True)
class Snapshot:
    """The content of folders, to be had again any number of times."""

    folders: Sequence[Path]

    def save(self) -> None:
        for folder in self.folders:
            _copy(folder, _saved(folder))

    def restore(self) -> None:
        for folder in self.folders:
            _copy(_saved(folder), folder)


def _saved(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.saved")


def _copy(source: Path, target: Path) -> None:
    _remove(target)
    shutil.copytree(source, target, symlinks=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
