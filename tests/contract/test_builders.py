"""What ``builders.base.Builder`` promises, asked of every builder, the fake included.

A builder is added with a function that makes its ``Place`` and an entry in ``PLACES``. Docker is there twice: near,
where the installed files come through a pipe, and far, where the engine sends them.
"""

from __future__ import annotations

import importlib.util
import marshal
import os
import platform
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import docker
import pytest

from lambdabuild.builders.base import (
    Builder,
    Installation,
    InstalledFile,
    Transformation,
    Transformed,
    Untransformed,
)
from lambdabuild.builders.docker import DockerBuilder
from lambdabuild.builders.engine import Engine
from lambdabuild.builders.host import HostBuilder
from lambdabuild.builders.ownership import LABEL, owner_labels
from lambdabuild.errors import BuildError, MachineError, PolicyError
from lambdabuild.model.events import Event, ignore
from lambdabuild.model.requirements import Pin
from lambdabuild.model.segment import parse_record
from lambdabuild.model.target import Target
from lambdabuild.model.wheels import NoWheel
from lambdabuild.uv import find_binary
from tests.bridge import find_gateway
from tests.contract.fake_builder import PHASE, FakeBuilder, hash_mismatch, unreachable
from tests.index import Index
from tests.removals import wait_for_removals
from tests.samples import RUNTIMES, target
from tests.wheels import Wheel, wheel

PY313 = target()


@dataclass(frozen=True, kw_only=True)
class Place:
    """A builder, an index that it reaches, and what shows whether it cleans up."""

    builder: Builder
    index: Index
    phase: str
    """What the builder calls installing wheels."""
    left: Callable[[], list[str]]
    """What installations have left behind so far."""
    close: Callable[[], None] = lambda: None
    """Ends its connections."""

    def pins(self, *wheels: Wheel) -> tuple[Pin, ...]:
        """Pins of wheels that the index serves."""
        return tuple(
            Pin(
                name=wheel.name.replace("_", "-"),
                version=wheel.version,
                kind="wheel",
                url=self.index.add(wheel),
                sha256=wheel.sha256,
            )
            for wheel in wheels
        )

    def local_pin(self, wheel: Wheel, folder: Path) -> Pin:
        """The pin of a wheel that lies in a folder of this machine and that no index serves."""
        path = folder / wheel.filename
        path.write_bytes(wheel.data)
        self.index.wheels[str(path)] = wheel
        return Pin(name=wheel.name, version=wheel.version, kind="wheel", path=str(path), sha256=wheel.sha256)

    def install(
        self, *rooms: tuple[Pin, ...], target: Target = PY313
    ) -> AbstractContextManager[Iterator[InstalledFile]]:
        return self.builder.install(Installation(target=target, rooms=rooms), listen=ignore)

    def installed(self, *rooms: tuple[Pin, ...], target: Target = PY313) -> dict[tuple[int, str], InstalledFile]:
        """Every file by room and path, without what uv leaves for itself."""
        with self.install(*rooms, target=target) as files:
            listed = [file for file in files if file.path != ".lock"]
        found = {(file.room, file.path): file for file in listed}
        assert len(found) == len(listed)
        return found


def fake_place(index: Index, folder: Path) -> Place:
    builder = FakeBuilder(index.wheels)
    return Place(builder=builder, index=index, phase=PHASE, left=lambda: ["an installation"] * builder.open)


def host_place(index: Index, folder: Path) -> Place:
    scratch = folder / "scratch"
    scratch.mkdir()

    @contextmanager
    def scratch_folder() -> Iterator[Path]:
        with TemporaryDirectory(dir=scratch) as made:
            yield Path(made)

    environ = {"HOME": str(folder), "UV_CACHE_DIR": str(folder / "uv-cache"), "UV_HTTP_RETRIES": "0"}
    return Place(
        builder=HostBuilder(uv=find_binary(), environ=environ, scratch=scratch_folder),
        index=index,
        phase="installing on the host",
        left=lambda: [path.name for path in scratch.iterdir()],
    )


class Far(Engine):
    """An engine that nothing is lent to."""

    near = False


def docker_place(index: Index, folder: Path, kind: type[Engine] = Engine) -> Place:
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

    builder = DockerBuilder(
        engine=engine, uv=find_binary(), uv_version="0", environ=environ, recipe={}, scratch=scratch_folder
    )
    return Place(
        builder=builder,
        index=index,
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
"""Makers of places by name; each is given the index at an address that it reaches, and a folder of its own."""
NEEDS_NO_ENGINE = ("fake", "host")
EVERY = [name if name in NEEDS_NO_ENGINE else pytest.param(name, marks=pytest.mark.engine) for name in PLACES]


def served_at(name: str) -> str:
    """An address of this machine that the builder reaches."""
    if name in NEEDS_NO_ENGINE:
        return "127.0.0.1"
    client = docker.from_env()
    try:
        return find_gateway(client)
    finally:
        client.close()


@pytest.fixture(params=EVERY)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        index = stack.enter_context(Index(host=served_at(request.param)))
        made = PLACES[request.param](index, tmp_path)
        stack.callback(made.close)
        yield made
        assert made.left() == []


def test_the_files_of_wheels(place: Place) -> None:
    one = wheel("one", files={"one/__init__.py": "ONE = 1\n", "one/data/ä.bin": bytes(range(256)), "one/empty": ""})
    two = wheel("two_parts", files={"two.py": "TWO = 2\n"})
    found = place.installed(place.pins(one, two))
    records = {(0, f"{each.dist_info}/RECORD") for each in (one, two)}
    expected = {(0, path): content for each in (one, two) for path, content in each.files.items()}
    assert found.keys() == expected.keys()
    assert {key: file.content for key, file in found.items() if key not in records} == {
        key: content for key, content in expected.items() if key not in records
    }
    for each in (one, two):
        path = f"{each.dist_info}/RECORD"
        assert set(parse_record(found[0, path].content.decode())) == set(parse_record(each.files[path].decode()))


def test_wheels_that_no_index_serves(place: Place, tmp_path: Path) -> None:
    local = place.local_pin(wheel("local", files={"local.py": "LOCAL = 1\n"}), tmp_path)
    found = place.installed((*place.pins(wheel("one")), local))
    assert found[0, "local.py"].content == b"LOCAL = 1\n"
    assert (0, "one.py") in found


def test_executable_files(place: Place) -> None:
    native = wheel("native", files={"native.so": b"\x7fELF", "native.py": ""}, executables=["native.so"])
    found = place.installed(place.pins(native))
    assert {path for (_, path), file in found.items() if file.executable} == {"native.so"}


def test_paths_that_may_not_be_packaged(place: Place) -> None:
    with pytest.raises(PolicyError) as caught:
        place.installed(place.pins(wheel("odd", files={"odd/a\xa0b.py": ""})))
    assert caught.value.message == (
        "'odd/a\\xa0b.py' is not a path that may be packaged: "
        "a path is relative, below its root, and of printable UTF-8"
    )


def test_launchers_are_executable_and_in_the_record(place: Place) -> None:
    tool = wheel("tool", files={"tool.py": "def main(): ...\n"}, launchers={"run-tool": "tool:main"})
    found = place.installed(place.pins(tool))
    launcher = found[0, "bin/run-tool"]
    assert launcher.executable
    assert launcher.content.startswith(b"#!/")
    rows = {row.path: row.sha256 for row in parse_record(found[0, "tool-1.0.dist-info/RECORD"].content.decode())}
    assert rows["bin/run-tool"] == sha256(launcher.content).hexdigest()


def test_rooms_are_kept_apart(place: Place) -> None:
    one = wheel("one", files={"shared.py": "WHOSE = 1\n"})
    two = wheel("two", files={"shared.py": "WHOSE = 2\n"})
    found = place.installed(place.pins(one), place.pins(two))
    assert found[0, "shared.py"].content == b"WHOSE = 1\n"
    assert found[1, "shared.py"].content == b"WHOSE = 2\n"
    assert {room for room, path in found if path.startswith("one-")} == {0}
    assert {room for room, path in found if path.startswith("two-")} == {1}


@pytest.mark.parametrize(
    ("python", "architecture", "platform"), [("3.14", "arm64", "aarch64"), ("3.11", "x86_64", "x86_64")]
)
def test_wheels_for_other_machines(place: Place, python: str, architecture: str, platform: str) -> None:
    interpreter = "cp" + python.replace(".", "")
    native = wheel(
        "native", files={"native.so": platform}, tag=f"{interpreter}-{interpreter}-manylinux_2_17_{platform}"
    )
    found = place.installed(place.pins(native), target=target(python, architecture))
    assert found[0, "native.so"].content == platform.encode()


def test_an_installation_tells_that_it_begins(place: Place) -> None:
    events: list[Event] = []
    with place.builder.install(Installation(target=target(), rooms=(place.pins(wheel("one")),)), listen=events.append):
        pass
    assert "install" in {event.phase for event in events}


def test_nothing_is_left_when_the_files_are_not_read(place: Place) -> None:
    with place.install(place.pins(wheel("one"))):
        assert place.left() != []
    assert place.left() == []


def test_nothing_is_left_after_an_exception(place: Place) -> None:
    with pytest.raises(ZeroDivisionError), place.install(place.pins(wheel("one"))) as files:
        next(files)
        raise ZeroDivisionError
    assert place.left() == []


def test_another_hash_than_the_locked_one(place: Place) -> None:
    (right,) = place.pins(wheel("one"))
    wrong = replace(right, sha256="00" * 32)
    with pytest.raises(PolicyError) as caught, place.install((wrong,)):
        pass
    assert caught.value.message.startswith(f"{place.phase} failed; uv says:\n  ")
    assert caught.value.message.endswith(said(hash_mismatch(wrong, right.sha256)))
    assert caught.value.hint == "the file is not the one that was locked: do not use it before you know why"
    assert place.left() == []


def test_what_was_fetched_once_is_not_asked_for_again(place: Place) -> None:
    pins = place.pins(wheel("once", files={"once.txt": os.urandom(8).hex()}))
    first = place.installed(pins)
    place.index.requests.clear()
    assert place.installed(pins) == first
    assert place.index.requests == []


def test_a_server_that_is_gone(place: Place) -> None:
    (pin,) = place.pins(wheel("one"))
    place.index.close()
    place.index.wheels.clear()
    with pytest.raises(MachineError) as caught, place.install((pin,)):
        pass
    assert caught.value.message.startswith(f"{place.phase} failed; uv says:\n  ")
    assert caught.value.message.endswith(said(unreachable(pin)))
    assert caught.value.hint == "check the network, the proxy settings and the index (uv's UV_INDEX…)"
    assert place.left() == []


@pytest.mark.parametrize("place", ["fake", "host"], indirect=True)
def test_sdists_need_a_container(place: Place) -> None:
    def of(name: str) -> Pin:
        why = NoWheel(name=name, version="1.0", target=target(), wheels=(), needed_glibc=None, usable_by=())
        return Pin(name=name, version="1.0", kind="sdist", url="http://files.example/", sha256="", no_wheel=why)

    with pytest.raises(BuildError) as caught, place.install(place.pins(wheel("one")), (of("two"),), (of("three"),)):
        pass
    assert caught.value.message == (
        "two 1.0 has no wheel for python3.13 x86_64, only a source distribution\n"
        "three 1.0 has no wheel for python3.13 x86_64, only a source distribution\n"
        f"the {place.builder.name} builder installs wheels only"
    )
    assert caught.value.hint == ("build in the Lambda image, where source distributions are compiled: --builder docker")
    assert place.left() == []
    assert place.index.requests == []


BACKEND = """
import zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = "inner-1.0-TAG.whl"
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as archive:
        archive.write("inner.py")
        archive.writestr("inner-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: inner\\nVersion: 1.0\\n")
        archive.writestr("inner-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: TAG\\n")
        archive.writestr("inner-1.0.dist-info/RECORD", "inner.py,,\\ninner-1.0.dist-info/RECORD,,\\n")
    return name
"""


def folder_pin(folder: Path, tag: str) -> Pin:
    """A project without dependencies, with a build backend of its own."""
    for name, text in {
        "inner.py": "INNER = 1\n",
        "backend.py": BACKEND.replace("TAG", tag),
        "pyproject.toml": '[project]\nname = "inner"\nversion = "1.0"\n'
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    }.items():
        (folder / name).write_text(text)
    return Pin(name="inner", version="1.0", kind="folder", path=str(folder), sha256="00" * 32)


@pytest.mark.parametrize("place", ["host"], indirect=True)
def test_folders_are_built_from_a_copy(place: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("inner")
    pin = folder_pin(folder, "py3-none-any")
    before = sorted(folder.rglob("*"))
    found = place.installed(place.pins(wheel("one")), (pin,))
    assert found[1, "inner.py"].content == b"INNER = 1\n"
    assert sorted(folder.rglob("*")) == before


OTHER = target(next(one.python for one in RUNTIMES if one.python != f"3.{sys.version_info.minor}"))
HERE = f"linux_{platform.machine()}"


@pytest.mark.parametrize("place", ["host"], indirect=True)
@pytest.mark.parametrize(
    ("tag", "told"),
    [
        (f"py3-none-{HERE}", f"py3-none-{HERE}"),
        (f"cp{sys.version_info.major}{sys.version_info.minor}-none-{HERE}", "a wheel of its own Python"),
    ],
)
def test_the_host_compiles_nothing(place: Place, tmp_path_factory: pytest.TempPathFactory, tag: str, told: str) -> None:
    pin = folder_pin(tmp_path_factory.mktemp("inner"), tag)
    with pytest.raises(BuildError) as caught, place.install((pin,), target=OTHER):
        pass
    assert caught.value.message == f"inner 1.0 compiles to {told} on this machine, which is not {OTHER}"
    assert caught.value.hint == "build in the Lambda image: --builder docker"
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


def said(text: str) -> str:
    """What uv said, as messages show it."""
    return textwrap.indent(text, "  ", lambda line: True)
