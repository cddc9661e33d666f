"""What ``builders.base.Builder`` promises, asked of every builder, the fake included.

A builder is added with a function that makes its ``Place`` and an entry in ``PLACES``. Docker is there twice: near,
where wheels are lent to the container, and far, where they are sent.
"""

from __future__ import annotations

import importlib.util
import marshal
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lambdabuild.builders.base import Builder, Laid, Transformation, Transformed, Untransformed
from lambdabuild.builders.docker import DockerBuilder
from lambdabuild.builders.engine import Engine
from lambdabuild.builders.host import HostBuilder
from lambdabuild.builders.ownership import LABEL, owner_labels
from lambdabuild.errors import BuildError
from lambdabuild.model.events import Event, ignore
from lambdabuild.model.target import Target
from lambdabuild.uv import find_binary
from lambdabuild.wheels.installed import LaidFile
from lambdabuild.wheels.wheelfile import WheelFile
from tests.contract.fake_builder import LAUNCHER, PHASE, FakeBuilder
from tests.provisioning import IMAGE
from tests.removals import wait_for_removals
from tests.samples import target
from tests.wheels import Wheel, wheel

PY313 = target()
OWN = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json")
"""What installers write into a ``.dist-info`` folder; which of them, and what, is theirs."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A builder, and what shows whether it cleans up."""

    builder: Builder
    phase: str
    """What the builder calls installing wheels."""
    left: Callable[[], list[str]]
    """What its work has left behind so far."""
    files: Path
    """Where wheels lie, named as the store names them."""
    close: Callable[[], None] = lambda: None
    """Ends its connections."""

    def file(self, wheel: Wheel) -> WheelFile:
        path = self.files / wheel.sha256
        path.write_bytes(wheel.data)
        path.chmod(0o444)
        return WheelFile(path=path, filename=wheel.filename)

    def lay_down(self, *rooms: list[Wheel], target: Target = PY313) -> list[Laid]:
        """What lies in each room, without what installers write for themselves."""
        laid = self.builder.lay_down([[self.file(one) for one in room] for room in rooms], target, listen=ignore)
        assert laid is not None
        assert len(laid) == len(rooms)
        return [{path: file for path, file in one.items() if not is_own(path)} for one in laid]


def is_own(path: str) -> bool:
    folder, _, name = path.partition("/")
    return path == ".lock" or (folder.endswith(".dist-info") and name in OWN)


def laid_file(content: str | bytes, *, executable: bool = False) -> LaidFile:
    data = content.encode() if isinstance(content, str) else content
    return LaidFile(size=len(data), executable=executable, sha256=sha256(data).hexdigest())


def files_of(*wheels: Wheel) -> dict[str, LaidFile]:
    return {
        path: laid_file(content, executable=path in one.executables)
        for one in wheels
        for path, content in one.files.items()
        if not is_own(path)
    }


def fake_place(folder: Path) -> Place:
    builder = FakeBuilder(image=IMAGE, libraries=frozenset({"libc.so.6"}))
    return Place(builder=builder, files=folder, phase=PHASE, left=lambda: ["a transformation"] * builder.open)


def host_place(folder: Path) -> Place:
    scratch = folder / "scratch"
    scratch.mkdir()

    @contextmanager
    def scratch_folder() -> Iterator[Path]:
        with TemporaryDirectory(dir=scratch) as made:
            yield Path(made)

    environ = {"HOME": str(folder), "UV_CACHE_DIR": str(folder / "uv-cache"), "UV_HTTP_RETRIES": "0"}
    return Place(
        builder=HostBuilder(uv=find_binary(), environ=environ, scratch=scratch_folder),
        files=folder,
        phase="installing on the host",
        left=lambda: [path.name for path in scratch.iterdir()],
    )


class Far(Engine):
    """An engine that nothing is lent to."""

    near = False


def docker_place(folder: Path, kind: type[Engine] = Engine) -> Place:
    template = os.environ.get("LAMBDABUILD_TEST_IMAGE")
    if not template:
        pytest.fail("LAMBDABUILD_TEST_IMAGE is not set: run scripts/test, or leave these out with -m 'not engine'")
    engines = {name: value for name, value in os.environ.items() if name.startswith("DOCKER_")}
    environ = {**engines, "HOME": str(folder), "UV_HTTP_RETRIES": "0"}
    engine = kind(image=template, environ=environ)
    scratch = folder / "scratch"
    scratch.mkdir()

    @contextmanager
    def scratch_folder() -> Iterator[Path]:
        with TemporaryDirectory(dir=scratch) as made:
            yield Path(made)

    def left() -> list[str]:
        wait_for_removals()
        filters = {"label": f"{LABEL}.owner={owner_labels()[f'{LABEL}.owner']}"}
        made = [*engine.client.containers.list(all=True, filters=filters), *engine.client.volumes.list(filters=filters)]
        return [path.name for path in scratch.iterdir()] + [str(one.name) for one in made]

    builder = DockerBuilder(engine=engine, uv=find_binary(), environ=environ, recipe={}, scratch=scratch_folder)
    return Place(
        builder=builder,
        files=folder,
        phase="installing in the container",
        left=left,
        close=engine.client.close,
    )


PLACES = {
    "fake": fake_place,
    "host": host_place,
    "docker": docker_place,
    "docker far": partial(docker_place, kind=Far),
}
"""Makers of places by name; each is given a folder of its own."""
NEEDS_NO_ENGINE = ("fake", "host")
EVERY = [name if name in NEEDS_NO_ENGINE else pytest.param(name, marks=pytest.mark.engine) for name in PLACES]
in_an_image = pytest.mark.parametrize("place", [name for name in EVERY if name != "host"], indirect=True)
"""Where there is a container, or what stands for one."""


@pytest.fixture(params=EVERY)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = PLACES[request.param](tmp_path)
    try:
        yield made
        assert made.left() == []
    finally:
        made.close()


def test_wheels_are_laid_down_where_there_is_an_image(place: Place) -> None:
    image = place.builder.image(PY313, listen=ignore)
    laid = place.builder.lay_down([[place.file(wheel("one"))]], PY313, listen=ignore)
    assert (laid is None) == (image is None)
    assert (image is None) == (place.builder.name == "host")


@in_an_image
def test_the_files_of_wheels(place: Place) -> None:
    one = wheel("one", files={"one/__init__.py": "ONE = 1\n", "one/data/ä.bin": bytes(range(256)), "one/empty": ""})
    two = wheel("two_parts", files={"two.py": "TWO = 2\n"})
    (laid,) = place.lay_down([one, two])
    assert laid == files_of(one, two)
    assert laid["two.py"] == laid_file("TWO = 2\n")
    assert laid["one/empty"] == laid_file("")


@in_an_image
def test_executable_files(place: Place) -> None:
    native = wheel("native", files={"native.so": b"\x7fELF", "native.py": ""}, executables=["native.so"])
    (laid,) = place.lay_down([native])
    assert laid == files_of(native)
    assert (laid["native.so"].executable, laid["native.py"].executable) == (True, False)


@in_an_image
@pytest.mark.parametrize("python", ["3.13", "3.11"])
def test_launchers_start_the_python_of_the_runtime(place: Place, python: str) -> None:
    tool = wheel("tool", files={"tool.py": "def main(): ...\n"}, launchers={"run-tool": "tool:main"})
    (laid,) = place.lay_down([tool], target=target(python))
    launcher = LAUNCHER.format(python=python, module="tool", function="main")
    assert laid == files_of(tool) | {"bin/run-tool": laid_file(launcher, executable=True)}


@in_an_image
def test_rooms_are_kept_apart(place: Place) -> None:
    one = wheel("one", files={"shared.py": "WHOSE = 1\n"})
    two = wheel("two", files={"shared.py": "WHOSE = 2\n"})
    newer = wheel("one", "2.0", {"shared.py": "WHOSE = 1, but newer\n"})
    assert place.lay_down([one], [two], [newer]) == [files_of(one), files_of(two), files_of(newer)]


@in_an_image
def test_where_two_wheels_meet_one_of_them_wins(place: Place) -> None:
    one = wheel("one", files={"shared.py": "WHOSE = 1\n", "one.py": ""})
    two = wheel("two", files={"shared.py": "WHOSE = 2\n", "two.py": ""})
    (laid,) = place.lay_down([one, two])
    assert laid in (files_of(one, two), files_of(two, one))


@in_an_image
@pytest.mark.parametrize(
    ("python", "architecture", "platform"), [("3.14", "arm64", "aarch64"), ("3.11", "x86_64", "x86_64")]
)
def test_wheels_for_other_machines(place: Place, python: str, architecture: str, platform: str) -> None:
    interpreter = "cp" + python.replace(".", "")
    native = wheel(
        "native", files={"native.so": platform}, tag=f"{interpreter}-{interpreter}-manylinux_2_17_{platform}"
    )
    assert place.lay_down([native], target=target(python, architecture)) == [files_of(native)]


@in_an_image
def test_an_installation_tells_that_it_begins(place: Place) -> None:
    events: list[Event] = []
    place.builder.lay_down([[place.file(wheel("one"))]], PY313, listen=events.append)
    assert "install" in {event.phase for event in events}


@in_an_image
def test_a_file_that_is_no_wheel(place: Place) -> None:
    file = place.file(wheel("one"))
    file.path.chmod(0o644)
    file.path.write_bytes(b"no archive")
    with pytest.raises(BuildError) as caught:
        place.builder.lay_down([[file]], PY313, listen=ignore)
    assert caught.value.message.startswith(f"{place.phase} failed; uv says:\n  ")
    assert place.left() == []


HERE_TARGET = target(f"{sys.version_info.major}.{sys.version_info.minor}")
"""The runtime whose bytecode this interpreter makes."""
SOURCE = b"import os\n\n\ndef where(a, b=(1, 'two')):\n    return __file__ in {'x', 'y'}\n"


def compiled(place: Place, *files: tuple[int, str, bytes]) -> dict[tuple[int, str], Transformed]:
    """What becomes of Python files, by room and path."""
    given = (Untransformed(room=room, path=path, content=content) for room, path, content in files)
    order = Transformation(kind="compile", target=HERE_TARGET, files=given)
    with place.builder.transform(order, listen=ignore) as outcome:
        assert outcome.version.startswith(f"{HERE_TARGET.runtime.python}.")
        return {(file.room, file.path): file for file in outcome.files}


def test_bytecode(place: Place) -> None:
    made = compiled(place, (0, "opt/python/one.py", SOURCE), (1, "opt/python/one.py", b"ONE = 1\n"))
    assert made.keys() == {(0, "opt/python/one.py"), (1, "opt/python/one.py")}
    content = made[0, "opt/python/one.py"].content
    assert content is not None
    # PEP 552: the magic number, flags that say "by hash, never checked", the hash of the source.
    assert content[:16] == importlib.util.MAGIC_NUMBER + b"\1\0\0\0" + importlib.util.source_hash(SOURCE)
    code = marshal.loads(content[16:])
    assert code.co_filename == "/opt/python/one.py"
    assert code == compile(SOURCE, "/opt/python/one.py", "exec", dont_inherit=True)


def test_bytecode_does_not_depend_on_other_files(place: Place) -> None:
    alone = compiled(place, (0, "var/task/a.py", SOURCE))[0, "var/task/a.py"]
    others = [(0, f"var/task/b{number}.py", SOURCE + b"x = 'where', 'two', 1.5, b'%d'\n") for number in range(20)]
    among = compiled(place, *others, (1, "var/task/a.py", SOURCE))[1, "var/task/a.py"]
    assert alone.content == among.content


def test_what_does_not_compile_has_a_note(place: Place) -> None:
    made = compiled(place, (0, "var/task/old.py", b"ok = 1\nprint 1\n"), (0, "var/task/new.py", b"print(1)\n"))
    assert made[0, "var/task/old.py"].content is None
    assert str(made[0, "var/task/old.py"].note).startswith("line 2: Missing parentheses in call to 'print'")
    assert made[0, "var/task/new.py"].note is None


def test_a_transformation_cleans_up(place: Place) -> None:
    order = Transformation(
        kind="compile", target=HERE_TARGET, files=[Untransformed(room=0, path="a.py", content=SOURCE)]
    )
    with pytest.raises(ZeroDivisionError), place.builder.transform(order, listen=ignore):
        assert place.left() != []
        raise ZeroDivisionError
    assert place.left() == []


def test_libraries_are_told_where_there_is_an_image(place: Place) -> None:
    image = place.builder.image(PY313, listen=ignore)
    libraries = place.builder.libraries(PY313, listen=ignore)
    assert libraries is None if image is None else libraries is not None and "libc.so.6" in libraries


def test_the_transformer_has_a_name(place: Place) -> None:
    named = place.builder.transformer("compile", HERE_TARGET, listen=ignore)
    assert named == place.builder.transformer("compile", HERE_TARGET, listen=ignore)


@pytest.mark.parametrize("place", ["host"], indirect=True)
def test_the_host_strips_no_symbols(place: Place) -> None:
    with pytest.raises(BuildError) as caught:
        place.builder.transformer("strip", PY313, listen=ignore)
    assert str(caught.value) == (
        "symbols for python3.13 x86_64 are stripped by its own binutils, and the host builder has none\n"
        "  hint: build in the Lambda image (--builder docker), or leave out strip-symbols"
    )
