"""The interpreter of this machine that makes a runtime's bytecode: any CPython of its language version."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lambdabuild import uv
from lambdabuild.builders.transforms import ENVIRONMENT
from lambdabuild.errors import MachineError
from lambdabuild.model.target import Runtime

_TELL = "import sys; print(sys.implementation.name, sys.version.split()[0] + sys.abiflags)"


def find_interpreter(runtime: Runtime, binary: Path, *, environ: Mapping[str, str]) -> tuple[Path, str]:
    """An interpreter and its full version: this program's own, else one that uv finds; nothing is downloaded.

    A release alone will do, because what comes before it may have another bytecode. Raises MachineError without one.
    """
    for path in _candidates(runtime, binary, environ):
        told = run_python([str(path), "-I", "-S", "-c", _TELL])
        if re.fullmatch(rf"cpython {re.escape(runtime.python)}\.\d+\n", told.stdout):
            return path, told.stdout.split()[1]
    raise MachineError(
        f'bytecode = "compile" for {runtime.name} takes a CPython {runtime.python}, and this machine has none',
        hint=f"install one (uv python install {runtime.python}), or build in the Lambda image (--builder docker)",
    )


def run_python(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run an interpreter with nothing of this program's environment."""
    return subprocess.run(
        list(argv), env=ENVIRONMENT, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False
    )


def _candidates(runtime: Runtime, binary: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    if f"{sys.version_info.major}.{sys.version_info.minor}" == runtime.python:
        yield Path(sys.executable)
    done = uv.run(binary, uv.find_python_command(runtime.python), cwd=Path(binary.anchor), environ=environ)
    if done.returncode == 0:
        yield Path(done.stdout.strip())
