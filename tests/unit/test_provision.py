"""provision: wheels fetched from a real server, and built of sources by the fake builder, into a real store."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lambdabuild.builders.base import Image, Provide, WheelBuild
from lambdabuild.cache import Cache
from lambdabuild.errors import BuildError
from lambdabuild.manifest import file_sha256
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Target
from lambdabuild.model.wheels import NoWheel
from lambdabuild.provision import Provided, recall_image, remember_image
from lambdabuild.steps.install import install
from tests.contract.fake_builder import FakeBuilder
from tests.index import Index
from tests.provisioning import IMAGE, NEWER, PLACE, make_provision
from tests.removals import wait_for_removals
from tests.samples import content, target
from tests.wheels import Wheel, sdist, wheel

TARGET = target()
SOURCES = {
    "inner": wheel("inner", files={"inner.py": "INNER = 1\n"}),
    "outer": wheel("outer", files={"outer.py": "OUTER = 1\n"}),
}
"""What builds make, by the name of the pin."""


class Works:
    """An index, a cache, and builders that are given what they build."""

    def __init__(self, index: Index, root: Path) -> None:
        self.index = index
        self.cache = Cache(root)
        self.cache.ensure()
        self.events: list[Event] = []
        self.resolved: list[tuple[tuple[str, ...], Target, str]] = []
        """What builds asked for."""
        self.pins: dict[str, Pin] = {}
        """What requirements come to."""

    def wheel_pin(self, made: Wheel) -> Pin:
        return Pin(name=made.name, version=made.version, kind="wheel", url=self.index.add(made), sha256=made.sha256)

    def sdist_pin(self, name: str) -> Pin:
        filename, data = sdist(name)
        why = NoWheel(name=name, version="1.0", target=TARGET, wheels=(), needed_glibc=None, usable_by=())
        url = self.index.add_file(name, filename, data)
        self.index.requests.clear()
        return replace(self.wheel_pin(wheel(name)), kind="sdist", url=url, sha256=sha256_of(data), no_wheel=why)

    def resolve(self, requirements: Sequence[str], target: Target, owner: str) -> Sequence[Pin]:
        self.resolved.append((tuple(requirements), target, owner))
        return [self.pins[requirement] for requirement in requirements]

    def provide(
        self,
        *pins: Pin,
        builder: FakeBuilder | None = None,
        image: Image | None = IMAGE,
        goal: Target = TARGET,
        **changes: Any,
    ) -> dict[Pin, Provided]:
        builder = builder or FakeBuilder(image=image, wheels=SOURCES)
        provision = make_provision(self.cache, builder, listen=self.events.append, resolve=self.resolve, **changes)
        return provision.wheels(pins, goal, image)

    def built(self, pin: Pin, **changes: Any) -> bool:
        """Whether a pin is built, and not found."""
        builder = FakeBuilder(image=IMAGE, wheels=SOURCES)
        self.provide(pin, builder=builder, **changes)
        return bool(builder.built)

    def kept(self, kind: str) -> list[Path]:
        return sorted(path for path in (self.cache.version / kind).rglob("*") if path.is_file())


@pytest.fixture
def works(index: Index, tmp_path: Path) -> Works:
    return Works(index, tmp_path / "cache")


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def folder_pin(path: str = "/project/inner", digest: str = "ab" * 32) -> Pin:
    return Pin(name="inner", version="1.0", kind="folder", path=path, sha256=digest)


def commit_pin() -> Pin:
    return Pin(name="inner", version="1.0", kind="commit", url="https://git.example/inner", sha256="", commit="c0" * 20)


def files(one: Provided) -> dict[str, bytes]:
    """All but RECORD, which is written anew."""
    with zipfile.ZipFile(one.file.path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/RECORD")}


def source_files(name: str) -> dict[str, bytes]:
    return {path: data for path, data in SOURCES[name].files.items() if not path.endswith("/RECORD")}


# Wheels


def test_a_wheel_is_fetched_once(works: Works) -> None:
    made = wheel("one")
    pin = works.wheel_pin(made)
    provision = make_provision(works.cache, FakeBuilder(image=IMAGE))
    assert provision.find([pin], TARGET, IMAGE) == {}
    found = provision.wheels([pin], TARGET, IMAGE)
    assert found[pin].file.path.read_bytes() == made.data
    assert (found[pin].file.filename, found[pin].sha256, found[pin].built) == (made.filename, made.sha256, False)
    assert provision.find([pin], TARGET, None) == provision.wheels([pin], target("3.12"), NEWER) == found
    assert len(works.index.requests) == 1


def test_a_wheel_of_this_machine(works: Works, tmp_path: Path) -> None:
    made = wheel("local")
    path = tmp_path / made.filename
    path.write_bytes(made.data)
    pin = Pin(name="local", version="1.0", kind="wheel", path=str(path), sha256=made.sha256)
    found = works.provide(pin)
    path.unlink()
    assert found[pin].file.path.read_bytes() == made.data
    assert works.provide(pin) == found


# Sources


@pytest.mark.parametrize("kind", ["sdist", "folder", "commit"])
def test_what_has_no_wheel_is_built_and_kept(works: Works, kind: str) -> None:
    pin = {"sdist": lambda: works.sdist_pin("inner"), "folder": folder_pin, "commit": commit_pin}[kind]()
    builder = FakeBuilder(image=IMAGE, wheels=SOURCES)
    made = works.provide(pin, builder=builder)
    (order,) = builder.built
    assert (order.pin, order.target, order.network, order.repair) == (pin, TARGET, False, False)
    if kind == "sdist":
        assert order.sdist is not None
        assert order.sdist.read_bytes() == sdist("inner")[1]
        assert len(works.index.requests) == 1
    else:
        assert order.sdist is None
    one = made[pin]
    assert files(one) == source_files("inner")
    assert (one.file.filename, one.built, one.network, one.image) == ("inner-1.0-py3-none-any.whl", True, False, None)
    assert file_sha256(one.file.path) == one.sha256 == one.file.path.name
    again = FakeBuilder(image=IMAGE)
    assert works.provide(pin, builder=again) == made
    assert make_provision(works.cache, again).find([pin], TARGET, IMAGE) == made
    assert again.built == []
    wait_for_removals()
    assert [path for path in works.cache.version.iterdir() if path.name.startswith(".")] == []


def test_the_same_source_gives_the_same_bytes(works: Works, index: Index, tmp_path: Path) -> None:
    other = Works(index, tmp_path / "other")
    digests = {one.provide(folder_pin())[folder_pin()].sha256 for one in (works, other)}
    assert len(digests) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"image": NEWER},
        {"recipe": lambda: "another toolchain"},
        {"network": frozenset({"inner"})},
        {"repair": True},
        {"goal": target("3.12")},
        {"goal": target("3.13", "arm64")},
        {"pin": folder_pin(digest="cd" * 32)},
        {"pin": replace(folder_pin(), subdirectory="python")},
        {"pin": replace(folder_pin(), version="1.1")},
        {"pin": commit_pin()},
        {"pin": replace(commit_pin(), commit="c1" * 20)},
    ],
    ids=str,
)
def test_it_is_built_anew_when_what_its_bytes_depend_on_changes(works: Works, change: Mapping[str, Any]) -> None:
    change = dict(change)
    pin = change.pop("pin", folder_pin())
    assert works.built(folder_pin())
    assert works.built(pin, **change)
    assert not works.built(pin, **change)
    assert not works.built(folder_pin())


@pytest.mark.parametrize(
    "change",
    [{"network": frozenset({"other"})}, {"pin": folder_pin("/elsewhere")}, {"image": replace(IMAGE, reference="same")}],
    ids=str,
)
def test_it_is_not_built_anew_for_anything_else(works: Works, change: Mapping[str, Any]) -> None:
    change = dict(change)
    assert works.built(folder_pin())
    assert not works.built(change.pop("pin", folder_pin()), **change)


def test_what_a_build_may_do_is_in_its_order(works: Works) -> None:
    builder = FakeBuilder(image=IMAGE, wheels=SOURCES)
    inner, outer = folder_pin(), works.sdist_pin("outer")
    allowed: dict[str, Any] = {"network": frozenset({"inner"}), "repair": True}
    made = works.provide(inner, outer, builder=builder, **allowed)
    assert [(order.pin, order.network, order.repair) for order in builder.built] == [
        (inner, True, True),
        (outer, False, True),
    ]
    assert (made[inner].network, made[outer].network) == (True, False)
    assert works.provide(inner, outer, builder=FakeBuilder(image=IMAGE), **allowed) == made


def test_what_a_build_requires_is_provided(works: Works) -> None:
    """From an index, and built of a source that requires something itself."""
    inner, outer, backend = folder_pin(), works.sdist_pin("outer"), works.wheel_pin(wheel("backend", "3.0"))
    works.pins = {"backend>=3": backend, "inner": inner}
    builder = FakeBuilder(
        image=IMAGE, wheels=SOURCES, requires={"outer": ["inner", "backend>=3"], "inner": ["backend>=3"]}
    )
    made = works.provide(outer, builder=builder)
    assert made.keys() == {outer}
    assert works.resolved == [
        (("inner", "backend>=3"), TARGET, "the build of outer 1.0"),
        (("backend>=3",), TARGET, "the build of inner 1.0"),
    ]
    assert builder.provided == {
        "outer": ["backend-3.0-py3-none-any.whl", "inner-1.0-py3-none-any.whl"],
        "inner": ["backend-3.0-py3-none-any.whl"],
    }
    assert [path.rpartition("/")[2] for path, _ in works.index.requests] == [
        "outer-1.0.tar.gz",
        "backend-3.0-py3-none-any.whl",
    ]
    assert not works.built(inner)


def test_a_build_that_requires_itself(works: Works) -> None:
    inner, outer = works.sdist_pin("inner"), works.sdist_pin("outer")
    works.pins = {"inner": inner, "outer": outer}
    builder = FakeBuilder(image=IMAGE, wheels=SOURCES, requires={"inner": ["outer"], "outer": ["inner"]})
    with pytest.raises(BuildError) as caught:
        works.provide(inner, builder=builder)
    assert str(caught.value) == (
        "inner 1.0 has to be built from source, and its build requires itself: inner → outer → inner\n"
        "  hint: choose a version of inner that has a wheel for python3.13 x86_64"
    )
    assert works.kept("built") == []


def test_a_build_may_require_a_wheel_of_what_it_builds(works: Works) -> None:
    """As compilers of a language in that language do."""
    earlier = works.wheel_pin(wheel("inner", "0.9"))
    works.pins = {"inner<1": earlier}
    builder = FakeBuilder(image=IMAGE, wheels=SOURCES, requires={"inner": ["inner<1"]})
    works.provide(folder_pin(), builder=builder)
    assert builder.provided == {"inner": ["inner-0.9-py3-none-any.whl"]}


def test_a_damaged_wheel_is_built_again(works: Works) -> None:
    made = works.provide(folder_pin())
    path = made[folder_pin()].file.path
    whole = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(whole[:-1] + b"x")
    assert make_provision(works.cache, FakeBuilder(image=IMAGE)).find([folder_pin()], TARGET, IMAGE) == {}
    assert works.provide(folder_pin()) == made
    assert path.read_bytes() == whole


def test_what_is_known_of_a_build_may_be_damaged(works: Works) -> None:
    made = works.provide(folder_pin())
    (path,) = works.kept("built")
    path.write_bytes(path.read_bytes()[:-1])
    assert works.built(folder_pin())
    assert works.provide(folder_pin()) == made


def test_a_build_that_fails(works: Works) -> None:
    with pytest.raises(BuildError, match=r"^inner 1\.0 cannot be built$"):
        works.provide(folder_pin(), builder=FakeBuilder(image=IMAGE))
    wait_for_removals()
    assert (works.kept("built"), works.kept("wheels")) == ([], [])
    assert works.built(folder_pin())


def test_of_builds_of_the_same_source_one_builds_and_the_others_wait(works: Works) -> None:
    began, go_on = threading.Event(), threading.Event()

    class Slow(FakeBuilder):
        """Stays in a build until it may go on."""

        def build(self, order: WheelBuild, *, provide: Provide, folder: Path, listen: Listener) -> Path:
            began.set()
            assert go_on.wait(20)
            return super().build(order, provide=provide, folder=folder, listen=listen)

    def wait(event: Event) -> None:
        works.events.append(event)
        go_on.set()

    slow, idle = Slow(image=IMAGE, wheels=SOURCES), FakeBuilder(image=IMAGE, wheels=SOURCES)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(make_provision(works.cache, slow).wheels, [folder_pin()], TARGET, IMAGE)
        assert began.wait(20)
        second = make_provision(works.cache, idle, listen=wait).wheels([folder_pin()], TARGET, IMAGE)
    assert second == first.result()
    assert (len(slow.built), idle.built) == (1, [])
    assert works.events == [Event(phase="wait", text="waiting for another build of inner 1.0")]


# Without an image


class Host(FakeBuilder):
    name = "host"
    place = "host"


def test_without_an_image_a_source_distribution_is_refused(works: Works) -> None:
    pins = [works.sdist_pin("inner"), works.wheel_pin(wheel("one")), works.sdist_pin("outer")]
    with pytest.raises(BuildError) as caught:
        works.provide(*pins, builder=Host(wheels=SOURCES), image=None)
    assert str(caught.value) == (
        "inner 1.0 has no wheel for python3.13 x86_64, only a source distribution\n"
        "outer 1.0 has no wheel for python3.13 x86_64, only a source distribution\n"
        "the host builder installs wheels only\n"
        "  hint: build in the Lambda image, where source distributions are compiled: --builder docker"
    )
    assert works.index.requests == []


def test_a_source_that_no_index_serves_is_built_without_an_image_too(works: Works) -> None:
    host = Host(wheels=SOURCES)
    on_host = works.provide(folder_pin(), builder=host, image=None)
    assert len(host.built) == 1
    assert on_host[folder_pin()].image is None
    assert works.provide(folder_pin(), builder=Host(), image=None) == on_host
    assert works.built(folder_pin())


def test_what_an_image_built_is_used_without_one_where_it_is_known_which(works: Works) -> None:
    pin = works.sdist_pin("inner")
    made = works.provide(pin)
    host = Host()
    with pytest.raises(BuildError):  # no image is known
        works.provide(pin, builder=host, image=None)
    remember_image(works.cache, PLACE, TARGET, IMAGE)
    found = works.provide(pin, builder=host, image=None)
    assert found == {pin: replace(made[pin], image=IMAGE)}
    with pytest.raises(BuildError):  # this one was not built for
        works.provide(replace(pin, no_wheel=None), builder=host, image=None, goal=target("3.12"))
    remember_image(works.cache, PLACE, TARGET, NEWER)
    with pytest.raises(BuildError):  # nor in this one
        works.provide(pin, builder=host, image=None)


def test_an_image_is_remembered_by_its_place_and_target(works: Works) -> None:
    remember_image(works.cache, PLACE, TARGET, IMAGE)
    assert recall_image(works.cache, PLACE, TARGET) == IMAGE
    assert recall_image(works.cache, PLACE, target("3.12")) is None
    assert recall_image(works.cache, "docker elsewhere", TARGET) is None
    (path,) = works.kept("images")
    path.write_bytes(b"else")
    assert recall_image(works.cache, PLACE, TARGET) is None


# What is installed


def test_what_was_built_is_installed_and_told(works: Works) -> None:
    inner, one = folder_pin(), works.wheel_pin(wheel("one"))
    builder = FakeBuilder(image=IMAGE, wheels=SOURCES)

    def installed(builder: FakeBuilder) -> Any:
        return install([inner, one], TARGET, provision=make_provision(works.cache, builder), uv_version="0.13.8")

    made = installed(builder)
    assert made.built.keys() == {inner}
    assert {member.path: content(member) for member in made.segments[inner].members}["inner.py"] == b"INNER = 1\n"
    assert builder.laid == [[["inner 1.0", "one 1.0"]]]
    again = installed(FakeBuilder(image=IMAGE))
    assert (again.fresh, again.built) == (0, made.built)
