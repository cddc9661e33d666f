"""steps.install: pins to what they install, with a real fetcher, a real cache and the fake builder."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from lambdabuild.builders.base import Image, Laid
from lambdabuild.cache import Cache
from lambdabuild.errors import BuildError, MachineError, PolicyError
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.requirements import Pin
from lambdabuild.model.segment import Segment, parse_record
from lambdabuild.model.target import Target
from lambdabuild.model.wheels import NoWheel
from lambdabuild.steps.install import Installed, install
from lambdabuild.wheels.installed import LaidFile
from lambdabuild.wheels.wheelfile import WheelFile
from lambdabuild.zipformat import DEFLATED, STORED
from tests.contract.fake_builder import FakeBuilder
from tests.index import Index
from tests.provisioning import IMAGE, NEWER, make_provision
from tests.removals import wait_for_removals
from tests.samples import content, target
from tests.wheels import Wheel, record_of, record_row, wheel

TEXT = "a text that deflates well, " * 40


class Looked(FakeBuilder):
    """Counts how often it is asked for its image."""

    looks = 0

    def image(self, target: Target, *, listen: Listener) -> Image | None:
        self.looks += 1
        return super().image(target, listen=listen)


class Host(Looked):
    """What is known of the host without looking: that it has no image."""

    name = "host"
    place = "host"


class Shop:
    """An index with wheels on offer, a cache, and a builder with an image."""

    def __init__(self, index: Index, root: Path) -> None:
        self.index = index
        self.builder: FakeBuilder = Looked(image=IMAGE)
        self.cache = Cache(root)
        self.cache.ensure()
        self.events: list[Event] = []

    def pin(self, wheel: Wheel) -> Pin:
        url = self.index.add(wheel)
        return Pin(name=wheel.name.replace("_", "-"), version=wheel.version, kind="wheel", url=url, sha256=wheel.sha256)

    def install(self, *pins: Pin, python: str = "3.13", uv_version: str = "0.13.8", refresh: bool = False) -> Installed:
        provision = make_provision(self.cache, self.builder, listen=self.events.append)
        return install(pins, target(python), provision=provision, uv_version=uv_version, refresh=refresh)

    def refused(self, *pins: Pin) -> str:
        with pytest.raises(PolicyError) as caught:
            self.install(*pins)
        return str(caught.value)

    def kept(self, kind: str) -> list[Path]:
        return sorted(path for path in (self.cache.version / kind).rglob("*") if path.is_file())

    @property
    def fetched(self) -> list[str]:
        """The file names that were asked for."""
        return [path.rpartition("/")[2] for path, _ in self.index.requests]


@pytest.fixture
def shop(index: Index, tmp_path: Path) -> Shop:
    return Shop(index, tmp_path / "cache")


def files(segment: Segment) -> dict[str, bytes]:
    return {member.path: content(member) for member in segment.members}


def test_nothing_to_install(shop: Shop) -> None:
    installed = shop.install()
    assert installed == Installed(segments={}, builder="none", image=None, fresh=0, built={})
    assert (shop.fetched, shop.builder.laid, shop.events) == ([], [], [])


def test_what_wheels_install(shop: Shop) -> None:
    one = wheel(
        "one", files={"one/__init__.py": TEXT, "shared/one.py": "1", "one.so": b"\x7fELF"}, executables=["one.so"]
    )
    two = wheel("two_parts", "2.0", {"two.py": "", "shared/two.py": "2"}, requires=["one"])
    pins = shop.pin(one), shop.pin(two)
    installed = shop.install(*pins)
    assert {pin.name: files(segment) for pin, segment in installed.segments.items()} == {
        "one": {**one.files, "one-1.0.dist-info/RECORD": canonical(one.files)},
        "two-parts": {**two.files, "two_parts-2.0.dist-info/RECORD": canonical(two.files)},
    }
    segment = installed.segments[pins[1]]
    assert (segment.name, segment.version, segment.requires) == ("two-parts", "2.0", ("one",))
    assert (installed.builder, installed.image, installed.asked) == ("fake", IMAGE, True)
    assert (installed.fresh, installed.built) == (2, {})
    assert shop.builder.laid == [[["one 1.0", "two_parts 2.0"]]]


def canonical(files: Mapping[str, bytes]) -> bytes:
    (record,) = (path for path in files if path.endswith("/RECORD"))
    rows = {path: ",".join(record_row(path, data)) for path, data in files.items()} | {record: f"{record},,"}
    return "".join(f"{rows[path]}\n" for path in sorted(rows)).encode()


def test_members_are_packed_and_sorted_with_normal_modes(shop: Shop) -> None:
    pin = shop.pin(wheel("one", files={"z.py": TEXT, "a/b.py": "", "a-b.so": "x"}, executables=["a-b.so"]))
    members = shop.install(pin).segments[pin].members
    assert [member.path for member in members] == [
        "a-b.so",
        "a/b.py",
        "one-1.0.dist-info/METADATA",
        "one-1.0.dist-info/RECORD",
        "one-1.0.dist-info/WHEEL",
        "z.py",
    ]
    assert [oct(member.mode) for member in members] == ["0o755", *["0o644"] * 5]
    assert {member.path: member.method for member in members if len(member.path) < 7} == {
        "a-b.so": STORED,
        "a/b.py": STORED,
        "z.py": DEFLATED,
    }


@pytest.mark.parametrize("python", ["3.13", "3.12"])
def test_launchers_start_the_runtimes_python_and_their_record_says_so(shop: Shop, python: str) -> None:
    tool = wheel("tool", files={"tool.py": "", "bin/data": "no script"}, launchers={"run-tool": "tool:main"})
    pin = shop.pin(tool)
    segment = shop.install(pin, python=python).segments[pin]
    found = files(segment)
    launcher = found["bin/run-tool"]
    assert launcher.startswith(f"#!/var/lang/bin/python{python}\n".encode())
    assert found["bin/data"] == b"no script"
    rows = {row.path: row.sha256 for row in parse_record(found["tool-1.0.dist-info/RECORD"].decode())}
    assert rows["bin/run-tool"] == sha256(launcher).hexdigest()
    assert f",{len(launcher)}\n" in found["tool-1.0.dist-info/RECORD"].decode()
    assert rows.keys() == found.keys()
    assert {member.path: member.mode for member in segment.members}["bin/run-tool"] == 0o755


# What is known is not done again


def test_what_is_known_is_neither_fetched_nor_read_nor_laid_down_again(shop: Shop) -> None:
    one, two = shop.pin(wheel("one")), shop.pin(wheel("two"))
    first = shop.install(one)
    assert {event.phase for event in shop.events} == {"fetch", "index", "install", "compare"}
    shop.events.clear()
    again = shop.install(one)
    assert (again.builder, again.image, again.fresh, again.asked) == ("fake", IMAGE, 0, False)
    assert files(again.segments[one]) == files(first.segments[one])
    assert (shop.builder.laid, shop.events) == ([[["one 1.0"]]], [])
    both = shop.install(one, two)
    assert shop.builder.laid == [[["one 1.0"]], [["two 1.0"]]]
    assert (both.fresh, both.segments[one]) == (1, again.segments[one])
    assert shop.fetched == ["one-1.0-py3-none-any.whl", "two-1.0-py3-none-any.whl"]


def test_another_target_needs_another_comparison_only(shop: Shop) -> None:
    one = shop.pin(wheel("one"))
    shop.install(one)
    shop.events.clear()
    assert shop.install(one, python="3.12").fresh == 1
    assert shop.builder.targets == [target("3.13"), target("3.12")]
    assert {event.phase for event in shop.events} == {"install", "compare"}
    assert len(shop.fetched) == 1


def test_another_uv_is_another_installer(shop: Shop) -> None:
    one = shop.pin(wheel("one"))
    shop.install(one)
    assert shop.install(one, uv_version="0.14.0").fresh == 1
    assert shop.install(one, uv_version="0.14.0").fresh == 0
    assert len(shop.builder.laid) == 2


def test_where_all_is_known_no_engine_is_asked(shop: Shop) -> None:
    one, two = shop.pin(wheel("one")), shop.pin(wheel("two"))

    def installed(builder: Looked, *pins: Pin, refresh: bool = False) -> Installed:
        shop.builder = builder
        return shop.install(*pins, refresh=refresh)

    first, again, changed = Looked(image=IMAGE), Looked(image=IMAGE), Looked(image=NEWER)
    assert installed(first, one).image == IMAGE
    found = installed(again, one)
    assert (found.image, found.builder, found.fresh, found.asked) == (IMAGE, "fake", 0, False)
    assert again.looks == 0
    refreshed = installed(again, one, refresh=True)
    assert (refreshed.image, refreshed.fresh, refreshed.asked, again.looks) == (IMAGE, 0, True, 1)
    assert (installed(changed, one).image, changed.looks) == (IMAGE, 0)
    both = installed(changed, one, two)
    assert (both.image, both.fresh, changed.looks) == (NEWER, 2, 1)
    assert changed.laid == [[["one 1.0", "two 1.0"]]]
    assert (installed(changed, one).image, changed.looks) == (NEWER, 1)
    assert again.laid == []


def test_an_image_that_was_chosen_is_the_docker_builders(shop: Shop) -> None:
    """The auto builder need not decide anew where all is known of the image that it had."""
    one = shop.pin(wheel("one"))
    shop.install(one)
    shop.builder.name = "auto"
    assert shop.install(one).builder == "docker"


def test_the_host_installs_the_same(shop: Shop, tmp_path: Path) -> None:
    pin = shop.pin(wheel("tool", files={"tool.py": TEXT}, launchers={"run": "tool:main"}))
    in_image = shop.install(pin)
    elsewhere = Shop(shop.index, tmp_path / "elsewhere")
    elsewhere.builder = host = Host()
    for fresh, looks in ((1, 1), (0, 1)):
        installed = elsewhere.install(pin)
        assert (installed.builder, installed.image, installed.fresh, host.looks) == ("host", None, fresh, looks)
        assert files(installed.segments[pin]) == files(in_image.segments[pin])
    assert (host.laid, elsewhere.kept("compared")) == ([], [])
    assert [path.read_bytes() for path in elsewhere.kept("indexes")] == [
        path.read_bytes() for path in shop.kept("indexes")
    ]


# What was damaged is made again


def test_a_damaged_index_is_made_again(shop: Shop) -> None:
    pin = shop.pin(wheel("one", files={"one.py": TEXT}))
    first = shop.install(pin)
    (path,) = shop.kept("indexes")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"x")
    again = shop.install(pin)
    assert files(again.segments[pin]) == files(first.segments[pin])
    assert path.read_bytes() == whole
    assert again.fresh == 1
    assert (len(shop.fetched), len(shop.builder.laid)) == (1, 1)


def test_a_damaged_wheel_is_fetched_again(shop: Shop) -> None:
    made = wheel("one", files={"one.py": TEXT})
    pin = shop.pin(made)
    first = shop.install(pin)
    (path,) = shop.kept("wheels")
    path.chmod(0o644)
    path.write_bytes(made.data[:-1] + b"x")
    again = shop.install(pin)
    assert files(again.segments[pin]) == files(first.segments[pin])
    assert path.read_bytes() == made.data
    assert (len(shop.fetched), len(shop.builder.laid)) == (2, 1)


def test_a_comparison_that_is_lost_is_made_again(shop: Shop) -> None:
    pin = shop.pin(wheel("one"))
    first = shop.install(pin)
    (path,) = shop.kept("compared")
    path.write_bytes(b"else")
    again = shop.install(pin)
    assert files(again.segments[pin]) == files(first.segments[pin])
    assert (again.fresh, len(shop.builder.laid), len(shop.fetched)) == (1, 2, 1)


# What the image lays down is what the wheels say


class Odd(FakeBuilder):
    """Lays something else down than the wheels hold."""

    def __init__(self, changes: Mapping[str, LaidFile | None]) -> None:
        super().__init__(image=IMAGE)
        self.changes = changes

    def lay_down(
        self, rooms: Sequence[Sequence[WheelFile]], target: Target, *, listen: Listener
    ) -> Sequence[Laid] | None:
        laid = super().lay_down(rooms, target, listen=listen)
        assert laid is not None
        changed = [{**room, **self.changes} for room in laid]
        return [{path: file for path, file in room.items() if file is not None} for room in changed]


def test_an_image_that_makes_something_else_of_a_wheel(shop: Shop) -> None:
    pins = [shop.pin(wheel("one", files={"one.py": "1", "gone.py": ""})), shop.pin(wheel("two"))]
    other = LaidFile(size=2, executable=False, sha256="ab" * 32)
    shop.builder = Odd({"one.py": other, "gone.py": None, "sitecustomize.py": other})
    for _ in range(2):
        assert shop.refused(*pins) == (
            "what uv installs in lambda:3.13 is not what would be packaged:\n"
            "  one 1.0: gone.py was not laid down\n"
            "  one 1.0: one.py was laid down with 2 bytes in place of 1\n"
            "  sitecustomize.py was laid down, and no wheel holds it\n"
            "  hint: choose another version of the distribution; if it is sound, this is a fault of lambdabuild's"
        )
        assert shop.kept("compared") == []
    assert shop.builder.cancelled == 2
    shop.builder = Looked(image=IMAGE)
    assert shop.install(*pins).fresh == 2


def test_two_wheels_may_own_one_path(shop: Shop) -> None:
    pins = [
        shop.pin(wheel(name, files={"shared.py": name, "same.py": ""}, launchers={"run": f"{name}:main"}))
        for name in ("one", "two", "three")
    ]
    installed = shop.install(*pins)
    assert [files(installed.segments[pin])["shared.py"].decode() for pin in pins] == ["one", "two", "three"]
    assert all("same.py" in files(installed.segments[pin]) for pin in pins)
    assert [b"from one import main" in files(installed.segments[pin])["bin/run"] for pin in pins] == [
        True,
        False,
        False,
    ]
    assert shop.builder.laid == [[["one 1.0", "two 1.0", "three 1.0"]]]
    assert shop.install(*pins).fresh == 0


def test_versions_of_one_distribution_are_kept_apart(shop: Shop) -> None:
    versions = [shop.pin(wheel("one", version, {"one.py": version})) for version in ("1.0", "1.1", "2.0")]
    others = [shop.pin(wheel("two", version)) for version in ("1.0", "2.0")]
    installed = shop.install(*versions, *others)
    assert [files(installed.segments[pin])["one.py"].decode() for pin in versions] == ["1.0", "1.1", "2.0"]
    assert shop.builder.laid == [[["one 1.0", "two 1.0"], ["one 1.1", "two 2.0"], ["one 2.0"]]]
    assert installed.fresh == 5


def test_what_is_installed_does_not_depend_on_company(shop: Shop, tmp_path: Path) -> None:
    wheels = [
        wheel(name, files={f"{name}.py": TEXT, "shared.py": name}, launchers={name: f"{name}:main"})
        for name in ("one", "two")
    ]
    together = shop.install(*map(shop.pin, wheels))
    alone = Shop(shop.index, tmp_path / "other")
    for pin in map(alone.pin, reversed(wheels)):
        assert files(alone.install(pin).segments[pin]) == files(together.segments[pin])
    entries = [
        {path.name: path.read_bytes() for path in (*each.kept("indexes"), *each.kept("wheels"))}
        for each in (shop, alone)
    ]
    assert entries[0] == entries[1]


# Wheels that are refused


def test_a_wheel_that_is_not_what_it_claims(shop: Shop) -> None:
    bad = replace(wheel("one"), files={**wheel("one").files, "one.py": b"changed"})
    assert shop.refused(shop.pin(wheel("two")), shop.pin(bad)) == (
        "one-1.0-py3-none-any.whl: 'one.py' is not the file that its RECORD claims\n"
        "  hint: the wheel is damaged, badly made, or made to deceive; choose another version of one"
    )
    assert shop.builder.cancelled == 1
    assert shop.kept("compared") == []


def test_a_lock_that_names_another_distributions_wheel(shop: Shop) -> None:
    pin = replace(shop.pin(wheel("two")), name="one")
    for _ in range(2):
        assert shop.refused(pin) == (
            "one 1.0: the lock gives two-1.0-py3-none-any.whl, which is another distribution\n  hint: lock again"
        )


@pytest.mark.parametrize("required", [">=3.12", "<4,!=3.12.1", "not a version"])
def test_a_wheel_for_this_python(shop: Shop, required: str) -> None:
    assert shop.install(shop.pin(for_python(required))).fresh == 1


def test_a_wheel_for_another_python(shop: Shop) -> None:
    pin = shop.pin(for_python(">=3.11,<3.13"))
    assert shop.install(pin, python="3.12").fresh == 1
    for _ in range(2):
        with pytest.raises(BuildError) as caught:
            shop.install(pin)
        assert str(caught.value) == (
            "one 1.0 needs Python >=3.11,<3.13, and python3.13 is not that\n"
            "  hint: choose another runtime, or another version of it"
        )


def for_python(required: str) -> Wheel:
    """A wheel whose metadata tells the Pythons that it is for."""
    made = wheel("one")
    record, metadata = f"{made.dist_info}/RECORD", f"{made.dist_info}/METADATA"
    files = {**made.files, metadata: made.files[metadata] + f"Requires-Python: {required}\n".encode()}
    return replace(made, files={**files, record: record_of(files, record).encode()})


def test_another_file_than_the_locked_one(shop: Shop) -> None:
    pin = shop.pin(wheel("one"))
    assert shop.refused(replace(pin, sha256="00" * 32)) == (
        "one-1.0-py3-none-any.whl has not the hash that was locked\n"
        f"  expected sha256 {'00' * 32}\n"
        f"  computed sha256 {pin.sha256}\n"
        "  hint: the file is not the one that was locked: do not use it before you know why"
    )
    assert nothing_left(shop)


def nothing_left(shop: Shop) -> bool:
    """Whether the cache holds nothing but its tag and what is known of the image."""
    wait_for_removals()
    left = [path for path in shop.cache.root.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return sorted(path.parent.name for path in left if path.name != "CACHEDIR.TAG") in ([], ["images"])


def test_a_server_that_is_gone(shop: Shop) -> None:
    pin = shop.pin(wheel("one"))
    shop.index.close()
    with pytest.raises(MachineError, match=r"^one-1\.0-py3-none-any\.whl cannot be fetched from 127\.0\.0\.1:"):
        shop.install(pin)
    assert (shop.builder.laid, shop.kept("indexes"), shop.kept("compared")) == ([], [], [])


def test_an_engine_that_fails_while_wheels_are_read(shop: Shop) -> None:
    class Failing(FakeBuilder):
        def lay_down(
            self, rooms: Sequence[Sequence[WheelFile]], target: Target, *, listen: Listener
        ) -> Sequence[Laid] | None:
            raise MachineError("the engine is gone")

    pin = shop.pin(wheel("one"))
    shop.builder = Failing(image=IMAGE)
    with pytest.raises(MachineError, match=r"^the engine is gone$"):
        shop.install(pin)
    assert (shop.builder.cancelled, shop.kept("compared"), len(shop.kept("indexes"))) == (1, [], 1)
    shop.builder = Looked(image=IMAGE)
    assert shop.install(pin).fresh == 1
    assert len(shop.fetched) == 1


def test_an_interrupt_ends_the_installation(shop: Shop) -> None:
    """What runs in the image ends when the engine is told to, not before."""
    ended = threading.Event()

    class Long(FakeBuilder):
        def lay_down(
            self, rooms: Sequence[Sequence[WheelFile]], target: Target, *, listen: Listener
        ) -> Sequence[Laid] | None:
            assert ended.wait(20)
            raise MachineError("it was ended")

        def cancel(self) -> None:
            super().cancel()
            ended.set()

    def interrupt(event: Event) -> None:
        if event.phase == "index":
            raise KeyboardInterrupt

    pin = shop.pin(wheel("one"))
    builder = Long(image=IMAGE)
    with pytest.raises(KeyboardInterrupt):
        install([pin], target(), provision=make_provision(shop.cache, builder, listen=interrupt), uv_version="0.13.8")
    assert builder.cancelled == 1
    assert shop.kept("compared") == []
    assert shop.install(pin).fresh == 1


def no_wheel(name: str) -> Pin:
    why = NoWheel(name=name, version="1.0", target=target(), wheels=(), needed_glibc=None, usable_by=())
    url = f"https://files.example/{name}-1.0.tar.gz"
    return Pin(name=name, version="1.0", kind="sdist", url=url, sha256=f"{len(name):02}" * 32, no_wheel=why)


def test_the_host_names_all_that_it_cannot_build(shop: Shop) -> None:
    shop.builder = Host()
    with pytest.raises(BuildError) as caught:
        shop.install(no_wheel("two"), shop.pin(wheel("one")), no_wheel("three"))
    assert str(caught.value) == (
        "two 1.0 has no wheel for python3.13 x86_64, only a source distribution\n"
        "three 1.0 has no wheel for python3.13 x86_64, only a source distribution\n"
        "the host builder installs wheels only\n"
        "  hint: build in the Lambda image, where source distributions are compiled: --builder docker"
    )
    assert shop.fetched == []


# Progress, and other builds


def test_progress(shop: Shop) -> None:
    made = [wheel("one", files={"one.py": TEXT}), wheel("two")]
    shop.install(*map(shop.pin, made))
    installing = {event.text for event in shop.events if event.phase == "install"}
    assert installing == {"installing for python3.13 x86_64", "waiting for the installation"}
    counts = [event.done for event in shop.events if event.phase == "index"]
    assert counts == [None, len(made[0].data), len(made[0].data) + len(made[1].data)]
    assert [event.text for event in shop.events if event.phase == "compare"] == ["comparing what was installed"]


def test_nothing_is_compared_before_it_is_installed(shop: Shop) -> None:
    """Wheels that are known are read before the image has installed them."""
    told = threading.Event()

    class Slow(Looked):
        def lay_down(
            self, rooms: Sequence[Sequence[WheelFile]], target: Target, *, listen: Listener
        ) -> Sequence[Laid] | None:
            assert told.wait(20)
            return super().lay_down(rooms, target, listen=listen)

    def listen(event: Event) -> None:
        shop.events.append(event)
        if event.text in ("waiting for the installation", "comparing what was installed"):
            told.set()

    pin = shop.pin(wheel("one"))
    provision = make_provision(shop.cache, Slow(image=IMAGE), listen=listen)
    install([pin], target("3.13"), provision=provision, uv_version="0.13.8")
    assert [event.text for event in shop.events][-3:] == [
        "waiting for the installation",
        "installing for python3.13 x86_64",
        "comparing what was installed",
    ]


def test_of_builds_of_the_same_distribution_one_installs_and_the_others_wait(shop: Shop) -> None:
    one = shop.pin(wheel("one"))
    began, go_on = threading.Event(), threading.Event()

    class Slow(FakeBuilder):
        """Stays in an installation until it may go on."""

        def lay_down(
            self, rooms: Sequence[Sequence[WheelFile]], target: Target, *, listen: Listener
        ) -> Sequence[Laid] | None:
            began.set()
            assert go_on.wait(20)
            return super().lay_down(rooms, target, listen=listen)

    def wait(event: Event) -> None:
        shop.events.append(event)
        if event.phase == "wait":
            go_on.set()

    def installed(builder: FakeBuilder, listen: Listener) -> Installed:
        provision = make_provision(shop.cache, builder, listen=listen)
        return install([one], target(), provision=provision, uv_version="0.13.8")

    def ignore(event: Event) -> None:
        pass

    with ThreadPoolExecutor() as pool:
        first = pool.submit(installed, Slow(image=IMAGE), ignore)
        assert began.wait(20)
        second = installed(shop.builder, wait)
    assert (first.result().fresh, second.fresh) == (1, 0)
    assert files(second.segments[one]) == files(first.result().segments[one])
    assert shop.builder.laid == []
    assert shop.events == [Event(phase="wait", text="waiting for another build that installs the same distributions")]
