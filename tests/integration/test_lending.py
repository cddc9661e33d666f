"""builders.container: what a container is lent it can read and not change, and without it everything works as well."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from lambdabuild.builders import execution
from lambdabuild.builders.container import Container, running
from lambdabuild.builders.engine import Engine
from lambdabuild.builders.execution import Ran
from lambdabuild.builders.handover import Handover, UvInside
from lambdabuild.builders.ownership import LABEL, owner_labels
from lambdabuild.builders.wheelhouse import Wheelhouse, loans
from lambdabuild.uv import find_binary
from lambdabuild.wheels.wheelfile import WheelFile
from tests.removals import wait_for_removals
from tests.wheels import wheel

PYTHON = "/var/lang/bin/python3.13"
UV = "/lambdabuild/uv"


@pytest.fixture
def image(image_for: Callable[[str], str]) -> str:
    return image_for("3.13")


def code(container: Container, program: str) -> str:
    """The last line that a program in the container says, of its error if it fails."""
    ran = container.run([PYTHON, "-I", "-c", program], environ={}, doing="trying")
    return (ran.stderr or ran.stdout).strip().rpartition("\n")[2]


def own_containers(client: docker.DockerClient) -> list[str]:
    wait_for_removals()
    filters = {"label": f"{LABEL}.owner={owner_labels()[f'{LABEL}.owner']}"}
    return [container.name for container in client.containers.list(all=True, filters=filters)]


def test_what_is_lent_is_read_and_not_changed(docker_client: docker.DockerClient, image: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("as it was")
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "one.whl").hardlink_to(file)
    lend = {"/lambdabuild/file": file, "/lambdabuild/wheels": wheels}
    with running(docker_client, image, python=PYTHON, lend=lend) as container:
        assert container.lent
        assert code(container, "print(open('/lambdabuild/file').read())") == "as it was"
        refused = "OSError: [Errno 30] Read-only file system: '/lambdabuild/%s'"
        assert code(container, "open('/lambdabuild/file', 'w')") == refused % "file"
        assert code(container, "print(open('/lambdabuild/wheels/one.whl').read())") == "as it was"
        assert code(container, "open('/lambdabuild/wheels/two.whl', 'w')") == refused % "wheels/two.whl"
        assert code(container, "import os; os.unlink('/lambdabuild/wheels/one.whl')") == refused % "wheels/one.whl"
        assert code(container, "import os; os.chmod('/lambdabuild/wheels/one.whl', 0)") == refused % "wheels/one.whl"
        assert code(container, "open('/lambdabuild/other', 'w')") == refused % "other"
    assert file.read_text() == "as it was"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "wheels"]
    assert [path.name for path in wheels.iterdir()] == ["one.whl"]
    assert own_containers(docker_client) == []


def test_an_engine_that_does_not_know_the_path(docker_client: docker.DockerClient, image: str, tmp_path: Path) -> None:
    lend = {"/lambdabuild/file": tmp_path / "nothing"}
    with running(docker_client, image, python=PYTHON, lend=lend) as container:
        assert not container.lent
        assert code(container, "print(1)") == "1"
        assert len(own_containers(docker_client)) == 1
    assert own_containers(docker_client) == []


def test_uv_that_may_not_be_run_is_copied(docker_client: docker.DockerClient, image: str, tmp_path: Path) -> None:
    lent = tmp_path / "uv"
    lent.write_bytes(find_binary().read_bytes())
    lent.chmod(0o644)
    with running(docker_client, image, python=PYTHON, lend={UV: lent}) as container:
        inside = UvInside(container, environ={"NO_COLOR": "1"}, lent=True, read_binary=find_binary().read_bytes)
        for _ in range(2):
            assert inside.run(["--version"], doing="asking uv").stdout.startswith("uv ")
        assert json.loads(code(container, "import json, os; print(json.dumps(os.listdir('/work')))")) == ["uv"]


def test_uv_that_may_be_run_is_not(docker_client: docker.DockerClient, image: str) -> None:
    with running(docker_client, image, python=PYTHON, lend={UV: find_binary().resolve()}) as container:
        inside = UvInside(container, environ={"NO_COLOR": "1"}, lent=True, read_binary=find_binary().read_bytes)
        assert inside.run(["--version"], doing="asking uv").stdout.startswith("uv ")
        assert inside.run(["no-such-command"], doing="asking uv").returncode == 2
        assert json.loads(code(container, "import json, os; print(json.dumps(os.listdir('/work')))")) == []


def test_uv_of_another_machine_comes_out_of_its_wheel(
    docker_client: docker.DockerClient, image: str, image_template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    made = wheel("uv", files={"uv-1.0.data/scripts/uv": find_binary().read_bytes(), "uv/__init__.py": ""})
    (tmp_path / "wheel").write_bytes(made.data)
    asked: list[str] = []

    def fetch_uv(architecture: str) -> WheelFile:
        asked.append(architecture)
        return WheelFile(path=tmp_path / "wheel", filename=made.filename)

    engine = Engine(image=image_template, environ={})
    handover = Handover(engine=engine, uv=Path("/none"), environ={}, fetch_uv=fetch_uv)
    assert handover.loans() == {}
    with running(docker_client, image, python=PYTHON, network=False) as container:
        inside = handover.uv(container, {"NO_COLOR": "1"})
        assert asked == []
        for _ in range(2):
            assert inside.run(["--version"], doing="asking uv").stdout.startswith("uv ")
        assert asked == ["x86_64"]


def test_wheels_that_may_not_be_read_are_sent(
    docker_client: docker.DockerClient, image: str, image_template: str, tmp_path: Path
) -> None:
    made = wheel("one")
    (tmp_path / "stored").write_bytes(made.data)
    folder = tmp_path / "lent"
    folder.mkdir()
    engine = Engine(image=image_template, environ={})
    handover = Handover(engine=engine, uv=find_binary(), environ={})
    read = []
    with running(docker_client, image, python=PYTHON, lend=loans(engine, handover, folder), network=False) as container:

        def install(paths: list[str]) -> Ran:
            sizes = "import os, sys; print([os.path.getsize(path) for path in sys.argv[1:]])"
            ran = container.run([PYTHON, "-I", "-c", sizes, *paths], environ={}, doing="trying")
            read.append((paths, ran.stdout))
            return Ran(int(len(read) == 1), ran.stdout, ran.stderr)

        ran = Wheelhouse(container, folder).run(
            "first", [WheelFile(path=tmp_path / "stored", filename=made.filename)], install
        )
    size = f"[{len(made.data)}]\n"
    assert ran.returncode == 0
    assert read == [
        ([f"/lambdabuild/wheels/first/{made.filename}"], size),
        ([f"/work/wheels/first/{made.filename}"], size),
    ]


def test_a_program_that_prints_without_end(
    docker_client: docker.DockerClient, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "_MOST", 1000)
    program = "print('x' * 1_000_000)\nprint('the end')"
    with running(docker_client, image, python=PYTHON, network=False) as container:
        ran = container.run([PYTHON, "-I", "-c", program], environ={}, doing="trying")
    assert ran.stdout.endswith("xxx\nthe end\n")
    assert len(ran.stdout) < 3000
