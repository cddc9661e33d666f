"""steps.metadata: the names that a distribution is imported by, written where its wheel does not say."""

from __future__ import annotations

import pytest

from lambdabuild.model.segment import Segment
from lambdabuild.model.treatment import Slimming
from lambdabuild.steps.metadata import top_level_names, with_top_level
from tests.samples import content, member, segment

AUTO = Slimming()


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (("one/__init__.py", "one/a.py", "two.py"), ("one", "two")),
        (("ns/one/a.py",), ("ns",)),
        (("_one.cpython-313-x86_64-linux-gnu.so", "two/_a.abi3.so", "three.pyc"), ("_one", "three", "two")),
        (("bin/one.py", "bin/one", "one.libs/liba.so.3", "one-1.0.data/a.py"), ()),
        (("bin/__init__.py", "bin/a.py"), ("bin",)),
        (("one/a.json", "one.pth", "__init__.py"), ()),
    ],
)
def test_names_that_a_distribution_is_imported_by(paths: tuple[str, ...], names: tuple[str, ...]) -> None:
    assert top_level_names(paths) == names


def one(*top_level: str, vendored: str = "one/_vendor/") -> Segment:
    files = {"one-1.0.dist-info/METADATA": "", "one/__init__.py": "", f"{vendored}x.dist-info/METADATA": ""}
    files |= dict.fromkeys(("one-1.0.dist-info/top_level.txt",) if top_level else (), "".join(top_level))
    return segment("one", "1.0", *(member(path, files[path]) for path in sorted(files)))


@pytest.mark.parametrize("empty", [(), ("",), ("\n",)])
def test_a_distribution_that_does_not_say(empty: tuple[str, ...]) -> None:
    (found,) = with_top_level([one(*empty)], AUTO)
    paths = [member.path for member in found.members]
    assert paths == sorted(paths)
    assert paths.count("one-1.0.dist-info/top_level.txt") == 1
    made = next(member for member in found.members if member.path == "one-1.0.dist-info/top_level.txt")
    assert content(made) == b"one\n"


def test_a_distribution_that_says_or_has_nothing_to_say() -> None:
    alone = segment("two", "1.0", member("two-1.0.dist-info/METADATA"))
    without = segment("three", "1.0", member("three.py"))
    given = (one("other\n"), alone, without)
    assert with_top_level(given, AUTO) == given


@pytest.mark.parametrize("mode", ["strip", "keep"])
def test_absolute_modes_leave_metadata_as_it_is(mode: str) -> None:
    assert with_top_level([one()], Slimming(dist_info=mode)) == (one(),)  # type: ignore[arg-type]
