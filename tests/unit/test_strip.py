"""steps.strip: segments without symbols, and what becomes of the files that break without them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lambdabuild.cache import Cache
from lambdabuild.model.events import Event, ignore
from lambdabuild.model.facts import Binary, Facts, Lookup
from lambdabuild.model.segment import Member, Segment, format_record, parse_record
from lambdabuild.steps.strip import Stripped, strip_symbols
from tests.contract.fake_builder import FakeBuilder
from tests.samples import content, member, pin, segment, target

GOOD = b"code[symbols]"
PATHS = {
    "native/good.cpython-313-x86_64-linux-gnu.so": GOOD,
    "native/lib/libplain.so.1.2": b"code",
    "native/brittle.so": b"BRITTLE[symbols]",
    "native.libs/libgrafted-0a1b2c.so.5.0.0": b"grafted[symbols]",
    "other/native.libs/libdeep.so": b"deep[symbols]",
    "native/__init__.py": b"[not symbols]",
    "native/some.so.txt": b"[not symbols]",
}


def recorded(name: str, *members: Member) -> Segment:
    """A segment with a RECORD of its files."""
    folder = f"{name}-1.0.dist-info"
    rows = parse_record("".join(f"{one.path},{_hash(one)},{one.size}\n" for one in members) + f"{folder}/RECORD,,\n")
    record = member(f"{folder}/RECORD", format_record(rows, {one.path: one.size for one in members}))
    return segment(name, "1.0", *sorted((*members, record), key=lambda one: one.path.encode()))


def _hash(one: Member) -> str:
    return "sha256=" + base64.urlsafe_b64encode(bytes.fromhex(one.sha256)).rstrip(b"=").decode()


NATIVE = recorded("native", *(member(path, data, 0o755) for path, data in PATHS.items()))
PURE = recorded("pure", member("pure.py", "PURE = 1"))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    made = Cache(tmp_path / "cache")
    made.ensure()
    return made


@pytest.fixture
def strip(cache: Cache) -> Callable[..., Stripped]:
    def run(*segments: Segment, builder: FakeBuilder, listen: Callable[[Event], None] = ignore) -> Stripped:
        named = {pin(one.name, one.version): one for one in segments}
        return strip_symbols(named, target(), builder=builder, cache=cache, listen=listen)

    return run


def contents(made: Segment) -> dict[str, bytes]:
    return {one.path: content(one) for one in made.members}


def test_what_is_stripped(strip: Callable[..., Stripped]) -> None:
    builder = FakeBuilder()
    made = strip(NATIVE, PURE, builder=builder)
    native, pure = made.segments.values()
    assert pure is PURE
    found = contents(native)
    record = found.pop("native-1.0.dist-info/RECORD").decode()
    assert found == {**PATHS, "native/good.cpython-313-x86_64-linux-gnu.so": b"code"}
    assert {one.path: one.mode for one in native.members if one.path in PATHS} == dict.fromkeys(PATHS, 0o755)
    assert [one.path for one in native.members] == [one.path for one in NATIVE.members]
    hashes = {row.path: row.sha256 for row in parse_record(record)}
    assert hashes == {
        **{path: hashlib.sha256(data).hexdigest() for path, data in found.items()},
        "native-1.0.dist-info/RECORD": None,
    }
    assert builder.transformed == [
        ["native/brittle.so", "native/good.cpython-313-x86_64-linux-gnu.so", "native/lib/libplain.so.1.2"]
    ]


def test_what_was_saved_and_restored(strip: Callable[..., Stripped]) -> None:
    made = strip(NATIVE, PURE, builder=FakeBuilder())
    assert made.saved == {hashlib.sha256(b"code").hexdigest(): len("[symbols]")}
    assert made.restored == {"native 1.0": {"native/brittle.so": "it would break"}}
    assert made.version == "fake strip"


def test_nothing_to_strip(strip: Callable[..., Stripped]) -> None:
    builder = FakeBuilder()
    made = strip(PURE, builder=builder)
    assert tuple(made.segments.values()) == (PURE,)
    assert (made.saved, made.restored, made.version) == ({}, {}, None)
    assert builder.transformed == []


def test_the_cache_holds_both(strip: Callable[..., Stripped]) -> None:
    builder, events = FakeBuilder(), list[Event]()
    first = strip(NATIVE, builder=builder, listen=events.append)
    assert [(event.phase, event.text) for event in events] == [("strip", "stripping 3 files for python3.13 x86_64")]
    events.clear()
    again = strip(NATIVE, builder=builder, listen=events.append)
    assert contents(*again.segments.values()) == contents(*first.segments.values())
    assert (again.saved, again.restored, again.version) == (first.saved, first.restored, first.version)
    assert (len(builder.transformed), events) == (1, [])
    changed = recorded("native", *(member(path, data + b"!", 0o755) for path, data in PATHS.items()))
    strip(changed, builder=builder)
    assert len(builder.transformed) == 2


def test_facts_follow_their_files(strip: Callable[..., Stripped]) -> None:
    good, other = "native/good.cpython-313-x86_64-linux-gnu.so", "native/brittle.so"
    facts = Facts(
        lookups=(Lookup(path="native/__init__.py", line=1), Lookup(path=good, line=0)),
        binaries=tuple(
            Binary(path=path, machine="x86_64", soname=None, needed=("libc.so.6",), versions=())
            for path in (good, other)
        ),
    )
    ((_, native),) = strip(replace(NATIVE, facts=facts), builder=FakeBuilder()).segments.items()
    assert [one.path for one in native.facts.lookups] == ["native/__init__.py"]
    assert [one.path for one in native.facts.binaries] == [other]  # what is left of the good one is no ELF file
