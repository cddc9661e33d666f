"""model.patterns: what slimming takes out, what it must never take out, and who wins."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from lambdabuild.model.patterns import (
    PatternList,
    Rules,
    distribution_rules,
    parse_ignore_file,
    parse_patterns,
    source_rules,
)
from lambdabuild.model.treatment import Slimming

BOTH = ["a/__pycache__/b.cpython-313.pyc", "a/old.pyo", "a-1.0.dist-info/METADATA", "a.egg-info/PKG-INFO"]


@pytest.mark.parametrize("path", [*BOTH, "old.pyc", "numpy/tests/test_a.py", "tests/a.py", "a/test/b.py"])
def test_distributions_are_slimmed(path: str) -> None:
    assert not distribution_rules().takes(path)


@pytest.mark.parametrize(
    "path",
    [
        "a.py",
        "numpy/testing/__init__.py",
        "botocore/docs/__init__.py",
        "a/examples/b.py",
        "a/tests.py",
        "test",
        "a/pytest/b.py",
        "a.libs/libb.so.1",
        "a/py.typed",
        "a/.hidden",
        "A/TESTS/b.py",
    ],
)
def test_distributions_keep_what_they_import(path: str) -> None:
    assert distribution_rules().takes(path)


@pytest.mark.parametrize(
    "path",
    [
        *BOTH,
        ".git/config",
        "submodule/.git",
        ".gitignore",
        "a/.lambdaignore",
        "deep/.venv/bin/python",
        ".venv",
        ".env",
        ".env.local",
        "a/.DS_Store",
        "node_modules/a/index.js",
        "a/.ruff_cache/x",
        ".lambdabuild-x1/layer.zip",
    ],
)
def test_sources_leave_out_what_is_no_code(path: str) -> None:
    assert not source_rules().takes(path)
    assert not source_rules(exclude=["!*", "!*/", f"!{path}"]).takes(path)
    assert source_rules(keep=[path.split("/", maxsplit=1)[0]]).takes(path)


@pytest.mark.parametrize("path", ["a.py", "tests/a.py", "a/environment.py", "env/a.py", "templates/.keep", "git/a.py"])
def test_sources_take_the_rest(path: str) -> None:
    assert source_rules().takes(path)


def test_the_users_patterns() -> None:
    rules = source_rules(exclude=["*.md", "/data/", "!README.md"], keep=["data/keep.csv"])
    assert not rules.takes("docs/notes.md")
    assert rules.takes("README.md")
    assert not rules.takes("data/big.csv")
    assert rules.takes("data/keep.csv")
    assert rules.takes("app/data/big.csv")


def test_keep_wins_over_every_rule() -> None:
    assert distribution_rules(keep=["*.dist-info/"]).takes("a-1.0.dist-info/METADATA")
    assert distribution_rules(exclude=["a/"], keep=["a/b.py"]).takes("a/b.py")
    assert not distribution_rules(exclude=["a/"], keep=["a/b.py"]).takes("a/c.py")
    assert source_rules(keep=[".env.example"]).takes(".env.example")
    assert source_rules(include=["*.py"], keep=["*.csv"]).takes("a/b.csv")


def test_include_leaves_the_rest_out() -> None:
    rules = source_rules(include=["*.py", "/data/", "!/data/old/", "!secret.py"], exclude=["*.log"])
    taken = ["a.py", "b/c.py", "data/a.csv", "data/x/y.bin"]
    left = ["a.csv", "b/data/a.csv", "data/old/a.csv", "secret.py", "data/a.log"]
    assert [path for path in (*taken, *left) if rules.takes(path)] == taken


def test_in_include_and_keep_a_later_pattern_wins_also_inside_a_folder() -> None:
    assert not source_rules(exclude=["*"], keep=["data/", "!data/big.csv"]).takes("data/big.csv")
    assert source_rules(exclude=["*"], keep=["data/", "!data/big.csv"]).takes("data/a.csv")
    assert not source_rules(include=["data/", "!data/big.csv"]).takes("data/big.csv")


def test_later_lists_overrule_earlier_ones() -> None:
    def listed(*lines: str) -> PatternList:
        return parse_patterns(lines, origin="file")

    rules = source_rules(["!one.log", "two.txt"], ignored=(listed("*.log"), listed("!two.log", "big/")))
    assert [path for path in ("a.log", "one.log", "two.log", "two.txt", "big/a") if rules.takes(path)] == [
        "one.log",
        "two.log",
    ]
    rules = source_rules(["!/big/"], ignored=(listed("big/"),), dropped=(listed("*.txt"),))
    assert [path for path in ("big/a", "big/a.txt", "x/big/a") if rules.takes(path)] == ["big/a"]
    rules = source_rules(ignored=(listed("*.json"),), dropped=(listed("!a.json"),))
    assert rules.takes("a.json")
    assert not rules.takes("b.json")


def test_lists_are_relative_to_their_folder() -> None:
    inner = PatternList(parse_patterns(["/a.py", "b/c.py", "d.py"], origin="file").patterns, base="/top/inner/")
    rules = source_rules(["/inner/e.py"], ignored=(inner,), base="/top/")
    standing = rules.top()
    left = ["a.py", "b/c.py", "d.py", "x/d.py", "e.py"]
    taken = ["b/a.py", "c.py", "x/b/c.py", "x/e.py"]
    judged = [rules.judge(standing, f"/top/inner/{path}", folder=False).taken for path in (*left, *taken)]
    assert judged == [False] * len(left) + [True] * len(taken)


# As git reads them

GIT = [
    # pattern, paths that it ignores, paths that it does not
    ("a", ["a", "x/a", "a/b", "x/a/b"], ["ab", "b"]),
    ("a/", ["a/b", "x/a/b"], ["a", "x/a"]),
    ("/a", ["a", "a/b"], ["x/a"]),
    ("a/b", ["a/b", "a/b/c"], ["x/a/b", "b"]),
    ("/a/*.py", ["a/x.py"], ["a/b/x.py"]),
    ("*.py", ["x.py", "a/x.py", "x.py/a", ".py"], ["x.pyc"]),
    ("*", ["a", "a/b"], []),
    ("**", ["a", "a/b"], []),
    ("/*", ["a", "a/b"], []),
    ("/**", ["a", "a/b"], []),
    ("*/", ["a/b"], ["a"]),
    ("**/", ["a/b"], ["a"]),
    ("/*/", ["a/b"], ["a"]),
    ("*/*", ["a/b", "a/b/c"], ["a"]),
    ("*/**", ["a/b"], ["a"]),
    ("a/**", ["a/b", "a/b/c"], ["a", "x/a/b"]),
    ("a/**/", ["a/b/c"], ["a/b", "a"]),
    ("**/a", ["a", "x/a", "x/y/a/b"], ["ba"]),
    ("**/a/b", ["a/b", "x/a/b"], ["a/c"]),
    ("**/**/a/b", ["a/b", "x/a/b"], ["a/c"]),
    ("a/**/b", ["a/b", "a/x/b", "a/x/y/b/c"], ["x/a/b", "a/bc"]),
    ("?", ["a", "x/a"], ["ab"]),
    ("a?c", ["abc"], ["a/c", "ac"]),
    ("[ab]", ["a", "b"], ["c"]),
    ("[!a]b", ["bb", "x/cb"], ["ab", "x/b"]),
    ("[^a]b", ["bb"], ["ab", "a/b"]),
    ("a[!b]", ["ac"], ["ab", "a/x"]),
    ("[a-c]", ["b"], ["d", "-"]),
    ("[]a]", ["]", "a"], ["b"]),
    ("[!]a]", ["b"], ["]", "a"]),
    ("[[a]", ["[", "a"], ["[a"]),
    ("[a&&b]", ["a", "&"], ["&&"]),
    ("[+--]", ["+", ",", "-"], ["x"]),
    ("[a||~~b]", ["|", "~", "a", "b"], ["c"]),
    ("\\#a", ["#a"], ["a"]),
    ("#a", [], ["#a", "a"]),
    ("\\!a", ["!a"], ["a"]),
    ("a\\*", ["a*"], ["ab"]),
    ("a b ", ["a b"], ["a b "]),
    ("a\\ ", ["a "], ["a"]),
    ("/", [], ["a", "a/b"]),
    ("//", [], ["a", "a/b"]),
    ("!/", [], ["a", "a/b"]),
    ("", [], ["a"]),
    ("   ", [], ["a"]),
    ("a.b", ["a.b"], ["axb"]),
    ("é", ["é", "x/é"], ["e"]),
]


@pytest.mark.parametrize(("pattern", "ignored", "others"), GIT, ids=[pattern for pattern, _, _ in GIT])
def test_single_patterns(pattern: str, ignored: list[str], others: list[str]) -> None:
    rules = Rules(never=PatternList(), dropped=(parse_patterns([pattern], origin="file"),))
    assert [path for path in (*ignored, *others) if not rules.takes(path)] == ignored


@pytest.mark.parametrize(
    ("lines", "ignored", "others"),
    [
        (["*.py", "!a.py"], ["b.py"], ["a.py", "x/a.py"]),
        (["!a.py", "*.py"], ["a.py"], []),
        (["a/", "!a/b.py"], ["a/b.py", "a/c.py"], []),
        (["a/*", "!a/b.py"], ["a/c.py", "a/x/b.py"], ["a/b.py"]),
        (["a/**", "!a/b.py"], ["a/c.py", "a/x/b.py"], ["a/b.py"]),
        (["*", "!*/", "!*.py"], ["a", "x/a"], ["a.py", "x/y/a.py"]),
        (["/*", "!/a", "/a/*", "!/a/b"], ["x", "a/c"], ["a/b", "a/b/c"]),
        (["*.pyc", "!build/"], ["build/a.pyc"], ["build/a.py"]),
        (["a", "!a/"], ["a", "x/a"], ["a/b"]),
    ],
)
def test_patterns_one_after_the_other(lines: list[str], ignored: list[str], others: list[str]) -> None:
    rules = Rules(never=PatternList(), dropped=(parse_patterns(lines, origin="file"),))
    assert [path for path in (*ignored, *others) if not rules.takes(path)] == ignored


NAMES = ["a", "b", "foo", "x.py", "y.pyc", "[z]", "c d"]
PARTS = [*NAMES[:5], "*", "**", "*.py", "?", "f*o", "[ab]", "[!a]", "[[a]", "[a-c]", "*.p[!y]*", "c\\ d", "\\[z\\]"]


@pytest.mark.parametrize("seed", range(8))
def test_git_agrees(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    files = {"/".join(chance.choices(NAMES, k=chance.randint(1, 4))) for _ in range(80)}
    files = {file for file in files if not any(other.startswith(f"{file}/") for other in files)}
    lines = []
    for _ in range(chance.randint(2, 6)):
        line = "/".join(chance.choices(PARTS, k=chance.choice([1, 1, 1, 2, 3])))
        lines.append(chance.choice(["", "", "!"]) + chance.choice(["", "", "/"]) + line + chance.choice(["", "", "/"]))
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("")
    (tmp_path / ".gitignore").write_text("\n".join(lines))
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    command = ["git", "-C", tmp_path, "ls-files", "-z", "--others", "--exclude-per-directory=.gitignore"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    rules = Rules(never=PatternList(), dropped=(parse_patterns(lines, origin="file"),))
    assert {file for file in files if rules.takes(file)} == {*listed} - {".gitignore", ""}, lines


# Slimming

METADATA = ["a-1.dist-info/METADATA", "b/a.egg-info/PKG-INFO"]
TESTS = ["a/tests/b.py", "test/b/c.py"]


@pytest.mark.parametrize(
    ("slimming", "taken"),
    [
        (Slimming(), []),
        (Slimming(dist_info="strip", tests="strip"), []),
        (Slimming(dist_info="keep"), METADATA),
        (Slimming(tests="keep"), TESTS),
    ],
)
def test_what_slimming_takes_out(slimming: Slimming, taken: list[str]) -> None:
    rules = distribution_rules(slimming=slimming)
    paths = [*METADATA, *TESTS, "a/__pycache__/b.pyc"]
    assert [path for path in paths if rules.takes(path)] == taken
    assert [path for path in paths if rules.unslimmed().takes(path)] == METADATA + TESTS


# Reading them


@pytest.mark.parametrize("line", ["!", "a\\", "[z-a]"])
def test_what_is_no_pattern(line: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        source_rules(exclude=[line])


def test_an_ignore_file() -> None:
    text = "\ufeff*.a\r\n# *.b\n\n!\n  \n*.c \n[z-a]\n!x.a"
    patterns, problems = parse_ignore_file(text, name="code/.lambdaignore", folder="/project/code")
    assert [str(pattern) for pattern in patterns.patterns] == [
        '"*.a" (code/.lambdaignore:1)',
        '"*.c " (code/.lambdaignore:6)',
        '"!x.a" (code/.lambdaignore:8)',
    ]
    assert problems == (
        'code/.lambdaignore:4: "!" is not a gitignore pattern',
        'code/.lambdaignore:7: "[z-a]" is not a gitignore pattern',
    )
    assert patterns.base == "/project/code/"


# Folders worth a walk


def leads_on(rules: Rules, folder: str) -> bool:
    standing = rules.top()
    for end in (at for at, letter in enumerate(f"{folder}/") if letter == "/"):
        standing = rules.judge(standing, folder[:end], folder=True)
    return rules.leads_on(standing, folder)


def test_folders_that_are_left_out_whole_are_not_walked() -> None:
    assert not leads_on(source_rules(), "a/node_modules")
    assert not leads_on(source_rules(), "a/node_modules/b")
    assert leads_on(source_rules(), "a")
    assert not leads_on(source_rules(exclude=["/a/", "!/a/b/"]), "a/b")


@pytest.mark.parametrize(
    ("keep", "walked", "passed"),
    [
        ("node_modules/a/x.js", ["node_modules", "node_modules/a"], ["node_modules/b", "node_modules/a/b", ".venv"]),
        ("/.venv/*/x.js", [".venv", ".venv/lib"], [".venv/lib/a", "a/.venv"]),
        ("/.venv/**/x.js", [".venv", ".venv/a", ".venv/a/b"], [".git"]),
        ("/.venv/**", [".venv", ".venv/a/b"], [".git"]),
        ("/.venv/", [".venv", ".venv/a/b"], [".git", "a/.venv"]),
        ("**/.venv/x.js", [".venv", "a/.venv", ".git"], []),
        ("x.js", [".venv", ".git/a"], []),
        ("!x.js", [], [".venv", ".git"]),
    ],
)
def test_folders_in_which_something_is_kept_are_walked(keep: str, walked: list[str], passed: list[str]) -> None:
    rules = source_rules(keep=[keep])
    assert [folder for folder in (*walked, *passed) if leads_on(rules, folder)] == walked


def test_folders_in_which_something_is_included_are_walked() -> None:
    rules = source_rules(include=["/data/in/*.csv", "/lib/"], exclude=["/data/in/no/"])
    folders = ["data", "data/in", "lib", "lib/a"]
    assert [folder for folder in (*folders, "data/out", "data/in/a", "other") if leads_on(rules, folder)] == folders


def test_rules_are_equal_by_their_patterns() -> None:
    assert source_rules(exclude=["a"]) == source_rules(exclude=("a",))
    assert hash(source_rules(exclude=["a"])) == hash(source_rules(exclude=("a",)))
    assert source_rules(exclude=["a"]) != source_rules(keep=["a"])
