"""The classic doors: thin, and the same as the command."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD_LAYER = (sys.executable, ROOT / "scripts" / "build_layer.py")
PACKAGE_LAMBDA = (ROOT / "scripts" / "package_lambda.sh",)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A function and a layer of code, without dependencies: nothing is resolved or installed."""
    folder = tmp_path / "project"
    (folder / "common").mkdir(parents=True)
    (folder / "common" / "__init__.py").write_text("ANSWER = 42\n")
    (folder / "app.py").write_text("from common import ANSWER\ndef handler(event, context):\n    return ANSWER\n")
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "project"\nversion = "1"\nrequires-python = ">=3.11"\n'
        '[tool.lambdabuild.layers.shared]\ncode = ["common"]\n'
        '[tool.lambdabuild.functions.api]\nhandler = "app.handler"\n'
    )
    return folder


def run(command: tuple[object, ...], *argv: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "LAMBDABUILD_CACHE_DIR": str(cwd.parent / "cache"), **variables}
    done = subprocess.run(
        [*map(str, command), *argv], cwd=cwd, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_build_layer(project: Path) -> None:
    run(BUILD_LAYER, "--output", "out", "--skip-validation", cwd=project)
    assert names(project / "out") == ["manifest.json", "shared.zip"]
    with zipfile.ZipFile(project / "out" / "shared.zip") as archive:
        assert archive.namelist() == ["python/common/__init__.py"]


def test_package_lambda(project: Path) -> None:
    run(PACKAGE_LAMBDA, cwd=project, OUTPUT_DIR="out", PYTHON_VERSION="3.12")
    assert names(project / "out") == ["api.zip", "manifest.json", "shared.zip"]
    assert '"runtime": "python3.12"' in (project / "out" / "manifest.json").read_text()
    (project / "out" / "mine.txt").write_text("not lambdabuild's")
    run(PACKAGE_LAMBDA, "--fat", "--clean", cwd=project, OUTPUT_DIR="out")
    assert names(project / "out") == ["api-fat.zip", "manifest.json", "mine.txt"]
    with zipfile.ZipFile(project / "out" / "api-fat.zip") as archive:
        assert archive.namelist() == ["app.py", "common/__init__.py"]


def test_the_doors_and_the_command_make_the_same(project: Path) -> None:
    run(PACKAGE_LAMBDA, "--layer", cwd=project, OUTPUT_DIR="door")
    run((sys.executable, "-m", "lambdabuild"), "package", "--output", "command", cwd=project)
    made = {
        folder: {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (project / folder).glob("*.zip")}
        for folder in ("door", "command")
    }
    assert made["door"] == made["command"]
    assert set(made["door"]) == {"api.zip", "shared.zip"}


@pytest.mark.skipif(sys.platform != "linux", reason="the development environment has Task for Linux alone")
def test_the_taskfile_has_its_targets() -> None:
    task = Path(sys.executable).with_name("task")
    done = subprocess.run([task, "--list-all", "--silent"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    targets = {"build:lambda", "build:lambda-fat", "build:layer", "validate:layer", "test", "lint"}
    assert targets <= set(done.stdout.split())
