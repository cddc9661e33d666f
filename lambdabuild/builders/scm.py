"""The version of a folder that takes it from git, asked where git is: what is built is a copy without its history.

The program that tells it is the one that the folder's build requires, installed apart; it writes nothing. It sees what
git sees of the environment, and no logins of indexes.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from lambdabuild import configfile, uv
from lambdabuild.cache import Cache
from lambdabuild.ledger import note
from lambdabuild.lockinputs import file_digest
from lambdabuild.model.forwarding import for_git
from lambdabuild.model.lockvalues import GIT_PROTOCOLS
from lambdabuild.model.scm import ScmVersion, find_pretended, find_scm_version, parse_version

_KIND = "scm-versions"
_SETUP = ("setup.py", "setup.cfg")
_CLEAN = "clean"


def find_version(name: str, folder: Path, *, binary: Path, environ: Mapping[str, str], cache: Cache) -> str | None:
    """The version that the environment or git tells of the distribution in a folder; None where it is written down, or
    nobody tells it: then its build says what it lacks."""
    scm = _how_version_is_told(folder)
    if scm is None:
        return None
    told = find_pretended(name, environ)
    if told is not None or scm.command is None:
        return parse_version(told or "")
    git = {**for_git(environ, "", protocols=GIT_PROTOCOLS), "GIT_OPTIONAL_LOCKS": "0"}
    state = _state(folder, git)
    if state is None:
        return None
    inputs = [str(folder), *scm.requires, file_digest(folder / configfile.PYPROJECT), state]
    key = hashlib.sha256("\0".join(inputs).encode(errors="surrogateescape")).hexdigest()
    known = cache.find_text(_KIND, key)
    if known is not None:
        return parse_version(known)
    with cache.scratch() as tools:
        command = uv.tools_command(scm.requires, str(tools), python=sys.executable)
        if uv.run(binary, command, cwd=folder, environ=environ).returncode != 0:
            return None
        python = {"PYTHONPATH": str(tools), "PYTHONDONTWRITEBYTECODE": "1"}
        version = parse_version(_run([sys.executable, *scm.command], folder, git | python) or "")
    if version is not None and state.endswith(_CLEAN):
        cache.store_text(_KIND, key, version)
    return version


def _how_version_is_told(folder: Path) -> ScmVersion | None:
    """As the folder's own files say."""
    pyproject = folder / configfile.PYPROJECT
    document = configfile.read_toml(pyproject) if pyproject.is_file() else {}
    setup = "".join(configfile.read_text(folder / name) for name in _SETUP if (folder / name).is_file())
    return find_scm_version(document, setup)


def _state(folder: Path, environ: Mapping[str, str]) -> str | None:
    """What git tells a version by: the commit, the tags, and whether anything was changed since; None without git."""
    places = _run(["git", "rev-parse", "--git-dir", "--git-common-dir"], folder, environ)
    head = _run(["git", "rev-parse", "HEAD"], folder, environ)
    tags = _run(["git", "for-each-ref", "--format=%(objectname) %(refname)", "refs/tags"], folder, environ)
    changes = _run(["git", "status", "--porcelain", "--untracked-files=no"], folder, environ)
    if places is None or head is None or tags is None or changes is None:
        return None
    for place in dict.fromkeys(places.splitlines()):
        git = Path(os.path.normpath(folder / place))
        refs = (path for kind in ("heads", "tags") for path in (git / "refs" / kind).rglob("*"))
        for path in (git / "HEAD", git / "packed-refs", git / "refs" / "heads", git / "refs" / "tags", *refs):
            note(path)
    return f"{head}{tags}{changes}{_CLEAN if not changes else ''}"


def _run(argv: list[str], folder: Path, environ: Mapping[str, str]) -> str | None:
    """What a program prints; None where it cannot be run, or fails."""
    try:
        done = subprocess.run(
            argv,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
