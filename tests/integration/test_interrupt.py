"""Ctrl-C and SIGTERM at each step: the exit code, the old artifacts intact, and nothing left behind."""

import hashlib
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import docker
import docker.errors
import pytest

from lambdabuild.builders.container import sleeper
from lambdabuild.builders.owner import this_run
from lambdabuild.builders.ownership import LABEL
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
        "fetching 2 files",
        "building docopt 0.6.2 from source",
        "installing 2 distributions for python3.13 x86_64 in the image",
        "reading wheels",
        "comparing what was installed",
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
    assert list(output.glob(".lambdabuild*")) == []
    assert [path.name for path in cache.glob("v*/*") if path.name.startswith("lambdabuild-scratch-")] == []


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
    assert left_by(docker_client, process) != []
    assert fingerprint(output) == before
    assert len(list(output.glob(".lambdabuild-*"))) == 1
    lambdabuild("layer", "--builder", "docker", "--project", project, env=cold)
    assert left_by(docker_client, process) == []
    assert fingerprint(output) == before
    assert list(output.glob(".lambdabuild*")) == []


_RUNS = 3
"""The engine may still make what the killed run had asked for when the first of these has looked."""


@pytest.mark.parametrize("rerun", [["layer", "--builder", "docker", "--project"], ["cache", "prune"]])
def test_what_a_killed_run_left_is_removed_by_any_later_one(
    rerun: list[str],
    project: Path,
    environ: Mapping[str, str],
    lambdabuild: Callable,
    docker_client: docker.DockerClient,
) -> None:
    """Also by one that installs nothing, and is unchanged."""
    build = ["layer", "--builder", "docker", "--project", project]
    lambdabuild(*build)
    command = [sys.executable, "-m", "lambdabuild", "verify", "--project", project]
    process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
    while len(left_by(docker_client, process)) == 0:
        assert process.poll() is None
    process.kill()
    process.communicate(timeout=60)
    assert len(left_by(docker_client, process)) > 0
    for _ in range(_RUNS):
        done = lambdabuild(*(build if rerun[0] == "layer" else rerun))
        if rerun[0] == "layer":
            assert ", unchanged, " in done.stdout
        if not left_by(docker_client, process):
            break
    assert left_by(docker_client, process) == []


def test_containers_of_another_namespace_are_let_alone(
    project: Path, lambdabuild: Callable, docker_client: docker.DockerClient, image_for: Callable, tmp_path: Path
) -> None:
    """Two runs in containers that share the host's name, its kernel and its engine; and one that nobody remembers."""
    others = replace(this_run(), namespace="pid:[1]", pid=2**22 + 1, started="1")
    labels = {LABEL: "run", f"{LABEL}.owner": others.text}
    entrypoint = sleeper("/var/lang/bin/python3.13")
    container = docker_client.containers.create(image_for("3.13"), entrypoint=entrypoint, init=True, labels=labels)
    try:
        container.start()
        cold = {"LAMBDABUILD_CACHE_DIR": str(tmp_path)}
        lambdabuild("layer", "--builder", "docker", "--project", project, "--output", tmp_path / "out", env=cold)
        container.reload()
        assert container.status == "running"
        container.remove(force=True)
    finally:
        with suppress(docker.errors.NotFound):
            container.remove(force=True)


def left_by(client: docker.DockerClient, process: subprocess.Popen[str]) -> list[str]:
    containers = client.containers.list(
        all=True, filters={"name": f"lambdabuild-{process.pid}-"}, sparse=True, ignore_removed=True
    )
    return [container.id for container in containers]


def fingerprint(output: Path) -> dict[str, str]:
    """The artifacts; the lock and the stage of a killed build have names that begin with a dot."""
    files = (path for path in output.iterdir() if path.is_file() and not path.name.startswith("."))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
