"""uv: the argument vectors (pure), the one function that runs them, and the reading of its answers."""

from __future__ import annotations

import json
import logging
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lambdabuild.errors import BuildError, LambdaBuildError, MachineError, PolicyError
from lambdabuild.model.requirements import Pin, Selection
from lambdabuild.model.target import Target

log = logging.getLogger(__name__)

_OVERRIDDEN = ("UV_FROZEN", "UV_LOCKED", "UV_NO_DEFAULT_GROUPS", "UV_TARGET", "VIRTUAL_ENV", "UV_LINK_MODE")


@dataclass(frozen=True, slots=True)
class Completed:
    """How a run of uv ended."""

    returncode: int
    stdout: str
    stderr: str


def lock_command() -> tuple[str, ...]:
    return ("lock", "--no-python-downloads")


def export_command(selection: Selection) -> tuple[str, ...]:
    """The project's lock as a pylock.toml (PEP 751): every file of every distribution with its hash.

    ``--locked`` fails on a stale lock instead of rewriting it; nothing is written into the project.
    """
    argv = ["export", "--locked", "--format", "pylock.toml", "--no-header", "--no-emit-project"]
    argv += ["--no-editable", "--no-default-groups", "--no-python-downloads"]
    for extra in selection.extras:
        argv += ["--extra", extra]
    for group in selection.groups:
        argv += ["--group", group]
    for group in selection.only_groups:
        argv += ["--only-group", group]
    return tuple(argv)


def install_command(pylock: str, directory: str, target: Target, *, python: str) -> tuple[str, ...]:
    """Install pinned wheels into a folder: no resolution, no build, no bytecode, every hash checked."""
    return (
        *("pip", "install", "--requirements", pylock, "--target", directory),
        *("--python", python, "--python-version", target.runtime.python, "--python-platform", target.uv_platform),
        *("--no-deps", "--no-build", "--no-installer-metadata", "--no-compile-bytecode"),
        *("--no-python-downloads", "--no-progress"),
    )


def build_command(sdist: str, directory: str, *, python: str) -> tuple[str, ...]:
    """Build the wheel of an sdist and install it into a folder; only ever run inside the builder image."""
    return (
        *("pip", "install", sdist, "--target", directory, "--python", python),
        *("--no-deps", "--no-installer-metadata", "--no-compile-bytecode"),
        *("--no-python-downloads", "--no-progress"),
    )


def newest_command(name: str, target: Target) -> tuple[str, ...]:
    """Resolve a distribution's newest version that has a wheel for the target; the requirement comes on stdin."""
    return (
        *("pip", "compile", "-", "--no-deps", "--only-binary", name, "--no-header", "--no-annotate", "--quiet"),
        *("--python-version", target.runtime.python, "--python-platform", target.uv_platform),
        *("--no-python-downloads",),
    )


def format_pylock(pins: Sequence[Pin]) -> str:
    """A pylock.toml (PEP 751) of these wheels alone, so that uv installs the very files that were selected."""
    lines = ['lock-version = "1.0"', 'created-by = "lambdabuild"']
    for pin in pins:
        # A JSON string is a TOML basic string.
        wheel = f"url = {json.dumps(pin.url)}, hashes = {{ sha256 = {json.dumps(pin.sha256)} }}"
        lines += [
            "[[packages]]",
            f"name = {json.dumps(pin.name)}",
            f"version = {json.dumps(pin.version)}",
            f"wheels = [{{ {wheel} }}]",
        ]
    return "\n".join(lines) + "\n"


def find_binary() -> Path:
    """The uv binary of the ``uv`` distribution, which is a dependency; raises MachineError when it is gone."""
    import uv

    try:
        return Path(uv.find_uv_bin())
    except FileNotFoundError as error:
        raise MachineError(f"uv's binary is missing: {error}", hint="pip install --force-reinstall uv") from error


def run(
    binary: Path, argv: Sequence[str], *, cwd: Path, environ: Mapping[str, str], stdin: str | None = None
) -> Completed:
    """Run uv quietly; the caller shows what it said when it fails."""
    command = [os.fspath(binary), *argv]
    log.debug("run %s in %s", command, cwd)
    env = {name: value for name, value in environ.items() if name not in _OVERRIDDEN}
    env |= {"UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
    done = subprocess.run(
        command, cwd=cwd, env=env, input=stdin, capture_output=True, text=True, encoding="utf-8", check=False
    )
    return Completed(done.returncode, done.stdout, done.stderr)


def read_version(binary: Path, *, environ: Mapping[str, str]) -> str:
    """uv's version, ``0.13.8``."""
    done = run(binary, ("--version",), cwd=binary.parent, environ=environ)
    if done.returncode != 0:
        raise MachineError(f"{binary} does not run: {done.stderr.strip()}", hint="pip install --force-reinstall uv")
    return done.stdout.split()[1]


def failure(phase: str, stderr: str) -> LambdaBuildError:
    """The error for a run of uv that failed, by what it said: a refused hash, a network out of reach, or the build."""
    text = stderr.strip()
    message = f"{phase} failed; uv says:\n{_indented(text)}"
    if "Hash mismatch" in text:
        return PolicyError(message, hint="the file is not the one that was locked: do not use it before you know why")
    if "No interpreter found" in text:
        return MachineError(
            message, hint="install that Python (for example: uv python install), uv reads the lock with it"
        )
    if any(sign in text for sign in _NETWORK_SIGNS):
        return MachineError(message, hint="check the network, the proxy settings and the index (uv's UV_INDEX…)")
    if "No space left on device" in text:
        return MachineError(message, hint="free some disk space")
    return BuildError(message)


_NETWORK_SIGNS = (
    "error sending request",
    "dns error",
    "Failed to fetch",
    "Request failed after",
    "error trying to connect",
    "operation timed out",
    "Network connectivity is disabled",
)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
