"""builders.trees: folders and commits that distributions are built from, read from real folders and repositories."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from lambdabuild.builders.trees import build_environment, build_input, folder_digest, read_file, read_folder
from lambdabuild.errors import BuildError, MachineError, PolicyError
from lambdabuild.model.requirements import Pin
from tests.samples import pin

ENVIRON = {
    "PATH": os.environ["PATH"],
    "HOME": "/nowhere",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "me@mail.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def write(folder: Path, **files: str) -> Path:
    """Files of a folder, by path with __ for /, each with the suffix .py."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def paths(folder: Path) -> list[str]:
    return [path for path, _, _ in read_folder(folder)]


def test_the_files_of_a_folder(tmp_path: Path) -> None:
    folder = write(tmp_path, b="B", a="A", inner__c="C")
    (folder / "a.py").chmod(0o700)
    assert list(read_folder(folder)) == [("a.py", 0o755, b"A"), ("b.py", 0o644, b"B"), ("inner/c.py", 0o644, b"C")]


def test_what_is_no_source_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, a="A", __pycache____b="", **{".venv__c": "", ".git__d": "", "node_modules__e": ""})
    assert paths(tmp_path) == ["a.py"]


def test_links_in_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "outside", x="X")
    folder = write(tmp_path / "folder", a="A", inner__b="B")
    for name, goal in {"file.py": "a.py", "out": "../outside", "here": ".", "self": "self", "gone": "nowhere"}.items():
        (folder / name).symlink_to(goal)
    (folder / "inner" / "up").symlink_to("..")
    assert paths(folder) == ["a.py", "file.py", "inner/b.py", "out/x.py"]


def test_a_digest_is_of_paths_modes_and_contents(tmp_path: Path) -> None:
    folder = write(tmp_path, a="A", b="B")
    digests = {folder_digest(folder)}
    os.utime(folder / "a.py", (1, 1))
    assert folder_digest(folder) in digests
    write(folder, a="AA")
    digests.add(folder_digest(folder))
    (folder / "a.py").chmod(0o755)
    digests.add(folder_digest(folder))
    (folder / "a.py").rename(folder / "c.py")
    digests.add(folder_digest(folder))
    assert len(digests) == 4


def test_a_folder_as_the_start_of_a_build(tmp_path: Path) -> None:
    write(tmp_path, a="A", python__b="B")
    whole = build_input(Pin(name="demo", version=None, kind="folder", path=str(tmp_path)), {})
    assert (whole.path, whole.files) == ("tree", (("tree/a.py", 0o644, b"A"), ("tree/python/b.py", 0o644, b"B")))
    part = Pin(name="demo", version=None, kind="folder", path=str(tmp_path), subdirectory="python")
    assert build_input(part, {}).path == "tree/python"


def test_an_sdist_as_the_start_of_a_build(tmp_path: Path) -> None:
    path = tmp_path / "demo-1.0.tar.gz"
    path.write_bytes(b"an sdist")
    sha256 = hashlib.sha256(b"an sdist").hexdigest()
    local = pin(kind="sdist", url="", path=str(path), sha256=sha256)
    assert build_input(local, {}).files == (("demo-1.0.tar.gz", 0o400, b"an sdist"),)
    assert build_input(local, {}).path == "demo-1.0.tar.gz"
    part = pin(kind="sdist", url="", path=str(path), sha256=sha256, subdirectory="python")
    assert build_input(part, {}).path == "demo-1.0.tar.gz#subdirectory=python"
    remote = pin(kind="sdist", url="https://files.example/demo-1.0.tar.gz")
    assert build_input(remote, {}, fetch=lambda pin: pin.url.encode()).files[0][2] == remote.url.encode()


def test_a_local_file_that_changed(tmp_path: Path) -> None:
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    path.write_bytes(b"other")
    with pytest.raises(PolicyError) as caught:
        read_file(pin(url="", path=str(path)))
    assert str(caught.value) == (
        "demo-1.0-py3-none-any.whl has not the hash that was locked\n"
        f"  expected sha256 {'5e' * 32}\n"
        f"  computed sha256 {hashlib.sha256(b'other').hexdigest()}\n"
        "  hint: the file is not the one that was locked: do not use it before you know why"
    )


def test_what_builds_are_told() -> None:
    epoch = {"SOURCE_DATE_EPOCH": "315532800"}
    assert build_environment(pin(kind="sdist")) == epoch
    assert build_environment(pin(kind="folder")) == epoch
    assert build_environment(pin(kind="commit", version=None)) == epoch
    assert build_environment(pin(kind="commit")) == epoch | {"SETUPTOOLS_SCM_PRETEND_VERSION": "1.0"}


# Commits


def git(folder: Path, *argv: str) -> str:
    argv = ("git", "-C", str(folder), *argv)
    return subprocess.run(argv, env=ENVIRON, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = write(tmp_path / "repository", a="OLD", python__b="B")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    return folder


def commit_pin(repository: Path, commit: str) -> Pin:
    return Pin(name="demo", version="1.0", kind="commit", url=repository.as_uri(), commit=commit)


def test_a_commit_that_is_not_the_newest(repository: Path) -> None:
    first = git(repository, "rev-parse", "HEAD")
    git(write(repository, a="NEW"), "commit", "--quiet", "--all", "--message", "second")
    tree = build_input(commit_pin(repository, first), ENVIRON)
    assert tree.files == (("tree/a.py", 0o644, b"OLD"), ("tree/python/b.py", 0o644, b"B"))


def test_a_commit_that_is_not_there(repository: Path) -> None:
    with pytest.raises(BuildError) as caught:
        build_input(commit_pin(repository, "00" * 20), ENVIRON)
    assert caught.value.message.startswith(
        f"demo 1.0: commit {'00' * 20} cannot be had from the repository:\n  fatal: "
    )
    assert caught.value.hint == "check that the repository still has the commit, and that git can reach it"


def test_no_git(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(MachineError) as caught:
        build_input(commit_pin(repository, "00" * 20), {"PATH": str(tmp_path)})
    assert str(caught.value) == "demo lies in a git repository, and there is no git\n  hint: install git"
