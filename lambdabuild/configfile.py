"""Find and read the configuration: TOML files and what the environment says. The only ``tomli``."""

from __future__ import annotations

import codecs
import functools
import importlib.resources
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli

from lambdabuild.errors import UsageError
from lambdabuild.functionfolders import find_folders
from lambdabuild.ledger import note
from lambdabuild.model.config import ProjectConfig, parse_config
from lambdabuild.model.direct import direct_requirements
from lambdabuild.model.needs import Locked
from lambdabuild.model.othertools import FILES, Untold, find_untold
from lambdabuild.model.requirements import normalized
from lambdabuild.model.target import Runtime, parse_runtimes

PYPROJECT = "pyproject.toml"
CONFIG = "lambdabuild.toml"
"""Holds at its top what ``[tool.lambdabuild]`` would, where pyproject.toml is not there or not to hold it."""
REQUIREMENTS = "requirements.txt"
LOCK = "uv.lock"

# What `uv python pin` and pyenv write; anything else (free-threaded, PyPy, a range, a path) says nothing to Lambda.
_PYTHON_VERSION = re.compile(
    r"""
    (?: (?:python)? (?P<version>[0-9]+\.[0-9]+) (?:\.[0-9]+)?
    | cpython- (?P<cpython>[0-9]+\.[0-9]+) (?:\.[0-9]+)? (?:-.*)?
    )
    """,
    re.VERBOSE,
)
_SCRIPT_BLOCK = re.compile(r"(?m)^# /// script$\n(?P<content>(?:^#(?:| .*)$\n)+?)^# ///$")
_SECONDS = re.compile(r"-?[0-9]{1,12}")  # more digits are beyond any calendar


def find_project(start: Path, *, bare: bool = False) -> Path:
    """The directory that holds ``pyproject.toml`` or ``lambdabuild.toml``: ``start`` or its nearest parent.

    Else, and where that is nothing of uv's and ours, ``start`` itself if it has a ``requirements.txt``; with ``bare``
    also if it has nothing.
    """
    start = start.absolute()
    found = next((folder for folder in (start, *start.parents) if _is_project(folder)), None)
    if found != start and holds(start, REQUIREMENTS) and (found is None or not _is_ours(found)):
        return start
    if found is not None or bare:
        return found or start
    raise UsageError(
        f"no {PYPROJECT} or {CONFIG} in {start} or any directory above it, and no {REQUIREMENTS} in it",
        hint=_untold_hint(start)
        or f"write a {CONFIG}, or let `uv init` make a project; --project DIR names another directory",
    )


def is_in_project(start: Path) -> bool:
    """Whether ``find_project`` would find one."""
    start = start.absolute()
    return holds(start, REQUIREMENTS) or any(map(_is_project, (start, *start.parents)))


def check_project(directory: Path, *, bare: bool = False) -> Path:
    """``directory`` as an absolute path, when it is a project; there is no search upward.

    With ``bare`` any directory is one.
    """
    if _is_project(directory) or holds(directory, REQUIREMENTS) or (bare and directory.is_dir()):
        return directory.absolute()
    if not directory.exists():
        raise UsageError(f"--project: {directory} does not exist")
    if not directory.is_dir():
        hint = f"--project {directory.parent}" if directory.name in (PYPROJECT, CONFIG, REQUIREMENTS) else None
        raise UsageError(f"--project: {directory} is not a directory", hint=hint)
    hint = _untold_hint(directory) or f"`uv init {directory}` makes one"
    raise UsageError(f"--project: no {PYPROJECT}, {CONFIG} or {REQUIREMENTS} in {directory}", hint=hint)


def read_config(project: Path) -> ProjectConfig:
    """The configuration of the project in a directory; without a file that could tell one, an empty one."""
    path, own = project / PYPROJECT, project / CONFIG
    document = read_toml(path) if holds(project, PYPROJECT) else {}
    pythons = tuple(runtime.python for runtime in read_runtimes())
    list_folders = functools.partial(find_folders, project)
    if not holds(project, CONFIG):
        return parse_config(document, pythons=pythons, path=str(path), list_folders=list_folders)
    if "lambdabuild" in _table(document, "tool"):
        raise UsageError(
            f"{own} cannot stand beside [tool.lambdabuild] in {path}", hint="keep one of the two, with all there is"
        )
    table = read_toml(own)
    return parse_config(
        document, pythons=pythons, path=str(path), own=table, own_path=str(own), list_folders=list_folders
    )


def read_project(folder: Path) -> Mapping[str, Any]:
    """The table ``[project]`` of a folder's pyproject.toml; empty without one."""
    return _table(read_toml(folder / PYPROJECT), "project") if holds(folder, PYPROJECT) else {}


def has_dependencies(folder: Path) -> bool:
    """Whether a folder's own ``[project]`` or ``uv.lock`` tells of dependencies."""
    own = read_project(folder)
    return holds(folder, LOCK) or bool(own.get("dependencies")) or "dependencies" in own.get("dynamic", ())


def find_lock(project: Path) -> Path | None:
    """The uv.lock of a project: its own or, of a member, its workspace's."""
    return next((folder / LOCK for folder in (project, *project.parents) if holds(folder, LOCK)), None)


def read_direct(project: Path, locked: Locked) -> tuple[str, ...]:
    """What the project, or the member of its workspace that is meant, itself requires (PEP 508)."""
    folder = project if locked.package is None else _find_member(project, locked.package)
    return tuple(direct_requirements(read_toml(folder / PYPROJECT), locked)) if folder is not None else ()


def _find_member(project: Path, name: str) -> Path | None:
    """The folder of a member of the workspace; None when none of that name is found."""
    lock = find_lock(project)
    root = project if lock is None else lock.parent
    workspace = read_toml(root / PYPROJECT).get("tool", {}).get("uv", {}).get("workspace", {})
    folders = [root, *(folder for pattern in workspace.get("members", ()) for folder in sorted(root.glob(pattern)))]
    for folder in folders:
        if holds(folder, PYPROJECT):
            own = read_toml(folder / PYPROJECT).get("project", {}).get("name", "")
            if normalized(own) == normalized(name):
                return folder
    return None


def find_untold_dependencies(project: Path) -> Untold | None:
    """What tells a project's dependencies to another tool, where nothing tells them to uv."""
    document = read_toml(project / PYPROJECT) if holds(project, PYPROJECT) else {}
    found = [name for name in FILES if holds(project, name)]
    files = {name: _read_bytes(project / name).decode(errors="replace") for name in found}
    return find_untold(document, files, project=str(project))


def refuse_untold_dependencies(project: Path) -> None:
    """Raise UsageError where a project's dependencies are told to another tool alone."""
    untold = find_untold_dependencies(project)
    if untold is not None:
        raise UsageError(
            f"the dependencies of {project} are in {untold.where}, which lambdabuild does not read: it reads uv.lock, "
            "pylock.toml and requirements files",
            hint=untold.hint,
        )


def read_script(path: Path) -> Mapping[str, Any]:
    """The block of inline script metadata (PEP 723) of a script; empty without one.

    https://packaging.python.org/en/latest/specifications/inline-script-metadata/
    """
    block = _SCRIPT_BLOCK.search(read_text(path).replace("\r\n", "\n"))
    if block is None:
        return {}
    lines = (line[2:] if line.startswith("# ") else line[1:] for line in block["content"].splitlines())
    return parse_toml("\n".join(lines), origin=str(path))


def read_text(path: Path) -> str:
    """A file of UTF-8 text."""
    try:
        return _read_bytes(path).decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 (byte {error.start})") from None


def read_requirements(path: Path) -> str:
    """A requirements file: UTF-8, or what its byte order mark says, as Windows PowerShell writes."""
    text = _decode_requirements(path, _read_bytes(path))
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UsageError(f"{path}:{line}: holds a NUL byte", hint="save it as UTF-8")
    return text


def _decode_requirements(path: Path, data: bytes) -> str:
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if data.startswith(mark):
            try:
                return data.removeprefix(mark).decode(encoding)
            except UnicodeDecodeError as error:
                raise UsageError(f"{path}: not {encoding.upper()} (byte {error.start + len(mark)})") from None
    return read_text(path)


def read_toml(path: Path) -> Mapping[str, Any]:
    """A TOML file; a byte order mark is passed over. Of a text that was read before it is the same object."""
    data = _read_bytes(path)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = len(data[data.rfind(b"\n", 0, error.start) + 1 : error.start].decode()) + 1
        raise UsageError(f"{path}:{line}:{column}: not UTF-8 (byte 0x{data[error.start]:02x})") from None
    return parse_toml(text.removeprefix("\ufeff"), origin=str(path))


def parse_toml(text: str, *, origin: str) -> Mapping[str, Any]:
    """A TOML document; ``origin`` is what messages call it."""
    try:
        return _parsed(text)
    except tomli.TOMLDecodeError as error:
        raise UsageError(f"{origin}:{error.lineno}:{error.colno}: {error.msg}") from None
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits, hundreds of nested arrays
        raise UsageError(f"{origin}: {error}") from None


@functools.lru_cache(maxsize=4)
def _parsed(text: str) -> Mapping[str, Any]:
    """Many ask for pyproject.toml, which describes hundreds of functions and is slow to parse then."""
    return tomli.loads(text)


@functools.cache
def read_runtimes() -> tuple[Runtime, ...]:
    """Lambda's Python runtimes, oldest first."""
    resource = importlib.resources.files("lambdabuild.resources") / "runtimes.toml"
    return parse_runtimes(tomli.loads(resource.read_text(encoding="utf-8")))


@functools.cache
def read_stdlib() -> Mapping[str, frozenset[str]]:
    """The names of the standard library's top-level modules, by the runtime's language version."""
    resource = importlib.resources.files("lambdabuild.resources") / "stdlib.toml"
    listed = tomli.loads(resource.read_text(encoding="utf-8"))
    return {python: frozenset(names.split()) for python, names in listed.items()}


def read_python_version_file(project: Path) -> str | None:
    """The version in ``.python-version`` of the project, else of its workspace, as ``X.Y``.

    None if there is no such file, and if it names no plain CPython. As uv looks for it: the nearest one, up to the
    folder of the lock.
    """
    lock = find_lock(project)
    root = project if lock is None else lock.parent
    for folder in (project, *(above for above in project.parents if above.is_relative_to(root))):
        path = folder / ".python-version"
        note(path)
        if path.exists():
            break
    else:
        return None
    text = _read_bytes(path).decode(errors="replace").removeprefix("\ufeff")
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    match = _PYTHON_VERSION.fullmatch(first)
    return match["version"] or match["cpython"] if match else None


def read_source_date_epoch(environ: Mapping[str, str]) -> int | None:
    """The time that archives shall carry: https://reproducible-builds.org/specs/source-date-epoch/"""
    value = environ.get("SOURCE_DATE_EPOCH", "")
    if not value:
        return None
    if not _SECONDS.fullmatch(value):
        raise UsageError(
            f"SOURCE_DATE_EPOCH: {value!r} is not a number of seconds since 1970-01-01 00:00:00 UTC",
            hint="export SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)",
        )
    return int(value)


def _untold_hint(folder: Path) -> str | None:
    untold = find_untold_dependencies(folder)
    return untold.hint if untold is not None else None


def _read_bytes(path: Path) -> bytes:
    note(path)
    try:
        _refuse_special(path, path.stat())
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from None


def holds(directory: Path, name: str) -> bool:
    """Whether there is a file of this name in a directory.

    Raises UsageError for a pipe or a device: one would be waited for, here or by uv, the other may have no end.
    """
    path = directory / name
    note(path)
    try:
        status = path.stat()
    except (OSError, ValueError):
        return False  # not there, in a directory that may not be looked into, or no name that a file can have
    _refuse_special(path, status)
    return stat.S_ISREG(status.st_mode)


def _refuse_special(path: Path, status: os.stat_result) -> None:
    mode = status.st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or os.path.samestat(status, Path(os.devnull).stat())):
        kind = "pipe" if stat.S_ISFIFO(mode) else "socket" if stat.S_ISSOCK(mode) else "device"
        raise UsageError(f"{path}: cannot be read: it is a {kind}")


def _is_project(directory: Path) -> bool:
    return holds(directory, PYPROJECT) or holds(directory, CONFIG)


def _is_ours(project: Path) -> bool:
    """Whether a project's files tell of distributions or of what is built, and not of other tools alone."""
    if holds(project, CONFIG):
        return True
    document = read_toml(project / PYPROJECT)
    return "project" in document or "lambdabuild" in _table(document, "tool")


def _table(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The table at a key; empty for anything else, which whoever checks the file tells of."""
    value = document.get(key)
    return value if isinstance(value, Mapping) else {}
