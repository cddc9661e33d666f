"""Versions that git tells: of real repositories, by a program of the tests that an index on the loopback serves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tomli

from lambdabuild.builders.scm import find_version
from lambdabuild.builders.trees import build_input, folder_digest
from lambdabuild.cache import Cache
from lambdabuild.ledger import find_change, recording
from lambdabuild.model.scm import ScmVersion, find_pretended, find_scm_version, parse_version, pretended
from lambdabuild.uv import find_binary
from tests.index import Index
from tests.samples import pin
from tests.wheels import wheel

PROJECT = """\
[project]
name = "demo"
dynamic = ["version"]
[build-system]
requires = ["setuptools_scm>=8"]
"""
PROGRAM = """\
import os, subprocess
assert not [name for name in os.environ if name.startswith("UV_")]
print("warning: about to tell")
told = subprocess.run(["git", "describe", "--tags"], capture_output=True, text=True, check=True).stdout
print(told.partition("-")[0])
"""


@pytest.fixture
def environ(index: Index, tmp_path: Path) -> dict[str, str]:
    files = {"setuptools_scm/__init__.py": "", "setuptools_scm/__main__.py": PROGRAM}
    index.add(wheel("setuptools_scm", "8.0", files=files))
    return {
        "HOME": str(tmp_path / "home"),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "UV_CACHE_DIR": str(tmp_path / "uv-cache"),
        "UV_DEFAULT_INDEX": index.simple,
        "UV_HTTP_RETRIES": "0",
        "UV_PYTHON": sys.executable,
    }


@pytest.fixture
def folder(tmp_path: Path, environ: dict[str, str]) -> Path:
    """A folder in a repository whose tag is v1.4.0."""
    folder = tmp_path / "repository" / "lib"
    (folder / "demo").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "demo" / "data file.json").write_text("{}")
    (folder / "MANIFEST.in").write_text("exclude secret\n")
    git(folder, "init", "--quiet", "..")
    commit(folder, "v1.4.0")
    return folder


def git(folder: Path, *argv: str) -> None:
    identity = ("-c", "user.name=me", "-c", "user.email=me@mail.example")
    subprocess.run(["git", "-C", str(folder), *identity, *argv], check=True, capture_output=True)


def commit(folder: Path, tag: str) -> None:
    git(folder, "add", "--all", "..")
    git(folder, "commit", "--quiet", "--message", tag)
    git(folder, "tag", tag)


def version(folder: Path, environ: dict[str, str]) -> str | None:
    cache = Cache(folder.parents[1] / "cache")
    cache.ensure()
    return find_version("my.demo", folder, binary=find_binary(), environ=environ, cache=cache)


def test_git_is_asked_where_it_is(folder: Path, environ: dict[str, str], index: Index) -> None:
    before = sorted(folder.parent.rglob("*"))
    assert version(folder, environ) == "1.4.0"
    assert sorted(folder.parent.rglob("*")) == before
    index.close()  # what is known of a commit is not asked again
    assert version(folder, environ | {"UV_CACHE_DIR": str(folder.parents[1] / "cold")}) == "1.4.0"


def test_another_tag_is_another_version_and_a_change(folder: Path, environ: dict[str, str]) -> None:
    with recording() as ledger:
        assert version(folder, environ) == "1.4.0"
        seen = ledger.take()
    assert find_change(seen) is None
    git(folder, "tag", "v1.5.0")
    git(folder, "tag", "--delete", "v1.4.0")
    assert find_change(seen) is not None
    assert version(folder, environ) == "1.5.0"


def test_another_commit_is_a_change(folder: Path, environ: dict[str, str]) -> None:
    with recording() as ledger:
        version(folder, environ)
        seen = ledger.take()
    (folder.parent / "elsewhere").write_text("")
    git(folder, "add", "--all", "..")
    git(folder, "commit", "--quiet", "--message", "more")
    assert find_change(seen) is not None


@pytest.mark.parametrize("variable", ["SETUPTOOLS_SCM_PRETEND_VERSION_FOR_MY_DEMO", "SETUPTOOLS_SCM_PRETEND_VERSION"])
def test_the_environment_goes_before_git(folder: Path, environ: dict[str, str], variable: str) -> None:
    assert version(folder, environ | {variable: "7.0"}) == "7.0"


def test_what_nobody_tells(folder: Path, environ: dict[str, str], index: Index, tmp_path: Path) -> None:
    assert version(folder, environ | {"PATH": str(tmp_path)}) is None  # no git
    git(folder, "tag", "--delete", "v1.4.0")
    assert version(folder, environ) is None
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "pyproject.toml").write_text(PROJECT)
    assert version(tmp_path / "alone", environ) is None
    (folder / "pyproject.toml").write_text(PROJECT.replace("setuptools_scm", "hatch-vcs"))
    assert version(folder, environ) is None  # which the index does not have


def test_a_version_that_is_written_down(folder: Path, environ: dict[str, str]) -> None:
    (folder / "pyproject.toml").write_text(PROJECT.replace('dynamic = ["version"]', 'version = "2.0"'))
    assert version(folder, environ | {"SETUPTOOLS_SCM_PRETEND_VERSION": "7.0"}) is None


def test_what_git_tracks_is_named_for_a_tree_without_it(folder: Path, environ: dict[str, str]) -> None:
    (folder / "untracked").write_text("")
    tree = {path: content for path, _, content in build_input(pin(kind="folder", path=str(folder)), environ).files}
    assert tree["tree/MANIFEST.in"].decode() == (
        "include MANIFEST.in\ninclude demo/data?file.json\ninclude pyproject.toml\nexclude secret\n"
    )
    (folder / "pyproject.toml").write_text(PROJECT.replace("setuptools_scm", "hatchling"))
    tree = {path: content for path, _, content in build_input(pin(kind="folder", path=str(folder)), environ).files}
    assert tree["tree/MANIFEST.in"] == b"exclude secret\n"


def test_a_file_that_git_tracks_from_now_on_is_another_tree(folder: Path) -> None:
    (folder / "demo" / "more").write_text("")
    with recording() as ledger:
        before = folder_digest(folder)
        seen = ledger.take()
    git(folder, "add", "--all")
    assert find_change(seen) is not None
    assert folder_digest(folder) != before
    assert folder_digest(folder.parent, subdirectory=folder.name) != folder_digest(folder.parent)


# What the files of a folder say


def told(text: str, setup: str = "") -> ScmVersion | None:
    return find_scm_version(tomli.loads(text), setup)


HATCH = PROJECT.replace('"setuptools_scm>=8"', '"hatchling", "hatch-vcs"')


@pytest.mark.parametrize(
    ("text", "setup", "expected"),
    [
        (PROJECT, "", ScmVersion(requires=("setuptools_scm>=8",), command=("-m", "setuptools_scm"), files=True)),
        (
            HATCH,
            "",
            ScmVersion(requires=("hatchling", "hatch-vcs"), command=("-m", "hatchling", "version"), files=False),
        ),
        (
            PROJECT.replace("setuptools_scm>=8", "pdm-backend"),
            "",
            ScmVersion(requires=("pdm-backend",), command=None, files=False),
        ),
        (
            "",
            "setup(use_scm_version=True)",
            ScmVersion(requires=("setuptools", "setuptools-scm"), command=("-m", "setuptools_scm"), files=True),
        ),
        (PROJECT.replace("dynamic", "x"), "", None),
        (PROJECT.replace("setuptools_scm>=8", "setuptools"), "", None),
        (PROJECT.replace("setuptools_scm>=8", "not a requirement"), "", None),
        ("", "setup(version='1')", None),
    ],
)
def test_how_a_version_is_told(text: str, setup: str, expected: Any) -> None:
    assert told(text, setup) == expected


def test_versions_that_are_told_instead() -> None:
    environ = pretended("My.demo-x", "1.2")
    assert environ["SETUPTOOLS_SCM_PRETEND_VERSION_FOR_MY_DEMO_X"] == environ["PBR_VERSION"] == "1.2"
    assert find_pretended("my-demo-x", environ | {"SETUPTOOLS_SCM_PRETEND_VERSION": "9"}) == "1.2"
    assert find_pretended("other", {"SETUPTOOLS_SCM_PRETEND_VERSION_FOR_MY_DEMO_X": "1.2"}) is None


@pytest.mark.parametrize(
    ("text", "expected"), [("a\n1.2.DEV1+g0\n", "1.2.dev1+g0"), ("", None), ("--x", None), ("1.0\nerror", None)]
)
def test_what_a_program_prints(text: str, expected: str | None) -> None:
    assert parse_version(text) == expected
