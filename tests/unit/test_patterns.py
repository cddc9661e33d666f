"""model.patterns: what slimming takes out, what it must never take out, and who wins."""

from __future__ import annotations

import pytest

from lambdabuild.model.patterns import distribution_rules, source_rules

BOTH = ["a/__pycache__/b.cpython-313.pyc", "old.pyc", "a/old.pyo", "a-1.0.dist-info/METADATA", "a.egg-info/PKG-INFO"]


@pytest.mark.parametrize("path", [*BOTH, "numpy/tests/test_a.py", "tests/a.py", "a/test/b.py"])
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
        "deep/.venv/bin/python",
        ".env",
        ".env.local",
        "a/.DS_Store",
        "node_modules/a/index.js",
        ".lambdabuild-x1/layer.zip",
    ],
)
def test_sources_leave_out_what_is_no_code(path: str) -> None:
    assert not source_rules().takes(path)


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


def test_folders_that_are_dropped_whole_are_not_walked() -> None:
    assert not source_rules().may_hold_kept("a/node_modules")
    assert not source_rules().may_hold_kept("a/node_modules/")
    assert source_rules().may_hold_kept("a")
    assert source_rules(keep=["node_modules/a/x.js"]).may_hold_kept("node_modules")


def test_rules_are_equal_by_their_patterns() -> None:
    assert source_rules(exclude=["a"]) == source_rules(exclude=("a",))
    assert hash(source_rules(exclude=["a"])) == hash(source_rules(exclude=("a",)))
    assert source_rules(exclude=["a"]) != source_rules(keep=["a"])
