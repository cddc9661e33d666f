"""model.tree: set algebra on descriptions of artifacts."""

from __future__ import annotations

import hashlib

import pytest

from lambdabuild.errors import PolicyError
from lambdabuild.model.limits import Finding, Sized
from lambdabuild.model.patterns import distribution_rules
from lambdabuild.model.tree import SOURCES, Tree, overlaid, prefixed, segment_tree, source_tree
from tests.samples import member, segment

ALL = distribution_rules(keep=["*"])
SLIM = distribution_rules()

ONE = segment("one", "1.0", member("one.py", "ONE = 1\n"), member("zwei/__init__.py"))
TWO = segment("two", "2.0", member("two.py", "TWO = 22\n"), member("zwei/__init__.py"))


def owners(tree: Tree) -> dict[str, str]:
    return {path: entry.owner for path, entry in tree.entries.items()}


def test_entries_stand_in_the_byte_order_of_their_paths() -> None:
    paths = ["b.py", "a.py", "a/b.py", "a-b.py", "Z.py", "ä.py", "😀.py", "\uffee.py"]
    tree = source_tree(member(path) for path in paths)
    assert list(tree.entries) == ["Z.py", "a-b.py", "a.py", "a/b.py", "b.py", "ä.py", "\uffee.py", "😀.py"]
    assert list(source_tree(member(path) for path in reversed(paths)).entries) == list(tree.entries)


def test_distributions_are_united_and_slimmed() -> None:
    demo = segment(
        "demo", "3", member("demo/a.py", "1"), member("demo/tests/a.py"), member("demo-3.dist-info/METADATA")
    )
    assert owners(segment_tree([demo, ONE], SLIM)) == {
        "demo/a.py": "demo 3",
        "one.py": "one 1.0",
        "zwei/__init__.py": "one 1.0",
    }


def test_equal_files_of_two_distributions_are_shared_by_the_first_by_name() -> None:
    assert owners(segment_tree([TWO, ONE], ALL)) == owners(segment_tree([ONE, TWO], ALL))
    assert owners(segment_tree([TWO, ONE], ALL))["zwei/__init__.py"] == "one 1.0"


def test_different_files_at_one_path_are_refused_with_their_owners() -> None:
    three = segment("three", "3.0", member("one.py", "ONE = 3\n"), member("two.py", "TWO = 3\n"))
    with pytest.raises(PolicyError) as caught:
        segment_tree([three, TWO, ONE], ALL)
    assert str(caught.value) == (
        "one.py: one 1.0 and three 3.0 bring different files\n"
        "two.py: three 3.0 and two 2.0 bring different files\n"
        "  hint: leave one of the distributions out, or the path with an exclude pattern"
    )
    assert set(segment_tree([three, TWO, ONE], distribution_rules(["/one.py", "/two.py"])).entries) == {
        "zwei/__init__.py"
    }


def test_sizes_by_owner() -> None:
    tree = segment_tree([ONE, TWO], ALL)
    assert tree.unzipped_size == 17
    assert tree.shares() == {"one 1.0": 8, "two 2.0": 9}
    assert tree.sized("layer.zip") == Sized(name="layer.zip", unzipped_size=17, shares={"one 1.0": 8, "two 2.0": 9})
    assert source_tree([member("a.py", "123")]).shares() == {SOURCES: 3}


def test_a_prefix_moves_every_file() -> None:
    tree = source_tree([member("a.py", "A"), member("b/c.py", "C", 0o755)])
    moved = prefixed(tree, "python/")
    assert {path: (entry.member.path, entry.member.mode, entry.owner) for path, entry in moved.entries.items()} == {
        "python/a.py": ("python/a.py", 0o644, SOURCES),
        "python/b/c.py": ("python/b/c.py", 0o755, SOURCES),
    }
    assert prefixed(tree, "") is tree


def test_sources_lie_over_distributions_and_hiding_is_told() -> None:
    below = segment_tree([ONE, TWO], ALL)
    above = source_tree([member("one.py", "MINE = 1\n"), member("zwei/__init__.py"), member("app.py")])
    tree, findings = overlaid(below, above, name="api-fat.zip")
    assert owners(tree) == {"app.py": SOURCES, "one.py": SOURCES, "two.py": "two 2.0", "zwei/__init__.py": SOURCES}
    assert list(tree.entries) == sorted(tree.entries)
    assert findings == [
        Finding(
            severity="warning",
            code="hidden-module",
            message="api-fat.zip: one.py of the sources hides the one of one 1.0",
            hint="rename the module, or exclude one of the two",
            lint=True,
        )
    ]


def test_the_content_digest_is_over_paths_modes_and_contents() -> None:
    plain = source_tree([member("a.py", "A"), member("b.py", "B")])
    sha_a, sha_b = (hashlib.sha256(content).hexdigest() for content in (b"A", b"B"))
    assert plain.content_digest == hashlib.sha256(f"644 {sha_a} a.py\x00644 {sha_b} b.py\x00".encode()).hexdigest()
    others = [
        [member("a.py", "A"), member("c.py", "B")],
        [member("a.py", "A"), member("b.py", "C")],
        [member("a.py", "A"), member("b.py", "B", 0o755)],
        [member("a.py", "A")],
        [member("a.py", "A"), member("b.py", "B"), member("c.py", "")],
    ]
    digests = {source_tree(other).content_digest for other in others}
    assert len(digests) == len(others)
    assert plain.content_digest not in digests
