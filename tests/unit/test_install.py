"""steps.install: pins to segments through the fake builder, the real cache and the real packing."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from lambdabuild.builders.base import Image, Installation, InstalledFile
from lambdabuild.cache import Cache
from lambdabuild.errors import BuildError, PolicyError
from lambdabuild.model.events import Event, Listener, ignore
from lambdabuild.model.requirements import Pin
from lambdabuild.model.segment import Segment, parse_record
from lambdabuild.model.target import Target
from lambdabuild.model.wheels import NoWheel
from lambdabuild.steps.install import Installed, install
from lambdabuild.zipformat import DEFLATED, STORED
from tests.contract.fake_builder import PYTHON, FakeBuilder
from tests.removals import wait_for_removals
from tests.samples import content, target
from tests.wheels import Wheel, record_row, wheel

TEXT = "a text that deflates well, " * 40


class Shop:
    """A fake builder with wheels on offer, and a cache."""

    def __init__(self, root: Path) -> None:
        self.wheels: dict[str, Wheel] = {}
        self.builder = FakeBuilder(self.wheels)
        self.cache = Cache(root)
        self.cache.ensure()
        self.events: list[Event] = []

    def pin(self, wheel: Wheel) -> Pin:
        url = f"https://files.example/{wheel.filename}"
        self.wheels[url] = wheel
        return Pin(name=wheel.name.replace("_", "-"), version=wheel.version, kind="wheel", url=url, sha256=wheel.sha256)

    def install(self, *pins: Pin, python: str = "3.13") -> Installed:
        return install(
            pins, target(python), builder=self.builder, cache=self.cache, uv_version="0.13.8", listen=self.events.append
        )

    @property
    def orders(self) -> list[list[list[str]]]:
        """Names in each room of each installation."""
        return [[[pin.name for pin in room] for room in order.rooms] for order in self.builder.orders]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "cache")


def files(segment: Segment) -> dict[str, bytes]:
    return {member.path: content(member) for member in segment.members}


def refused(shop: Shop, *pins: Pin) -> str:
    with pytest.raises(PolicyError) as caught:
        shop.install(*pins)
    assert shop.builder.open == 0
    return str(caught.value)


def test_nothing_to_install(shop: Shop) -> None:
    installed = shop.install()
    assert (installed.segments, installed.image, installed.fresh) == ({}, None, 0)
    assert shop.orders == []


def test_files_are_grouped_by_their_record(shop: Shop) -> None:
    one = wheel(
        "one", files={"one/__init__.py": TEXT, "shared/one.py": "1", "one.so": b"\x7fELF"}, executables=["one.so"]
    )
    two = wheel("two_parts", "2.0", {"two.py": "", "shared/two.py": "2"})
    pins = shop.pin(one), shop.pin(two)
    installed = shop.install(*pins)
    assert {pin.name: files(segment) for pin, segment in installed.segments.items()} == {
        "one": {path: data for path, data in one.files.items() if path != "one-1.0.dist-info/RECORD"}
        | {"one-1.0.dist-info/RECORD": _canonical(one.files)},
        "two-parts": {path: data for path, data in two.files.items() if path != "two_parts-2.0.dist-info/RECORD"}
        | {"two_parts-2.0.dist-info/RECORD": _canonical(two.files)},
    }
    segment = installed.segments[pins[1]]
    assert (segment.name, segment.version) == ("two-parts", "2.0")
    assert installed.fresh == 2
    assert shop.orders == [[["one", "two-parts"]]]


def _canonical(files: Mapping[str, bytes]) -> bytes:
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
    assert {oct(member.mode) for member in members if member.path != "a-b.so"} == {"0o644"}
    assert oct(members[0].mode) == "0o755"
    assert {member.path: member.method for member in members if len(member.path) < 7} == {
        "a-b.so": STORED,
        "a/b.py": STORED,
        "z.py": DEFLATED,
    }


def test_what_uv_leaves_for_itself_is_in_no_segment(shop: Shop) -> None:
    pin = shop.pin(wheel("one"))
    assert ".lock" not in files(shop.install(pin).segments[pin])


def test_launchers_start_the_runtimes_python_and_their_record_says_so(shop: Shop) -> None:
    tool = wheel("tool", files={"tool.py": "", "bin/data": "no script"}, launchers={"run-tool": "tool:main"})
    pin = shop.pin(tool)
    found = files(shop.install(pin).segments[pin])
    launcher = b"#!/var/lang/bin/python3.13\n# tool:main\n"
    assert found["bin/run-tool"] == launcher
    assert found["bin/data"] == b"no script"
    rows = {row.path: row.sha256 for row in parse_record(found["tool-1.0.dist-info/RECORD"].decode())}
    assert rows["bin/run-tool"] == sha256(launcher).hexdigest()
    assert f",{len(launcher)}\n" in found["tool-1.0.dist-info/RECORD"].decode()
    assert rows.keys() == found.keys()
    assert PYTHON.encode() not in b"".join(found.values())
    modes = {member.path: member.mode for member in shop.install(pin).segments[pin].members}
    assert modes["bin/run-tool"] == 0o755


def test_what_the_cache_has_is_not_installed_again(shop: Shop) -> None:
    one, two = shop.pin(wheel("one")), shop.pin(wheel("two"))
    first = shop.install(one)
    assert shop.install(one) == replace(first, fresh=0)
    assert shop.orders == [[["one"]]]
    both = shop.install(one, two)
    assert shop.orders == [[["one"]], [["two"]]]
    assert (both.fresh, both.segments[one]) == (1, first.segments[one])
    assert shop.install(one, python="3.12").fresh == 1


def test_another_image_is_another_installation(shop: Shop) -> None:
    pin = shop.pin(wheel("one"))
    shop.install(pin)
    image = Image(reference="lambda:3.13", digest="sha256:" + "12" * 32)
    shop.builder = FakeBuilder(shop.wheels, image=image)
    installed = shop.install(pin)
    assert (installed.image, installed.fresh) == (image, 1)
    assert shop.install(pin) == replace(installed, fresh=0, asked=False)


def test_a_damaged_segment_is_made_again(shop: Shop) -> None:
    pin = shop.pin(wheel("one"))
    first = shop.install(pin)
    (path,) = shop.cache.segments.rglob("*.segment")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert shop.install(pin) == first
    assert path.read_bytes() == whole


def test_equal_files_of_two_distributions_are_in_both(shop: Shop) -> None:
    one = shop.pin(wheel("one", files={"space/__init__.py": "", "space/one.py": "1"}))
    two = shop.pin(wheel("two", files={"space/__init__.py": "", "space/two.py": "2"}))
    installed = shop.install(one, two)
    assert "space/__init__.py" in files(installed.segments[one])
    assert "space/__init__.py" in files(installed.segments[two])
    assert shop.orders == [[["one", "two"]]]


def test_a_distribution_that_another_overwrote_is_installed_again_alone(shop: Shop) -> None:
    one = shop.pin(wheel("one", files={"shared.py": "ONE", "one.py": "1"}))
    two = shop.pin(wheel("two", files={"shared.py": "TWO"}))
    fine = shop.pin(wheel("fine"))
    installed = shop.install(one, two, fine)
    assert files(installed.segments[one])["shared.py"] == b"ONE"
    assert files(installed.segments[two])["shared.py"] == b"TWO"
    assert shop.orders == [[["one", "two", "fine"]], [["one"]]]
    assert installed.fresh == 3
    assert shop.install(one, two, fine).fresh == 0


def test_launchers_of_one_name_are_told_apart(shop: Shop) -> None:
    one = shop.pin(wheel("one", launchers={"run": "one:main"}))
    two = shop.pin(wheel("two", launchers={"run": "two:main"}))
    installed = shop.install(one, two)
    assert files(installed.segments[one])["bin/run"].endswith(b"# one:main\n")
    assert files(installed.segments[two])["bin/run"].endswith(b"# two:main\n")


def test_three_that_overwrite_each_other(shop: Shop) -> None:
    pins = [shop.pin(wheel(name, files={"shared.py": name})) for name in ("one", "two", "three")]
    installed = shop.install(*pins)
    assert [files(installed.segments[pin])["shared.py"].decode() for pin in pins] == ["one", "two", "three"]
    assert shop.orders == [[["one", "two", "three"]], [["one"], ["two"]]]


def test_versions_of_one_distribution_are_kept_apart(shop: Shop) -> None:
    versions = [shop.pin(wheel("one", version, {"one.py": version})) for version in ("1.0", "1.1", "2.0")]
    others = [shop.pin(wheel("two", version)) for version in ("1.0", "2.0")]
    installed = shop.install(*versions, *others)
    assert [files(installed.segments[pin])["one.py"].decode() for pin in versions] == ["1.0", "1.1", "2.0"]
    assert shop.orders == [[["one", "two"], ["one", "two"], ["one"]]]
    assert installed.fresh == 5


def broken(name: str, *rows: Sequence[str], files: Mapping[str, str]) -> Wheel:
    """A wheel with a RECORD of these rows for its files, and true ones for its metadata."""
    metadata = [(path, data) for path, data in wheel(name).files.items() if ".dist-info/" in path]
    record = [*rows, *(record_row(path, data) for path, data in metadata if not path.endswith("RECORD"))]
    return wheel(name, files=files, record="".join(",".join(row) + "\n" for row in record))


def test_a_file_that_no_record_lists(shop: Shop) -> None:
    pin = shop.pin(broken("one", record_row("one.py", b""), files={"one.py": "", "extra.py": ""}))
    assert refused(shop, shop.pin(wheel("two")), pin) == (
        "extra.py was installed, but no RECORD lists it\n"
        "  hint: a wheel among these carries files that it does not declare: two, one"
    )


HASH_HINT = "\n  hint: the wheel is damaged or was changed; choose another version of one"


def test_a_file_with_another_hash(shop: Shop) -> None:
    pin = shop.pin(broken("one", record_row("one.py", b"else"), files={"one.py": "this"}))
    assert refused(shop, shop.pin(wheel("two")), pin) == (
        f"one 1.0: one.py is not the file that its RECORD claims{HASH_HINT}"
    )
    assert list(shop.cache.segments.rglob("*.segment")) == []


def test_a_file_that_is_missing(shop: Shop) -> None:
    pin = shop.pin(broken("one", record_row("one.py", b""), record_row("gone.py", b""), files={"one.py": ""}))
    assert refused(shop, pin) == f"one 1.0: gone.py is not the file that its RECORD claims{HASH_HINT}"


def test_a_record_that_contradicts_itself(shop: Shop) -> None:
    pin = shop.pin(broken("one", record_row("one.py", b"A"), record_row("one.py", b"B"), files={"one.py": "A"}))
    assert refused(shop, pin) == f"one 1.0: one.py is not the file that its RECORD claims{HASH_HINT}"


@pytest.mark.parametrize("record", ["one.py,sha256=A,1\n", "\udcff.py,,\n"])
def test_a_record_that_cannot_be_read(shop: Shop, record: str) -> None:
    made = wheel("one", record="")
    data = record.encode(errors="surrogateescape")
    pin = shop.pin(replace(made, files={**made.files, "one-1.0.dist-info/RECORD": data}))
    assert refused(shop, pin).startswith("one-1.0.dist-info/RECORD cannot be read: ")


def test_no_record_at_all(shop: Shop) -> None:
    made = wheel("one")
    files = {path: data for path, data in made.files.items() if not path.endswith("RECORD")}
    pin = shop.pin(replace(made, files=files))
    assert refused(shop, pin) == "one 1.0: the installed tree has no RECORD of it, so its files cannot be told"


def test_sdists_get_rooms_of_their_own(shop: Shop) -> None:
    why = NoWheel(name="src", version="1.0", target=target(), wheels=(), needed_glibc=None, usable_by=())
    source = Pin(
        name="src", version="1.0", kind="sdist", url="https://files.example/src.tar.gz", sha256="", no_wheel=why
    )
    with pytest.raises(BuildError) as caught:
        shop.install(shop.pin(wheel("one")), source)
    assert caught.value.message == (
        "src 1.0 has no wheel for python3.13 x86_64, only a source distribution\nthe fake builder installs wheels only"
    )


def test_nothing_is_left_of_a_failed_installation(shop: Shop) -> None:
    pin = shop.pin(wheel("one"))
    refused(shop, replace(pin, sha256="00" * 32))
    wait_for_removals()
    left = [path.name for path in shop.cache.root.rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert left == ["CACHEDIR.TAG"]


def test_progress_counts_bytes(shop: Shop) -> None:
    made = wheel("one", files={"one.py": TEXT})
    shop.install(shop.pin(made))
    counts = [event.done for event in shop.events if event.phase == "deflate"]
    assert counts == sorted(counts, key=lambda done: done or 0)
    assert counts[-1] == sum(map(len, made.files.values()))


def test_segments_do_not_depend_on_company(shop: Shop, tmp_path: Path) -> None:
    wheels = [
        wheel(name, files={f"{name}.py": TEXT, "shared.py": "S"}, launchers={name: f"{name}:main"})
        for name in ("one", "two")
    ]
    together = shop.install(*map(shop.pin, wheels))
    alone = Shop(tmp_path / "other")
    for pin in map(alone.pin, reversed(wheels)):
        assert files(alone.install(pin).segments[pin]) == files(together.segments[pin])
    entries = [
        {path.name: path.read_bytes() for path in each.cache.segments.rglob("*.segment")} for each in (shop, alone)
    ]
    assert entries[0] == entries[1]


def test_a_listener_may_know_nothing(shop: Shop) -> None:
    pin = shop.pin(wheel("one"))
    installed = install([pin], target(), builder=shop.builder, cache=shop.cache, uv_version="1", listen=ignore)
    assert installed.fresh == 1


def test_of_builds_of_the_same_distribution_one_installs_and_the_others_wait(shop: Shop) -> None:
    one = shop.pin(wheel("one"))
    began, go_on = threading.Event(), threading.Event()

    class Slow(FakeBuilder):
        """Stays in an installation until it may go on."""

        @contextmanager
        def install(self, order: Installation, *, listen: Listener) -> Iterator[Iterator[InstalledFile]]:
            began.set()
            assert go_on.wait(20)
            with super().install(order, listen=listen) as files:
                yield files

    def wait(event: Event) -> None:
        shop.events.append(event)
        if event.phase == "wait":
            go_on.set()

    slow = Slow(shop.wheels)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(
            install, [one], target(), builder=slow, cache=shop.cache, uv_version="0.13.8", listen=ignore
        )
        assert began.wait(20)
        second = install([one], target(), builder=shop.builder, cache=shop.cache, uv_version="0.13.8", listen=wait)
    assert (first.result().fresh, second.fresh) == (1, 0)
    assert second.segments == first.result().segments
    assert shop.orders == []
    assert shop.events == [Event(phase="wait", text="waiting for another build that installs the same distributions")]


class Looked(FakeBuilder):
    """Counts how often it is asked for its image."""

    looks = 0

    def image(self, target: Target, *, listen: Listener) -> Image | None:
        self.looks += 1
        return super().image(target, listen=listen)


def test_where_all_is_in_the_cache_no_engine_is_asked(shop: Shop) -> None:
    one, two = shop.pin(wheel("one")), shop.pin(wheel("two"))
    image = Image(reference="lambda:3.13", digest="sha256:" + "12" * 32)

    def installed(builder: FakeBuilder, *pins: Pin, refresh: bool = False) -> Installed:
        return install(
            pins,
            target(),
            builder=builder,
            cache=shop.cache,
            uv_version="0.13.8",
            listen=ignore,
            refresh=refresh,
        )

    first, again = Looked(shop.wheels, image=image), Looked(shop.wheels, image=image)
    assert installed(first, one).image == image
    found = installed(again, one)
    assert (found.image, found.builder, found.fresh) == (image, "fake", 0)
    assert again.looks == 0
    assert installed(again, one, refresh=True).image == image
    assert again.looks == 1
    newer = replace(image, digest="sha256:" + "34" * 32)
    changed = Looked(shop.wheels, image=newer)
    assert (installed(changed, one).image, changed.looks) == (image, 0)
    both = installed(changed, one, two)
    assert (both.image, both.fresh, changed.looks) == (newer, 2, 1)
    assert (installed(changed, one).image, changed.looks) == (newer, 1)
