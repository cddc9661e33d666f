"""Commits of git repositories, checked out for a build.

Addresses and commits come from files, so they are data to git: they stand behind ``--``, and git and what it runs for
submodules speak a few protocols alone.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from lambdabuild.errors import BuildError, MachineError
from lambdabuild.model.credentials import redacted
from lambdabuild.model.forwarding import for_git
from lambdabuild.model.lockvalues import GIT_PROTOCOLS, check_commit, check_repository
from lambdabuild.model.requirements import Pin


def check_out(pin: Pin, folder: Path, environ: Mapping[str, str]) -> None:
    """Lay the commit of a pin out in an empty folder, with its submodules.

    Raises MachineError when there is no git, BuildError when it does not give the commit.
    """
    url, commit = check_repository(pin.url, owner=pin.name), check_commit(pin.commit or "", owner=pin.name)
    # A repository names its submodules, so these must not reach into this machine, unless the user says so.
    local = environ.get("GIT_ALLOW_PROTOCOL", "").split(":")
    inner = tuple(name for name in GIT_PROTOCOLS if name != "file" or name in local)

    def git(*argv: str, protocols: tuple[str, ...] = GIT_PROTOCOLS) -> subprocess.CompletedProcess[str]:
        return _run(pin, ["git", "-C", str(folder), *argv], for_git(environ, url, protocols=protocols))

    steps = [
        git("init", "--quiet"),
        # A server need not give a commit by its id; then everything that it gives is fetched.
        one
        if (one := git("fetch", "--quiet", "--depth", "1", "--", url, commit)).returncode == 0
        else git("fetch", "--quiet", "--tags", "--", url, "+refs/heads/*:refs/remotes/origin/*"),
        git("checkout", "--quiet", commit, "--"),
        git("submodule", "--quiet", "update", "--init", "--recursive", protocols=inner),
    ]
    for step in steps:
        if step.returncode != 0:
            raise _failure(pin, step.stderr)


def _run(pin: Pin, argv: list[str], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            argv, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
        )
    except FileNotFoundError as error:
        raise MachineError(f"{pin.name} lies in a git repository, and there is no git", hint="install git") from error


def _failure(pin: Pin, stderr: str) -> BuildError:
    host = urlsplit(pin.url).hostname or "the repository"
    return BuildError(
        f"{pin}: commit {pin.commit} cannot be had from {host}:\n  " + redacted(stderr.strip()).replace("\n", "\n  "),
        hint="check that the repository still has the commit, and that git can reach it",
    )
