"""What the tests on a real Docker Engine share. Every test in this folder is marked ``engine``."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import pytest

from lambdabuild.builders.owner import is_no_more
from lambdabuild.builders.ownership import LABEL

ROOT = Path(__file__).resolve().parents[2]

Lambdabuild = Callable[..., subprocess.CompletedProcess[str]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.engine)


@pytest.fixture(scope="session")
def image_template() -> str:
    template = os.environ.get("LAMBDABUILD_TEST_IMAGE")
    if not template:
        pytest.fail("LAMBDABUILD_TEST_IMAGE is not set: run scripts/test, or leave these out with -m 'not engine'")
    return template


@pytest.fixture(scope="session")
def docker_client(image_template: str) -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    client.ping()
    yield client
    client.close()


@pytest.fixture(scope="session")
def image_for(image_template: str) -> Callable[[str], str]:
    return lambda python: image_template.format(python=python, architecture="x86_64")


@pytest.fixture(scope="session")
def environ(image_template: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a build: the tests' image and a cache of the session's own."""
    cache = tmp_path_factory.mktemp("cache")
    return {**os.environ, "LAMBDABUILD_IMAGE": image_template, "LAMBDABUILD_CACHE_DIR": str(cache)}


@pytest.fixture(scope="session")
def lambdabuild(environ: Mapping[str, str]) -> Lambdabuild:
    """Runs the command as a user does, in a process of its own."""

    def run(*argv: object, cwd: Path | None = None, env: Mapping[str, str] | None = None, code: int = 0):
        done = subprocess.run(
            [sys.executable, "-m", "lambdabuild", *map(str, argv)],
            cwd=cwd,
            env={**environ, **(env or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run


@pytest.fixture(scope="session")
def spectra(tmp_path_factory: pytest.TempPathFactory, lambdabuild: Lambdabuild) -> Path:
    """A locked copy of examples/spectra."""
    project = tmp_path_factory.mktemp("spectra") / "spectra"
    ignored = shutil.ignore_patterns("dist", ".venv", "uv.lock", "__pycache__", ".*_cache")
    shutil.copytree(ROOT / "examples" / "spectra", project, ignore=ignored)
    subprocess.run([sys.executable, "-m", "uv", "lock", "--quiet", "--project", project], check=True)
    return project


@pytest.fixture(autouse=True)
def no_residue(docker_client: docker.DockerClient) -> Iterator[None]:
    """No test leaves a container or a nameless volume behind; those of builds that still run are theirs."""
    before = _left(docker_client)
    yield
    left = _left(docker_client) - before
    if left:  # a build of somebody else may have ended after the listing, and before the look at its process
        left &= _left(docker_client)
    assert not left, "left behind on the engine"


def _left(client: docker.DockerClient) -> set[str]:
    """The names of what builds left that run no more."""
    filters = {"label": f"{LABEL}=run"}
    containers = client.containers.list(all=True, filters=filters, ignore_removed=True)
    volumes = client.volumes.list(filters=filters)
    return {thing.name for thing, labels in _labelled(containers, volumes) if is_no_more(labels[f"{LABEL}.owner"])}


def _labelled(containers: list[Any], volumes: list[Any]) -> Iterator[tuple[Any, dict[str, str]]]:
    yield from ((container, container.labels) for container in containers)
    yield from ((volume, volume.attrs["Labels"]) for volume in volumes)
