"""The commands of lambdabuild's ancestor, to the letter: its scripts and its tasks in projects that copied them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.index import Index
from tests.shop import Ended, Shop, make_shop
from tests.unit.test_cli import GREET, SHOUT

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = """\
[project]
name = "spectra"
version = "0.1"
requires-python = ">=3.10"
dependencies = ["greet"]

[tool.lambdabuild]
python = "3.13"

[tool.lambdabuild.functions.api-handler]
handler = "spectra.api.handler"
source = "src"

[tool.lambdabuild.functions.worker]
handler = "spectra.worker.handler"
source = "src"
"""
SOURCES = {
    "pyproject.toml": PYPROJECT,
    "src/spectra/__init__.py": "",
    "src/spectra/api.py": "import greet\n\ndef handler(event, context):\n    return greet.hello('you')\n",
    "src/spectra/worker.py": "def handler(event, context):\n    return None\n",
}
LAYER = ["layer.zip", "manifest.json"]
SLIM = ["api-handler.zip", "layer.zip", "manifest.json", "worker.zip"]
FAT = ["api-handler-fat.zip", "manifest.json", "worker-fat.zip"]
linux = pytest.mark.skipif(sys.platform != "linux", reason="the development environment has Task for Linux alone")


@dataclass(frozen=True)
class Project:
    """A project laid out as the ancestor is: src/, and the scripts and the Taskfile beside it."""

    folder: Path
    shop: Shop

    def run(self, *argv: str | Path, cwd: Path | None = None, **environ: str) -> Ended:
        done = subprocess.run(
            argv,
            cwd=cwd or self.folder,
            env={**self.shop.environ, "LAMBDABUILD_BUILDER": "host", **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def done(self, *argv: str | Path, cwd: Path | None = None, **environ: str) -> Ended:
        ended = self.run(*argv, cwd=cwd, **environ)
        assert ended.code == 0, ended.err
        return ended

    def made(self, folder: str = "dist/lambda") -> list[str]:
        return sorted(path.name for path in (self.folder / folder).iterdir() if not path.name.startswith("."))


def copy_doors(folder: Path, *files: str) -> None:
    for file in ("scripts/build_layer.py", "scripts/package_lambda.sh", "Taskfile.yml", *files):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, folder / file)


@pytest.fixture
def project(tmp_path: Path, index: Index) -> Project:
    index.add(GREET)
    index.add(SHOUT)
    shop = make_shop(tmp_path, index).write(SOURCES).lock()
    copy_doors(shop.project)
    return Project(shop.project, shop)


# scripts/build_layer.py


def test_build_layer(project: Project) -> None:
    project.done("python", "scripts/build_layer.py")
    assert project.made() == LAYER
    project.done("python", "scripts/build_layer.py", "--output", "build", "--skip-validation")
    assert project.made("build") == LAYER
    project.done("python", "scripts/build_layer.py", OUTPUT_DIR="other", PYTHON_VERSION="3.12")
    assert project.made("other") == LAYER
    (artifact,) = json.loads((project.folder / "other" / "manifest.json").read_text())["artifacts"]
    assert artifact["runtime"] == "python3.12"


def test_build_layer_into_a_file(project: Project) -> None:
    """After it every other command works as before."""
    project.done("python", "scripts/build_layer.py", "--output", "dist/lambda/layer.zip")
    assert zipfile.is_zipfile(project.folder / "dist" / "lambda" / "layer.zip")
    project.done("python", "scripts/build_layer.py", "--output", "dist/lambda/layer.zip", "--skip-validation")
    project.done("scripts/package_lambda.sh")
    assert project.made() == SLIM


# scripts/package_lambda.sh


def test_package_lambda(project: Project) -> None:
    project.done("scripts/package_lambda.sh")
    assert project.made() == SLIM
    project.done("scripts/package_lambda.sh", "--layer")
    assert project.made() == SLIM
    (project.folder / "dist" / "lambda" / "mine.txt").write_text("not lambdabuild's")
    project.done("scripts/package_lambda.sh", "--fat", "--clean")
    assert project.made() == sorted([*FAT, "mine.txt"])
    project.done("scripts/package_lambda.sh", "--layer", "--clean")
    assert project.made() == sorted([*SLIM, "mine.txt"])


def test_package_lambda_and_its_variables(project: Project) -> None:
    project.done("scripts/package_lambda.sh", "--fat", "worker", OUTPUT_DIR="some where", PYTHON_VERSION="3.12")
    assert project.made("some where") == ["manifest.json", "worker-fat.zip"]
    (artifact,) = json.loads((project.folder / "some where" / "manifest.json").read_text())["artifacts"]
    assert (artifact["runtime"], artifact["builder"]) == ("python3.12", "host")
    ended = project.run("scripts/package_lambda.sh", LAMBDABUILD_BUILDER="cloud")
    assert (ended.code, 'LAMBDABUILD_BUILDER: "cloud"' in ended.err) == (2, True)


def test_the_doors_and_the_command_make_the_same(project: Project) -> None:
    project.done("scripts/package_lambda.sh", OUTPUT_DIR="door")
    project.done("lambdabuild", "package", "--output", "command")
    for file in SLIM:
        assert (project.folder / "door" / file).read_bytes() == (project.folder / "command" / file).read_bytes()


# Both


@pytest.mark.parametrize("script", ["build_layer.py", "package_lambda.sh"])
def test_help_is_of_the_door_itself(script: str, tmp_path: Path) -> None:
    command = ["sh"] if script.endswith(".sh") else [sys.executable]
    for word in ("--help", "-h"):
        done = subprocess.run(
            [*command, ROOT / "scripts" / script, "--clean", word],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.startswith(f"Usage: {script} [")
        for told in ("--skip-validation" if script == "build_layer.py" else "--fat", "PYTHON_VERSION", "OUTPUT_DIR"):
            assert f"\n  {told} " in done.stdout
        assert done.stderr == ""


def test_the_project_is_found_from_where_the_script_lies(project: Project, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    project.done("python", project.folder / "scripts" / "build_layer.py", cwd=elsewhere)
    assert project.made() == LAYER
    project.done(project.folder / "scripts" / "package_lambda.sh", cwd=elsewhere)
    assert project.made() == SLIM
    project.done("../scripts/package_lambda.sh", cwd=project.folder / "src", OUTPUT_DIR="here")
    assert project.made("src/here") == SLIM


@pytest.mark.parametrize("door", [["python", "scripts/build_layer.py"], ["scripts/package_lambda.sh"]])
def test_a_stale_lock_is_not_renewed(project: Project, door: list[str]) -> None:
    project.shop.write({"pyproject.toml": PYPROJECT.replace('["greet"]', '["greet", "shout"]')})
    before = (project.folder / "uv.lock").read_bytes()
    ended = project.run(*door)
    assert (ended.code, "uv.lock is older than what pyproject.toml asks for" in ended.err) == (3, True)
    assert (project.folder / "uv.lock").read_bytes() == before
    project.done(*door, "--lock")
    assert (project.folder / "uv.lock").read_bytes() != before


@pytest.mark.parametrize("script", ["build_layer.py", "package_lambda.sh"])
def test_where_lambdabuild_is_not_installed(tmp_path: Path, script: str) -> None:
    copy_doors(tmp_path)
    python = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    command = ["/bin/sh"] if script.endswith(".sh") else [python]
    path = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [*command, tmp_path / "scripts" / script], env=path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 4
    assert done.stderr.startswith(f"{script}: lambdabuild is neither in {tmp_path / '.venv' / 'bin'}")


# task


@linux
def test_the_tasks(project: Project) -> None:
    for task in ("build:layer", "build:lambda"):
        project.done("task", task)
        assert project.made() == SLIM
        shutil.rmtree(project.folder / "dist")
    project.done("task", "build:lambda-fat")
    assert project.made() == FAT
    project.done("task", "build:layer", "--", "--clean")
    assert project.made() == SLIM
    validated = project.done("task", "validate:layer")
    assert "of 52,428,800 bytes zipped" in validated.out
    assert "of 262,144,000 unzipped" in validated.out


@linux
def test_the_variables_of_the_tasks(project: Project) -> None:
    project.done("task", "build:layer", OUTPUT_DIR="some where", PYTHON_VERSION="3.12")
    assert project.made("some where") == SLIM
    assert '"runtime": "python3.12"' in (project.folder / "some where" / "manifest.json").read_text()
    project.done("task", "build:lambda-fat", "OUTPUT_DIR=some where", "PYTHON_VERSION=3.11", "--", "worker")
    assert project.made("some where") == sorted([*SLIM, "worker-fat.zip"])
    project.done("task", "validate:layer", OUTPUT_DIR="some where")
    assert not (project.folder / "dist").exists()
    assert project.run("task", "build:layer", "LAMBDABUILD_BUILDER=cloud").code != 0


@linux
def test_no_task_renews_a_lock_unasked(project: Project) -> None:
    project.shop.write({"pyproject.toml": PYPROJECT.replace('["greet"]', '["greet", "shout"]')})
    before = (project.folder / "uv.lock").read_bytes()
    for task in ("build:layer", "build:lambda", "build:lambda-fat"):
        assert "uv.lock is older than what pyproject.toml asks for" in project.run("task", task).err
    assert (project.folder / "uv.lock").read_bytes() == before
    project.done("task", "build:layer", "--", "--lock")


# The checkout of lambdabuild, whose project for Lambda is its example


@pytest.fixture
def checkout(project: Project, tmp_path: Path) -> Project:
    folder = tmp_path / "checkout"
    (folder / "examples").mkdir(parents=True)
    shutil.copytree(project.folder, folder / "examples" / "spectra", ignore=shutil.ignore_patterns("scripts", "Task*"))
    (folder / "pyproject.toml").write_text('[project]\nname = "lambdabuild"\nversion = "1"\n')
    copy_doors(folder, "Taskfile.dev.yml", ".task.env")
    (folder / "scripts" / "venv.sh").write_text('#!/bin/sh\nmkdir -p .venv && ln -sfn "$BIN" .venv/bin\n')
    (folder / "scripts" / "venv.sh").chmod(0o755)
    project.shop.environ["BIN"] = str(Path(sys.executable).parent)
    return Project(folder, project.shop)


def test_the_scripts_in_the_checkout(checkout: Project, tmp_path: Path) -> None:
    made = "examples/spectra/dist/lambda"
    checkout.done("python", "scripts/build_layer.py", "--output", f"{made}/layer.zip")
    assert checkout.made(made) == LAYER
    checkout.done("scripts/package_lambda.sh")
    assert checkout.made(made) == SLIM
    checkout.done(checkout.folder / "scripts" / "package_lambda.sh", "--fat", "--clean", cwd=tmp_path)
    assert checkout.made(made) == FAT


@linux
def test_the_tasks_in_the_checkout(checkout: Project) -> None:
    checkout.done("task", "build:layer")
    assert checkout.made("examples/spectra/dist/lambda") == SLIM
    checkout.done("task", "validate:layer")
    assert {"test", "lint", "bench"} <= set(checkout.done("task", "--list-all", "--silent").out.split())


@linux
def test_the_checkout_has_all_tasks() -> None:
    task = Path(sys.executable).with_name("task")
    done = subprocess.run([task, "--list-all", "--silent"], cwd=ROOT, capture_output=True, text=True, check=True)
    targets = {"build:lambda", "build:lambda-fat", "build:layer", "validate:layer", "setup", "test", "lint", "lock:dev"}
    assert targets <= set(done.stdout.split())
