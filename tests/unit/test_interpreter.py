"""builders.interpreter: which Python of this machine makes a runtime's bytecode."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from lambdabuild.builders.interpreter import find_interpreter
from lambdabuild.errors import MachineError
from lambdabuild.uv import find_binary
from tests.samples import RUNTIMES, runtime

OWN = f"{sys.version_info.major}.{sys.version_info.minor}"
OTHER = next(one.python for one in RUNTIMES if one.python != OWN)


def program(path: Path, told: str) -> Path:
    """A program that says one thing, whatever it is asked."""
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho '{told}'\n")
    path.chmod(0o755)
    return path


def test_the_own_one(tmp_path: Path) -> None:
    found = find_interpreter(runtime(OWN), tmp_path / "no-uv", environ={})
    assert found == (Path(sys.executable), platform.python_version())


def test_none(tmp_path: Path) -> None:
    environ = {"PATH": "", "HOME": str(tmp_path), "UV_PYTHON_INSTALL_DIR": str(tmp_path)}
    with pytest.raises(MachineError) as caught:
        find_interpreter(runtime(OTHER), find_binary(), environ=environ)
    assert str(caught.value) == (
        f'bytecode = "compile" for python{OTHER} takes a CPython {OTHER}, and this machine has none\n'
        f"  hint: install one (uv python install {OTHER}), or build in the Lambda image (--builder docker)"
    )


@pytest.mark.parametrize("told", [f"cpython {OTHER}.0rc1", f"cpython {OTHER}.0t", "cpython 3.1.1", f"pypy {OTHER}.0"])
def test_one_that_makes_other_bytecode(tmp_path: Path, told: str) -> None:
    uv = program(tmp_path / "bin" / "uv", str(program(tmp_path / "python" / "python", told)))
    with pytest.raises(MachineError):
        find_interpreter(runtime(OTHER), uv, environ={})


def test_one_that_uv_finds(tmp_path: Path) -> None:
    python = program(tmp_path / "python" / "python", f"cpython {OTHER}.2")
    uv = program(tmp_path / "bin" / "uv", str(python))
    assert find_interpreter(runtime(OTHER), uv, environ={}) == (python, f"{OTHER}.2")
