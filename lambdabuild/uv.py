"""uv: the argument vectors (pure), the one function that runs them, and the reading of its answers."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from lambdabuild.errors import BuildError, LambdaBuildError, MachineError, PolicyError
from lambdabuild.model.credentials import login_hint, redacted, secrets_of
from lambdabuild.model.forwarding import with_pip
from lambdabuild.model.needs import Locked
from lambdabuild.model.target import Target
from lambdabuild.values import dataclass

log = logging.getLogger(__name__)

_UNWRITABLE = re.compile(r"\(os error (?:1|13|20|28|30|122)\)")
"""Not permitted, permission denied, not a directory, no space left, a file system that is read only, quota exceeded."""
_OVERRIDDEN = (
    *("UV_FROZEN", "UV_LOCKED", "UV_TARGET", "VIRTUAL_ENV", "UV_LINK_MODE"),
    *("UV_NO_DEFAULT_GROUPS", "UV_DEV", "UV_NO_GROUP"),  # an artifact names its groups
    *("UV_PROJECT", "UV_WORKING_DIR", "UV_WORKING_DIRECTORY"),  # uv runs in the project that is packaged
)


@dataclass(frozen=True, slots=True)
class Completed:
    """How a run of uv ended."""

    returncode: int
    stdout: str
    stderr: str


def lock_command() -> tuple[str, ...]:
    return ("lock", "--no-python-downloads")


def export_command(locked: Locked) -> tuple[str, ...]:
    """The project's lock as a pylock.toml (PEP 751): every file of every distribution with its hash.

    ``--locked`` fails on a stale lock instead of rewriting it; nothing is written into the project.
    """
    argv = ["export", "--locked", "--format", "pylock.toml", "--no-header", "--no-emit-project"]
    argv += ["--no-editable", "--no-default-groups", "--no-python-downloads"]
    if locked.package is not None:
        argv.append(f"--package={locked.package}")
    argv += [f"--extra={extra}" for extra in locked.extras]
    argv += [f"--group={group}" for group in locked.groups]
    argv += [f"--only-group={group}" for group in locked.only_groups]
    return tuple(argv)


def export_script_command(script: str) -> tuple[str, ...]:
    """The lock of a script (PEP 723), ``NAME.py.lock`` beside it, as a pylock.toml."""
    return (
        *("export", f"--script={script}", "--locked", "--format", "pylock.toml", "--no-header"),
        *("--no-python-downloads",),
    )


def compile_command(
    file: str, target: Target, *, binaries: Sequence[str] = (), refresh: bool = False
) -> tuple[str, ...]:
    """Resolve requirements, or the block of a script, for one target alone, into a pylock.toml; ``-`` is stdin.

    Of what ``binaries`` names only versions with a wheel for the target are chosen; with ``refresh`` no index is taken
    to be what it was.
    """
    return (
        *("pip", "compile", "--format", "pylock.toml", "--no-header", "--quiet"),
        *("--python-version", target.runtime.python, "--python-platform", target.uv_platform),
        *(f"--only-binary={name}" for name in binaries),
        *(("--refresh",) if refresh else ()),
        *("--no-python-downloads", "--", file),
    )


def list_command(target: Target) -> tuple[str, ...]:
    """Tell all files of requirements alone, for every platform, as a pylock.toml; the requirements come on stdin."""
    return (
        *("pip", "compile", "--universal", "--no-deps", "--format", "pylock.toml", "--no-header", "--quiet"),
        *("--python-version", target.runtime.python, "--no-python-downloads", "--", "-"),
    )


def wheels_command(wheels: Sequence[str], directory: str, target: Target, *, python: str) -> tuple[str, ...]:
    """Install these wheel files into a folder: no index, no resolution, no bytecode.

    uv's cache is to lie on the folder's own disk and to go with it: what is unpacked there is linked, not copied.
    """
    return (
        *("--offline", "--no-config", "pip", "install", "--target", directory, "--link-mode", "hardlink"),
        *("--python", python, "--python-version", target.runtime.python, "--python-platform", target.uv_platform),
        *("--no-index", "--no-deps", "--no-build", "--no-installer-metadata", "--no-compile-bytecode"),
        *("--no-python-downloads", "--no-progress", "--", *wheels),
    )


def venv_command(folder: str, *, python: str) -> tuple[str, ...]:
    """Make an empty virtual environment."""
    return ("--offline", "--no-config", "venv", "--no-project", "--no-python-downloads", "--python", python, folder)


def equip_command(wheels: Sequence[str], *, python: str) -> tuple[str, ...]:
    """Install these wheel files into the virtual environment of an interpreter: no index, no resolution."""
    return (
        *("--offline", "--no-config", "pip", "install", "--python", python, "--no-index", "--no-deps", "--no-build"),
        *("--no-python-downloads", "--no-progress", "--", *wheels),
    )


def wheel_command(source: str, directory: str, *, python: str) -> tuple[str, ...]:
    """Build the wheel of a source tree into a folder.

    ``--no-sources``: what the project's own tool settings say of its dependencies does not matter without them.
    """
    return (
        *("build", "--wheel", "--no-sources", "--no-create-gitignore", "--python", python, "--out-dir", directory),
        *("--no-python-downloads", "--no-progress", "--", source),
    )


def tools_command(requires: Sequence[str], directory: str, *, python: str) -> tuple[str, ...]:
    """Install what a build requires into a folder, for programs that this machine runs."""
    return (
        *("pip", "install", "--target", directory, "--python", python, "--no-sources", "--quiet"),
        *("--no-installer-metadata", "--no-compile-bytecode", "--no-python-downloads", "--no-progress"),
        *("--", *requires),
    )


def newest_command(name: str, target: Target) -> tuple[str, ...]:
    """Resolve a distribution's newest version that has a wheel for the target; the requirement comes on stdin."""
    return (
        *("pip", "compile", "-", "--no-deps", f"--only-binary={name}", "--no-header", "--no-annotate", "--quiet"),
        *("--python-version", target.runtime.python, "--python-platform", target.uv_platform),
        *("--no-python-downloads",),
    )


def find_python_command(python: str) -> tuple[str, ...]:
    """Tell the path of a CPython of a language version, if this machine has one."""
    return ("python", "find", f"cpython@{python}", "--no-python-downloads", "--no-project", "--no-config")


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
    """Run uv quietly; the caller shows what it said, without secrets of the environment, when it fails."""
    import subprocess  # not where the cache tells all that uv would

    command = [os.fspath(binary), *argv]
    environ = with_pip(environ) if argv[0] == "pip" else environ
    secrets = secrets_of(environ)
    log.debug("run %s in %s", [redacted(word, secrets) for word in command], cwd)
    env = {name: value for name, value in environ.items() if name not in _OVERRIDDEN}
    env |= {"UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
    run_once = partial(
        subprocess.run, command, cwd=cwd, input=stdin, capture_output=True, text=True, encoding="utf-8", check=False
    )
    done = run_once(env=env)
    if done.returncode != 0 and _UNWRITABLE.search(done.stderr):
        # It may be uv's cache that cannot be written; without one uv has a temporary one.
        done = run_once(env=env | {"UV_NO_CACHE": "1"})
    return Completed(done.returncode, done.stdout, redacted(done.stderr, secrets))


def read_version(binary: Path, *, environ: Mapping[str, str]) -> str:
    """uv's version, ``0.13.8``."""
    done = run(binary, ("--version",), cwd=binary.parent, environ=environ)
    if done.returncode != 0:
        raise MachineError(f"{binary} does not run: {done.stderr.strip()}", hint="pip install --force-reinstall uv")
    return done.stdout.split()[1]


def failure(phase: str, stderr: str) -> LambdaBuildError:
    """The error for a run of uv that failed, by what it said: a refused hash, a network out of reach, or the build."""
    text = redacted(stderr.strip())
    message = f"{phase} failed; uv says:\n{_indented(text)}"
    if "Hash mismatch" in text:
        return PolicyError(
            message,
            hint="the file is not the one that was locked: do not use it before you know why",
            code="hash-mismatch",
        )
    if (python := _python_failure(phase, text)) is not None:
        return python
    refusing = _find_refusing_host(text)
    if refusing is not None:
        return MachineError(message, hint=login_hint(refusing), code="login")
    if any(sign in text for sign in _NETWORK_SIGNS):
        return MachineError(
            message, hint="check the network, the proxy settings and the index (uv's UV_INDEX…)", code="network"
        )
    if "No space left on device" in text:
        return MachineError(message, hint="free some disk space", code="disk-full")
    return BuildError(message)


def _python_failure(phase: str, text: str) -> MachineError | None:
    """Where uv finds no interpreter, or one that does not run: pyenv has shims for versions that are not chosen."""
    if "No interpreter found" in text:
        return MachineError(
            f"{phase} failed; uv says:\n{_indented(text)}",
            hint="install that Python (for example with uv python install X.Y): uv reads the lock with it",
        )
    broken = _BROKEN_PYTHON.search(text)
    if broken is None:
        return None
    version = re.search(r"\d+\.\d+$", broken[1])
    wanted, some = (f" {version[0]}",) * 2 if version else ("", " VERSION")
    return MachineError(
        f"{phase} takes a Python{wanted}; the first that uv finds, {broken[1]}, does not run:\n{_indented(text)}",
        hint=f"uv python install{wanted} brings one; with pyenv: pyenv install{some}, and pyenv local{some}; or name "
        "one that runs: UV_PYTHON=PATH",
    )


_BROKEN_PYTHON = re.compile(r"Querying Python at `([^`]+)` failed")
_NETWORK_SIGNS = (
    "error sending request",
    "dns error",
    "Failed to fetch",
    "Request failed after",
    "error trying to connect",
    "operation timed out",
    "Network connectivity is disabled",
    "the network was disabled",
)


def _find_refusing_host(text: str) -> str | None:
    """Who let uv not in, if that is what it says."""
    refusal = next((line for line in text.splitlines() if "401 Unauthorized" in line or "403 Forbidden" in line), None)
    if refusal is None:
        return None
    url = re.search(r"https?://(?:[^\s()/]*@)?([^\s()/]+)", refusal)
    return url[1] if url else "the index"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
