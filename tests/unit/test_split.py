"""model.split: layers that are too large for a direct upload, by sizes alone."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace

import pytest

from lambdabuild.errors import PolicyError
from lambdabuild.model.limits import MAX_ZIPPED
from lambdabuild.model.split import split_tree, zipped_size
from lambdabuild.model.tree import SOURCES, Entry, Tree, source_tree
from lambdabuild.zipformat import write_zip
from tests.samples import member

HEADERS, END = 30 + 46, 22
"""Bytes around a member, to which its name comes twice, and at the end of an archive (APPNOTE)."""


def entry(path: str, owner: str, size: int) -> Entry:
    """An entry that says it takes so many bytes of an archive, headers included."""
    headers = HEADERS + 2 * len(path.encode())
    return Entry(member=replace(member(path), compressed_size=size - headers), owner=owner)


def tree(sizes: Mapping[str, int]) -> Tree:
    """One file a distribution."""
    return Tree({f"{name}.py": entry(f"{name}.py", f"{name} 1.0", size) for name, size in sizes.items()})


def owners(parts: tuple[Tree, ...]) -> list[list[str]]:
    return [sorted(name.removesuffix(" 1.0") for name in part.shares()) for part in parts]


def split(**sizes: int) -> list[list[str]]:
    return owners(split_tree(tree(sizes), name="layer.zip"))


def test_the_size_is_that_of_the_archive() -> None:
    paths = ["python/a.py", "python/ä/😀.py", "python/bin"]
    members = [member(paths[0], "text " * 99), member(paths[1]), member(paths[2], bytes(range(256)), 0o755)]
    out = io.BytesIO()
    write_zip(out, members)
    assert zipped_size(source_tree(members)) == len(out.getvalue())
    assert zipped_size(Tree({})) == END


def test_what_fits_is_one_part() -> None:
    whole = tree({"a": MAX_ZIPPED - END - 1000, "b": 1000})
    assert split_tree(whole, name="layer.zip") == (whole,)
    assert split(a=MAX_ZIPPED - END) == [["a"]]


def test_a_byte_too_many_is_two_parts() -> None:
    assert split(a=MAX_ZIPPED - END - 1000, b=1001) == [["a"], ["b"]]


def test_the_largest_come_first_each_into_the_first_part_with_room() -> None:
    million = 1_000_000
    assert split(a=5 * million, b=30 * million, c=20 * million, d=40 * million, e=12 * million) == [
        ["d", "e"],
        ["b", "c"],
        ["a"],
    ]


def test_equal_sizes_go_by_name_whatever_the_order() -> None:
    third = MAX_ZIPPED // 3
    assert split(d=third, b=third, c=third, a=third) == split(a=third, b=third, c=third, d=third)
    assert split(d=third, b=third, c=third, a=third) == [["a", "b"], ["c", "d"]]


def test_a_distribution_stays_whole_and_in_order() -> None:
    half = MAX_ZIPPED // 2
    paths = ["python/numpy.libs/a.so", "python/numpy/b.py", "python/pandas/c.py", "python/zz/numpy.pth"]
    of = {path: "pandas 1.0" if "pandas" in path else "numpy 1.0" for path in paths}
    parts = split_tree(Tree({path: entry(path, of[path], half // 2) for path in paths}), name="layer.zip")
    assert [list(part.entries) for part in parts] == [[paths[0], paths[1], paths[3]], [paths[2]]]


def test_code_is_one_piece_as_a_distribution_is() -> None:
    third = MAX_ZIPPED // 3 + 1
    paths = {"a.py": SOURCES, "b.py": SOURCES, "c.py": "demo 1.0"}
    code = Tree({path: entry(path, owner, third) for path, owner in paths.items()})
    assert [list(part.entries) for part in split_tree(code, name="layer.zip")] == [["a.py", "b.py"], ["c.py"]]
    too_big = Tree({"a.py": entry("a.py", SOURCES, MAX_ZIPPED)})
    with pytest.raises(PolicyError) as caught:
        split_tree(too_big, name="layer.zip")
    assert caught.value.message == (
        "layer.zip cannot be split for a direct upload: (sources) alone has 52,428,822 bytes zipped, "
        "and 52,428,800 is the limit"
    )


def test_a_distribution_that_alone_does_not_fit() -> None:
    with pytest.raises(PolicyError) as caught:
        split(small=1000, torch=MAX_ZIPPED - END + 1)
    assert str(caught.value) == (
        "layer.zip cannot be split for a direct upload: torch 1.0 alone has 52,428,801 bytes zipped, "
        "and 52,428,800 is the limit\n"
        "  hint: upload the layer through S3, which has no such limit"
    )
    assert caught.value.exit_code == 3


def test_more_parts_than_a_function_may_have_layers() -> None:
    most = MAX_ZIPPED - END
    assert split(a=most, b=most, c=most, d=most, e=most) == [["a"], ["b"], ["c"], ["d"], ["e"]]
    with pytest.raises(PolicyError) as caught:
        split(a=most, b=most, c=most, d=most, e=most, f=1000)
    assert str(caught.value) == (
        "layer.zip takes 6 layers of 52,428,800 bytes zipped, and a function may have 5\n"
        "  hint: upload the layer through S3, or leave out what is not imported"
    )


def test_an_empty_layer_has_no_parts() -> None:
    assert split_tree(Tree({}), name="layer.zip") == ()
