"""memberfile: members are kept with their data, but for what lies in a wheel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lambdabuild.memberfile import Place, format_members, parse_members
from lambdabuild.model.segment import Member, Slice
from tests.samples import content, member

TEXT = "text that deflates well, " * 20
MEMBERS = (member("demo/a.py", TEXT), member("demo/é.bin", b"\0\xff", 0o755), member("empty"))


def described(members: tuple[Member, ...]) -> list[tuple[Member, bytes]]:
    return [(replace(one, data=b""), content(one)) for one in members]


def test_what_is_kept_is_read_back_from_where_it_lies_or_from_memory(tmp_path: Path) -> None:
    kept = format_members({"name": "dämo", "count": 3}, MEMBERS)
    file = tmp_path / "file"
    file.write_bytes(b"before" + kept)
    for place in (Place(file, len("before")), None):
        document, members = parse_members(kept, place)
        assert (document["name"], document["count"]) == ("dämo", 3)
        assert described(members) == described(MEMBERS)
        assert all(isinstance(one.data, Slice if place else bytes) for one in members)
        assert format_members({"name": "dämo", "count": 3}, members) == kept


def test_what_lies_in_the_wheel_stays_there(tmp_path: Path) -> None:
    first, second, third = MEMBERS
    assert isinstance(first.data, bytes)
    assert isinstance(second.data, bytes)
    wheel, other, moved = tmp_path / "wheel", tmp_path / "other", tmp_path / "moved"
    for path, data in ((wheel, first.data), (other, second.data), (moved, first.data)):
        path.write_bytes(b"zip" + data)
    members = (replace(first, data=Slice(wheel, 3)), replace(second, data=Slice(other, 3)), third)
    kept = format_members({}, members, wheel=wheel)
    assert first.data not in kept
    assert second.data in kept
    other.unlink()
    wheel.unlink()
    _, found = parse_members(kept, None, wheel=moved)
    assert found[0].data == Slice(moved, 3)
    assert described(found) == described(MEMBERS)
