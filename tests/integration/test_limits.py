"""What a container may take: a limit of memory and of processors, and what happens to what wants more memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import docker
import docker.errors
import pytest

from lambdabuild.builders.memory import limits

LIMIT = 100_000_000
GREEDY = f"""
import os, re, time

def limit():
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        if os.path.exists(path):
            text = open(path).read().strip()
            return int(text) if text.isdigit() else 1 << 62
    return 0

def take():
    while limit() > {LIMIT}:
        time.sleep(0.01)
    taken = []
    while True:
        taken.append(bytearray(b"x" * 1_000_000))
"""
BACKEND = """
import base64, hashlib, os, zipfile
from greed import take

def build_wheel(folder, config_settings=None, metadata_directory=None):
    PLAN
    name = "greedy-1.0-py3-none-any.whl"
    files = {
        "greedy.py": "",
        "greedy-1.0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: greedy\\nVersion: 1.0\\n",
        "greedy-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    hashes = {path: hashlib.sha256(text.encode()).digest() for path, text in files.items()}
    rows = [f"{path},sha256={base64.urlsafe_b64encode(one).decode().rstrip('=')}," for path, one in hashes.items()]
    files["greedy-1.0.dist-info/RECORD"] = "\\n".join([*rows, "greedy-1.0.dist-info/RECORD,,", ""])
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
"""
IN_A_CHILD = "os.waitpid(os.fork() or take(), 0)"


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Path]:
    def make(plan: str, handler: str) -> Path:
        files = {
            "pyproject.toml": (
                '[project]\nname = "project"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = ["greedy"]\n'
                '[tool.uv.sources]\ngreedy = { path = "greedy" }\n[tool.lambdabuild]\npython = "3.13"\n'
                '[tool.lambdabuild.functions.api]\nhandler = "app.handler"\n'
            ),
            "app.py": handler,
            "greedy/pyproject.toml": (
                '[project]\nname = "greedy"\nversion = "1.0"\n'
                '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
            ),
            "greedy/backend.py": BACKEND.replace("PLAN", plan),
            "greedy/greed.py": GREEDY,
        }
        for name, text in files.items():
            (tmp_path / "project" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "project" / name).write_text(text)
        return tmp_path / "project"

    return make


def build(
    project: Path, environ: Mapping[str, str], client: docker.DockerClient, *, until: str, options: tuple[str, ...] = ()
) -> tuple[int, str]:
    """Build, with less memory for the containers that are there from a line of progress on."""
    argv = [sys.executable, "-m", "lambdabuild", "package", "--builder", "docker", "--lock", "--project", project]
    pipe = subprocess.PIPE
    with (
        subprocess.Popen([*argv, *options], env=environ, stderr=pipe, text=True) as process,
        ThreadPoolExecutor() as pool,
    ):
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if line.startswith(until):
                limiting = pool.submit(limit_memory, client, process)
        code = process.wait()
        assert until in said, said
        assert limiting.result() > 0
    return code, said


def limit_memory(client: docker.DockerClient, process: subprocess.Popen[str]) -> int:
    """Of every container of the process, until that ends; gives how many there were."""
    limited: set[str] = set()
    filters = {"name": f"lambdabuild-{process.pid}-", "status": "running"}
    while process.poll() is None:
        for container in client.containers.list(filters=filters, ignore_removed=True):
            if container.id not in limited:
                memory, cpus = (container.attrs["HostConfig"][name] for name in ("Memory", "NanoCpus"))
                assert 0 < memory <= client.info()["MemTotal"]
                assert cpus == limits(client)["nano_cpus"] > 0
                with suppress(docker.errors.APIError):  # it is removed just now
                    container.update(mem_limit=LIMIT, memswap_limit=LIMIT)
                limited.add(container.id)
    return len(limited)


@pytest.mark.parametrize("plan", ["take()", IN_A_CHILD])
def test_a_build_that_wants_more_memory(
    plan: str, project: Callable[..., Path], environ: Mapping[str, str], docker_client: docker.DockerClient
) -> None:
    folder = project(plan, "def handler(event, context):\n    return 1\n")
    code, said = build(folder, environ, docker_client, until="building greedy")
    assert (code, said[said.index("error: ") :]) == (
        1,
        "error: building greedy: out of memory (limit 100.0 MB)\n"
        "  hint: let it take less, or give the Docker Engine more memory\n",
    )
    assert not (folder / "dist").exists()


def test_an_import_that_wants_more_memory(
    project: Callable[..., Path], environ: Mapping[str, str], docker_client: docker.DockerClient
) -> None:
    handler = GREEDY + "take()\ndef handler(event, context):\n    return 1\n"
    code, said = build(project("", handler), environ, docker_client, until="trying ", options=("--verify",))
    assert (code, said[said.index("error: ") :]) == (
        1,
        "error: importing app.handler in the sandbox: out of memory (limit 100.0 MB)\n"
        "  hint: let it take less, or give the Docker Engine more memory\n",
    )
