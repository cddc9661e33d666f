"""model.removal: what is not in an artifact, by whose doing, and what brings it back."""

from __future__ import annotations

import pytest
import tomli

from lambdabuild.model.patterns import distribution_rules
from lambdabuild.model.removal import Reasons, keep_line, keep_pattern, over, removed_members
from lambdabuild.model.treatment import Slimming
from lambdabuild.model.tree import SOURCES, Tree, prefixed, segment_tree
from lambdabuild.model.verification import Removed
from tests.samples import member, segment


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("demo-1.0.dist-info/", "demo-*.dist-info/"),
        ("demo-1.0.egg-info/", "demo-*.egg-info/"),
        ("numpy/_core/tests/", "numpy/_core/tests/"),
        ("tests/", "/tests/"),
        ("words.dat", "/words.dat"),
        ("demo/words.dat", "demo/words.dat"),
        ("demo/[a]*?.dat", r"demo/\[a]\*\?.dat"),
        ("#demo/a b", r"\#demo/a b"),
        ("!demo/a ", r"\!demo/a\ "),
    ],
)
def test_a_pattern_that_keeps(path: str, pattern: str) -> None:
    assert keep_pattern(path) == pattern
    file = f"{path}file" if path.endswith("/") else path
    assert distribution_rules(exclude=["*"], keep=[pattern]).takes(file)
    below = distribution_rules(exclude=["*"], keep=[pattern]).takes(f"other/{file}")
    assert below == path.endswith("-info/")  # a name alone, because there it is the version that may change


def test_what_was_left_out_and_by_which_rule() -> None:
    demo = segment(
        "demo",
        "1.0",
        member("demo/__init__.py"),
        member("demo/data/a.dat"),
        member("demo/readme.md"),
        member("demo/tests/test_a.py"),
        member("demo/old.pyc"),
        member("demo-1.0.dist-info/METADATA"),
    )
    nothing_but_metadata = segment("meta", "1.0", member("meta-1.0.dist-info/METADATA"))
    of_another_artifact = segment("other", "1.0", member("other.py"))
    exclude = ("demo/data/", "*.md")
    tree = prefixed(segment_tree([demo], distribution_rules(exclude)), "python/")
    removed = removed_members(
        tree,
        [demo, nothing_but_metadata, of_another_artifact],
        [member("shared/x.txt"), member("shared/y.py")],
        Reasons(exclude=(*exclude, "*.txt"), slimming=Slimming(tests="strip"), reachable=True),
        root="python/",
    )
    assert [(one.member.path, one.owner, one.rule, one.keep) for one in removed] == [
        ("python/demo-1.0.dist-info/METADATA", "demo 1.0", 'dist-info = "auto"', "demo-*.dist-info/"),
        ("python/demo/data/a.dat", "demo 1.0", 'exclude "demo/data/"', "demo/data/"),
        ("python/demo/old.pyc", "demo 1.0", "a built-in rule", "demo/old.pyc"),
        ("python/demo/readme.md", "demo 1.0", 'exclude "*.md"', "demo/readme.md"),
        ("python/demo/tests/test_a.py", "demo 1.0", 'tests = "strip"', "demo/tests/"),
        ("python/meta-1.0.dist-info/METADATA", "meta 1.0", 'dist-info = "auto"', "meta-*.dist-info/"),
        ("python/shared/x.txt", SOURCES, 'exclude "*.txt"', "shared/x.txt"),
        ("python/shared/y.py", SOURCES, 'sources = "reachable"', "shared/y.py"),
    ]


@pytest.mark.parametrize(
    "path", ["a/b.txt", "b.txt", "a/[1].txt", "it's [1].txt", 'say "x".txt', "#x", "a/!b", "x?y*z", "b\\c"]
)
def test_the_line_that_keeps_a_file_is_toml_and_keeps_it(path: str) -> None:
    (pattern,) = tomli.loads(keep_line([keep_pattern(path)] * 2))["keep"]
    rules = distribution_rules(["*"], [pattern])
    assert (rules.takes(path), rules.takes(f"{path}.bak")) == (True, False)


def test_nothing_is_left_out() -> None:
    demo = segment("demo", "1.0", member("demo.py"))
    reasons = Reasons(exclude=(), slimming=Slimming())
    assert removed_members(segment_tree([demo], distribution_rules()), [demo], (), reasons, root="") == ()
    assert removed_members(Tree({}), [demo], (), reasons, root="") == ()


def test_what_several_layers_lack_together() -> None:
    def lacking(path: str, owner: str) -> Removed:
        return Removed(member=member(path), owner=owner, rule="r", keep="k")

    below, above = (lacking("a", "one"), lacking("b", "one")), (lacking("b", "two"), lacking("c", "two"))
    assert over([below, above], {"c": None}) == (below[0], above[0])


def test_an_sdk_that_is_left_to_the_runtime() -> None:
    """It is put back where something fails without it, and no pattern is what brings it back."""
    user = segment("user", "1.0", member("user.py"))
    botocore = segment("botocore", "2.0", member("botocore/__init__.py"))
    tree = segment_tree([user], distribution_rules())
    for leaves, expected in ((False, []), (True, [("botocore/__init__.py", "botocore 2.0", 'boto3 = "runtime"', "")])):
        reasons = Reasons(exclude=(), slimming=Slimming(), leaves_sdk=leaves)
        removed = removed_members(tree, [user, botocore], [], reasons, root="")
        assert [(one.member.path, one.owner, one.rule, one.keep) for one in removed] == expected
