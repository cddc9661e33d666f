"""steps.compress: trees whose members are deflated anew where that pays, and what is kept of them."""

from __future__ import annotations

import io
import os
import random
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from lambdabuild.cache import Cache
from lambdabuild.errors import MachineError
from lambdabuild.model.events import Event
from lambdabuild.model.segment import Member
from lambdabuild.model.split import zipped_size
from lambdabuild.model.tree import Tree, source_tree
from lambdabuild.slices import each_with_data
from lambdabuild.steps.compress import compress
from lambdabuild.zipformat import DEFLATED, STORED, write_zip
from tests.samples import content, member


def dense(seed: int, words: int = 15_000) -> bytes:
    """Text of random words, which deflates to a third."""
    chance = random.Random(seed)
    known = ["".join(chance.choices("abcdefghijklmnop", k=chance.randint(3, 9))) for _ in range(3_000)]
    return " ".join(chance.choices(known, k=words)).encode()


DENSE, OTHER = member("a/dense.so", dense(1), 0o755), member("a/other.so", dense(2))
FLAT = member("a/flat.txt", " ".join(random.Random(3).choices(["again", "and", "the same"], k=100_000)))
PACKED = member("a/packed.bin", bytes(random.Random(4).choices(range(230), k=20_000)))
SMALL = member("a/small.py", dense(3, 500))
NOISE = member("a/noise.gz", random.Random(4).randbytes(20_000))
LEFT_ALONE = (FLAT, NOISE, PACKED, SMALL)
TREE = source_tree([DENSE, OTHER, *LEFT_ALONE])


def small(tree: Tree, folder: Path, events: list[Event] | None = None) -> Tree:
    cache = Cache(folder)
    cache.ensure()
    return compress({"one": tree}, cache=cache, listen=[].append if events is None else events.append)["one"]


def archive(tree: Tree) -> bytes:
    out = io.BytesIO()
    write_zip(out, tree.members)
    return out.getvalue()


def kept(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("deflated/*") if path.is_file())


def test_the_members_are_what_they_are_for() -> None:
    assert [one.method for one in (DENSE, FLAT, PACKED, SMALL)] == [DEFLATED] * 4
    assert NOISE.method == STORED
    assert [one.compressed_size > 8192 for one in (DENSE, FLAT, PACKED, SMALL)] == [True, True, True, False]
    shares = [one.compressed_size / one.size for one in (FLAT, DENSE, SMALL, PACKED)]
    assert shares[0] < 0.28 < shares[1] < shares[2] < 0.9 < shares[3] < 1


def test_what_is_dense_gets_smaller_and_the_rest_stays(tmp_path: Path) -> None:
    made = small(TREE, tmp_path)
    assert made.content_digest == TREE.content_digest
    assert list(made.entries) == list(TREE.entries)
    for old, new in zip(TREE.members, made.members, strict=True):
        assert content(new) == content(old)
        assert (new.path, new.mode, new.size, new.crc32, new.sha256) == (
            *(old.path, old.mode, old.size, old.crc32, old.sha256),
        )
        assert (new.compressed_size < old.compressed_size) == (old in (DENSE, OTHER))
    assert [made.entries[one.path].member for one in LEFT_ALONE] == [*LEFT_ALONE]
    assert 0.9 * zipped_size(TREE) < zipped_size(made) < 0.995 * zipped_size(TREE)


def test_the_archive_is_one_that_others_open(tmp_path: Path) -> None:
    made = archive(small(TREE, tmp_path))
    assert len(made) == zipped_size(small(TREE, tmp_path))
    with zipfile.ZipFile(io.BytesIO(made)) as opened:
        assert opened.testzip() is None
        assert {one: opened.read(one) for one in opened.namelist()} == {one.path: content(one) for one in TREE.members}


def test_each_content_is_deflated_once(tmp_path: Path) -> None:
    again = replace(DENSE, path="b/dense.so", mode=0o644)
    events: list[Event] = []
    made = small(source_tree([DENSE, again, OTHER]), tmp_path, events)
    assert made.entries["b/dense.so"].member == replace(
        made.entries["a/dense.so"].member, path="b/dense.so", mode=0o644
    )
    assert len(kept(tmp_path)) == 2
    total = DENSE.size + OTHER.size
    assert events[0] == Event(phase="compress", text="deflating 2 files anew")
    assert events[-1] == Event(phase="compress", text="deflating 2 files anew", done=total, total=total)
    warm: list[Event] = []
    assert archive(small(source_tree([DENSE, again, OTHER]), tmp_path, warm)) == archive(made)
    assert warm == []


@pytest.mark.parametrize("cores", [1, 7])
def test_the_bytes_depend_on_no_cache_and_no_number_of_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    expected = archive(small(TREE, tmp_path / "other"))
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    small(source_tree([OTHER]), tmp_path / "half")
    assert archive(small(TREE, tmp_path / "half")) == expected
    assert archive(small(TREE, tmp_path / "cold")) == expected


@pytest.mark.parametrize("at", [0, 200, -1])
def test_what_was_kept_and_is_damaged_is_made_again(tmp_path: Path, at: int) -> None:
    expected = archive(small(TREE, tmp_path))
    for path in kept(tmp_path):
        whole = bytearray(path.read_bytes())
        whole[at] ^= 1
        path.write_bytes(whole)
    assert archive(small(TREE, tmp_path)) == expected
    assert archive(small(TREE, tmp_path)) == expected


def test_what_did_not_pay_stays_as_it_was_and_is_not_tried_again(tmp_path: Path) -> None:
    (best,) = small(source_tree([DENSE]), tmp_path / "other").members
    tree, events = source_tree([best]), list[Event]()
    for _ in range(2):
        (found,) = small(tree, tmp_path / "cache", events).members
        assert found == best
    assert [event.done for event in events] == [None, DENSE.size]


def test_a_stored_member_is_left_alone(tmp_path: Path) -> None:
    plain = content(DENSE)
    stored = replace(DENSE, method=STORED, compressed_size=len(plain), data=plain)
    assert list(small(source_tree([stored]), tmp_path).members) == [stored]


def test_a_member_that_is_not_what_it_was_is_an_error(tmp_path: Path) -> None:
    ((_, data),) = each_with_data([DENSE])
    wrong = replace(DENSE, data=data[:5000] + bytes(9) + data[5009:])
    with pytest.raises(MachineError) as caught:
        small(source_tree([wrong, OTHER]), tmp_path)
    assert str(caught.value).startswith("a/dense.so, as it lies in the cache, does not unpack to the size")
    assert caught.value.hint == "lambdabuild cache verify"


def test_an_interrupt_leaves_nothing_half_done(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.ensure()

    def interrupt(event: Event) -> None:
        if event.done is not None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compress({"one": TREE}, cache=cache, listen=interrupt)
    assert not list(tmp_path.rglob(".new-*"))
    assert archive(small(TREE, tmp_path)) == archive(small(TREE, tmp_path / "other"))


def test_nothing_to_do_is_nothing_said(tmp_path: Path) -> None:
    events: list[Event] = []
    assert compress({}, cache=Cache(tmp_path), listen=events.append) == {}
    members: list[Member] = [SMALL, NOISE]
    assert small(source_tree(members), tmp_path, events) == source_tree(members)
    assert events == []
