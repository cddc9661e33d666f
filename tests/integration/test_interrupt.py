"""Ctrl-C and SIGTERM at each step: the exit code, the old artifacts intact, and nothing left behind."""

import hashlib
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import docker
import pytest

from tests.signals import LAST, STATUS


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, lambdabuild: Callable) -> Path:
    folder = tmp_path_factory.mktemp("interrupted") / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "project"\nversion = "1"\nrequires-python = ">=3.10"\n'
        'dependencies = ["docopt==0.6.2", "pyarrow==22.0.0"]\n[tool.lambdabuild]\npython = "3.13"\n'
    )
    lambdabuild("layer", "--project", folder, "--lock", "--builder", "docker")
    return folder


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "step",
    [
        "reading the lock",
        "installing 1 distribution for python3.13 x86_64 in the image",
        "building docopt 0.6.2 from source",
        "writing archives",
        "trying 2 modules in the python3.13 image",
    ],
)
def test_interrupted(
    step: str, number: signal.Signals, project: Path, environ: Mapping[str, str], tmp_path: Path
) -> None:
    output = project / "dist" / "lambda"
    before = fingerprint(output)
    cache = tmp_path / "cache"
    process = subprocess.Popen(
        [sys.executable, "-m", "lambdabuild", "layer", "--builder", "docker", "--project", project],
        env={**environ, "LAMBDABUILD_CACHE_DIR": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line == f"{step} …\n":
            process.send_signal(number)
            break
    _, rest = process.communicate(timeout=60)
    assert process.returncode == STATUS[number], rest
    assert rest.splitlines()[-1] == LAST[number]
    assert fingerprint(output) == before
    assert list(output.glob(".lambdabuild-*")) == []
    assert [path.name for path in cache.glob("v2/*") if path.name.startswith("scratch-")] == []


def test_what_a_killed_build_left_is_removed_by_the_next(
    project: Path, environ: Mapping[str, str], lambdabuild: Callable, docker_client: docker.DockerClient, tmp_path: Path
) -> None:
    output = project / "dist" / "lambda"
    before = fingerprint(output)
    cold = {"LAMBDABUILD_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "lambdabuild", "layer", "--builder", "docker", "--project", project]
    process = subprocess.Popen(command, env={**environ, **cold}, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("installing "):
            process.kill()
            break
    process.communicate(timeout=60)

    def left() -> list[str]:
        containers = docker_client.containers.list(all=True, filters={"name": f"lambdabuild-{process.pid}-"})
        return [container.name for container in containers]

    assert len(left()) == 1
    assert fingerprint(output) == before
    assert len(list(output.glob(".lambdabuild-*"))) == 1
    lambdabuild("layer", "--builder", "docker", "--project", project, env=cold)
    assert left() == []
    assert fingerprint(output) == before
    assert list(output.glob(".lambdabuild-*")) == []


def fingerprint(output: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in output.iterdir() if path.is_file()}
