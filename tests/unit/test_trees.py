"""builders.trees: source trees from folders and from real git repositories that the tests make."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lambdabuild.builders.trees import (
    BuildInput,
    build_environment,
    build_input,
    folder_digest,
    read_folder,
)
from lambdabuild.errors import BuildError, MachineError
from lambdabuild.ledger import recording
from lambdabuild.model.requirements import Pin
from tests.samples import pin
from tests.unprivileged import public_folder, run_unprivileged

SEARCH = "/usr/local/bin:/usr/bin:/bin"


ABOVE = (".gitignore", 0o644, b"")
"""What ends the search of build backends for an ignore file."""


def write(folder: Path, **files: str) -> Path:
    """Write files, by path with __ for / and _dot_ for a dot."""
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def listed(folder: Path) -> list[str]:
    return [path for path, _, _ in read_folder(folder)]


# Folders


def test_files_come_in_the_order_of_their_bytes_with_normal_modes(tmp_path: Path) -> None:
    write(tmp_path, b="B", a__ä="Ä", a__z="Z", tool="T")
    (tmp_path / "tool").chmod(0o4711)
    (tmp_path / "b").chmod(0o600)
    assert list(read_folder(tmp_path)) == [
        ("a/z", 0o644, b"Z"),
        ("a/ä", 0o644, "Ä".encode()),
        ("b", 0o644, b"B"),
        ("tool", 0o755, b"T"),
    ]


TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# a cache\n"


def test_version_control_caches_and_environments_are_left_out(tmp_path: Path) -> None:
    left_out = {".git/config": "", ".hg/a": "", "sub/.git": "gitdir: ../.git", "pkg/__pycache__/a.pyc": ""}
    left_out |= {".venv/pyvenv.cfg": "", ".venv/bin/python": "", "mine/pyvenv.cfg": "home = /usr/bin", "mine/a": ""}
    left_out |= {".mypy_cache/CACHEDIR.TAG": TAG, ".mypy_cache/a": "", "deep/down/CACHEDIR.TAG": TAG}
    left_out |= {"shop.egg-info/PKG-INFO": "", "src/shop.egg-info/SOURCES.txt": ""}
    taken = [".gitignore", ".github/a.yml", "pkg/.gitignore", "pkg/a.py", "pyproject.toml", "tests/test_a.py"]
    taken += ["pkg/venv/a.py", "pkg/node_modules/a.js", "pkg/.env.defaults", ".env", "pkg/a.pyc", "pkg/CACHEDIR.TAG"]
    taken += ["pkg/vendored.egg-info/PKG-INFO", ".DS_Store"]
    for path, text in (left_out | dict.fromkeys(taken, "")).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert listed(tmp_path) == sorted(taken)


def test_our_own_output_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, dist__lambda__layer_dot_zip="Z", dist__demo_dot_whl="W", a="A")
    digest = folder_digest(tmp_path, without=tmp_path / "dist" / "lambda")
    assert [path for path, _, _ in read_folder(tmp_path, without=tmp_path / "dist" / "lambda")] == [
        "a",
        "dist/demo.whl",
    ]
    write(tmp_path, dist__lambda__layer_dot_zip="Y")
    assert folder_digest(tmp_path, without=tmp_path / "dist" / "lambda") == digest != folder_digest(tmp_path)
    tree = build_input(pin(kind="folder", path=str(tmp_path)), {}, without=tmp_path / "dist" / "lambda")
    assert [path for path, _, _ in tree.files] == [".gitignore", "tree/a", "tree/dist/demo.whl"]


def test_what_a_folder_reads_is_noted_and_a_checkout_is_not(tmp_path: Path) -> None:
    write(tmp_path, a="A", b__c="C")
    with recording() as ledger:
        list(read_folder(tmp_path, within=tmp_path))
    assert ledger.take() == {}
    with recording() as ledger:
        list(read_folder(tmp_path))
    assert sorted(ledger.take()) == [str(tmp_path / path) for path in (".", "a", "b", "b/c")]


def test_the_ignore_file_above_a_folder_is_beside_its_copy(tmp_path: Path) -> None:
    """As the backend finds it where the folder lies: the nearest, and none from above the repository."""
    write(tmp_path, _dot_gitignore="of nobody\n")
    repository = tmp_path / "repository"
    member = write(repository / "members" / "one", a="A")
    (repository / ".git").mkdir()
    assert build_input(pin(kind="folder", path=str(member)), {}).files[0] == (".gitignore", 0o644, b"")
    before = folder_digest(member)
    write(repository, _dot_gitignore="*.so\n")
    assert build_input(pin(kind="folder", path=str(member)), {}).files[0] == (".gitignore", 0o644, b"*.so\n")
    assert folder_digest(member) != before
    write(member, _dot_gitignore="*.o\n")
    assert build_input(pin(kind="folder", path=str(member)), {}).files[0] == (".gitignore", 0o644, b"")


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, a="A", b__c="C")
    os.mkfifo(tmp_path / "pipe")
    links = {"nowhere": "gone", "self": "self", "there": "back", "back": "there", "under": "a/b"}
    for name, target in links.items():
        (tmp_path / name).symlink_to(target)
    assert listed(tmp_path) == ["a", "b/c"]


def test_links_are_followed_also_out_of_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "shared", README="R", data__a="A")
    folder = write(tmp_path / "member", b="B")
    (folder / "README").symlink_to("../shared/README")
    (folder / "data").symlink_to("../shared/data")
    assert [(path, content) for path, _, content in read_folder(folder)] == [
        ("README", b"R"),
        ("b", b"B"),
        ("data/a", b"A"),
    ]


@pytest.mark.parametrize("target", [".", "..", "/", "../../member"])
def test_links_that_lead_back_are_passed_over(tmp_path: Path, target: str) -> None:
    folder = write(tmp_path / "member", pkg__a="A")
    (folder / "pkg" / "link").symlink_to(target)
    (folder / "alias").symlink_to("pkg")
    assert listed(folder) == ["alias/a", "pkg/a"]


IMPORTS = """
from pathlib import Path
from lambdabuild.builders.trees import folder_digest
from lambdabuild.errors import UsageError
"""
ATTEMPT = """
try:
    folder_digest(Path(sys.argv[1]))
except UsageError as error:
    print(error)
"""


@pytest.mark.parametrize("closed", ["inner", "secret"])
def test_what_may_not_be_read(closed: str) -> None:
    with public_folder() as folder:
        write(folder, inner__a="A", secret="S")
        (folder / closed).chmod(0)
        assert run_unprivileged(IMPORTS, ATTEMPT, folder) == f"{folder / closed} cannot be read: Permission denied\n"


def test_the_digest_is_over_paths_modes_and_contents(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", one="1", two="22")
    rows = "".join(f"644 {hashlib.sha256(data).hexdigest()} {path}\0" for path, data in (("one", b"1"), ("two", b"22")))
    assert folder_digest(folder) == hashlib.sha256(rows.encode()).hexdigest()
    assert folder_digest(
        write(tmp_path / "elsewhere", two="22", one="1", _dot_venv__pyvenv_dot_cfg="A")
    ) == folder_digest(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: write(folder, one="2"),
        lambda folder: write(folder, three=""),
        lambda folder: (folder / "one").unlink(),
        lambda folder: (folder / "one").rename(folder / "eins"),
        lambda folder: (folder / "one").chmod(0o755),
    ],
)
def test_every_change_changes_the_digest(tmp_path: Path, change: Callable[[Path], Any]) -> None:
    folder = write(tmp_path, one="1", two="22")
    before = folder_digest(folder)
    change(folder)
    assert folder_digest(folder) != before


def test_a_time_does_not_change_the_digest(tmp_path: Path) -> None:
    folder = write(tmp_path, one="1")
    before = folder_digest(folder)
    os.utime(folder / "one", (1, 1))
    assert folder_digest(folder) == before


# What a build starts from


def test_a_folder_to_build(tmp_path: Path) -> None:
    folder = write(tmp_path / "member", pyproject_dot_toml="P", python__a_dot_py="A")
    files = (ABOVE, ("tree/pyproject.toml", 0o644, b"P"), ("tree/python/a.py", 0o644, b"A"))
    member = pin(kind="folder", path=str(folder))
    assert build_input(member, {}) == BuildInput(files=files, path="tree")
    assert build_input(pin(kind="folder", path=str(folder), subdirectory="python"), {}).path == "tree/python"


def test_builds_are_told_the_time_and_the_version_of_a_commit() -> None:
    fixed = {"SOURCE_DATE_EPOCH": "315532800"}
    assert build_environment(pin(kind="folder", version=None)) == fixed
    assert build_environment(pin(kind="sdist")) == fixed
    assert build_environment(pin(kind="commit", version=None)) == fixed
    told = fixed | {
        "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_MY_DEMO": "1.0",
        "SETUPTOOLS_SCM_PRETEND_VERSION": "1.0",
        "PDM_BUILD_SCM_VERSION": "1.0",
        "PBR_VERSION": "1.0",
        "POETRY_DYNAMIC_VERSIONING_BYPASS": "1.0",
    }
    assert build_environment(pin("my-demo", kind="commit")) == build_environment(pin("my-demo", kind="folder")) == told


# Repositories


class Repository:
    """A git repository in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {"PATH": SEARCH, "HOME": str(folder.parent / "home"), "GIT_CONFIG_NOSYSTEM": "1"}
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch", "main")

    @property
    def url(self) -> str:
        return self.folder.as_uri()

    def git(self, *argv: str) -> str:
        identity = {f"GIT_{who}_{what}": "me@x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        environ = {**self.environ, **identity, "GIT_ALLOW_PROTOCOL": "file"}
        argv = ("git", "-C", str(self.folder), *argv)
        return subprocess.run(argv, env=environ, capture_output=True, text=True, check=True).stdout.strip()

    def commit(self, **files: str) -> str:
        """Commit files; gives the commit."""
        write(self.folder, **files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "more")
        return self.git("rev-parse", "HEAD")

    def pin(self, commit: str, **changes: Any) -> Pin:
        return pin(**{"kind": "commit", "url": self.url, "commit": commit, "sha256": "", **changes})

    def read(self, commit: str, **environ: str) -> dict[str, bytes]:
        source = build_input(self.pin(commit), self.environ | environ)
        assert source.files[0] == ABOVE
        return {path: content for path, _, content in source.files[1:]}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def test_the_tree_of_a_commit(repository: Repository) -> None:
    first = repository.commit(pyproject_dot_toml="1", pkg__a_dot_py="A", _dot_gitignore="*.so\n")
    repository.commit(pyproject_dot_toml="2", new="N")
    write(repository.folder, uncommitted="U")
    assert repository.read(first) == {
        "tree/.gitignore": b"*.so\n",
        "tree/pkg/a.py": b"A",
        "tree/pyproject.toml": b"1",
    }
    below = build_input(repository.pin(first, subdirectory="pkg"), repository.environ)
    assert (below.path, len(below.files)) == ("tree/pkg", 4)


def test_modes_and_links_of_a_commit(repository: Repository) -> None:
    write(repository.folder, tool="T", data__a="A")
    (repository.folder / "tool").chmod(0o755)
    (repository.folder / "link").symlink_to("data/a")
    (repository.folder / "folder").symlink_to("data")
    source = build_input(repository.pin(repository.commit()), repository.environ)
    assert source.files == (
        ABOVE,
        ("tree/data/a", 0o644, b"A"),
        ("tree/folder/a", 0o644, b"A"),
        ("tree/link", 0o644, b"A"),
        ("tree/tool", 0o755, b"T"),
    )


def test_a_commit_does_not_reach_into_this_machine(repository: Repository, tmp_path: Path) -> None:
    write(tmp_path, secret="S", secrets__a="A")
    for name, target in {"a": tmp_path / "secret", "b": tmp_path / "secrets", "c": "/etc/passwd"}.items():
        (repository.folder / name).symlink_to(target)
    assert repository.read(repository.commit(d="D")) == {"tree/d": b"D"}


def test_a_server_that_does_not_give_a_commit_by_its_id(repository: Repository) -> None:
    first = repository.commit(a="1")
    repository.commit(a="2")
    old = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "protocol.version", "GIT_CONFIG_VALUE_0": "0"}
    other = Repository(repository.folder.with_name("other"))
    other.environ |= old
    with pytest.raises(subprocess.CalledProcessError) as caught:
        other.git("fetch", repository.url, first)
    assert "Server does not allow request for unadvertised object" in caught.value.stderr
    assert repository.read(first, **old) == {"tree/a": b"1"}


def test_a_commit_that_only_a_tag_has(repository: Repository) -> None:
    first = repository.commit(a="1")
    repository.git("checkout", "--quiet", "--detach")
    tagged = repository.commit(a="2")
    repository.git("tag", "v2")
    repository.git("checkout", "--quiet", "main")
    assert repository.git("rev-parse", "main") == first
    assert repository.read(tagged) == {"tree/a": b"2"}


def test_submodules(repository: Repository, tmp_path: Path) -> None:
    inner = Repository(tmp_path / "inner")
    inner.commit(b="B")
    repository.git("submodule", "--quiet", "add", inner.url, "vendored")
    commit = repository.commit(a="A")
    tree = repository.read(commit, GIT_ALLOW_PROTOCOL="file")
    assert sorted(tree) == ["tree/.gitmodules", "tree/a", "tree/vendored/b"]
    assert tree["tree/vendored/b"] == b"B"


def test_a_submodule_does_not_reach_into_this_machine(repository: Repository, tmp_path: Path) -> None:
    inner = Repository(tmp_path / "inner")
    inner.commit(b="B")
    repository.git("submodule", "--quiet", "add", inner.url, "vendored")
    error = refused(repository, repository.commit(a="A"))
    assert "fatal: transport 'file' not allowed" in error.message


@pytest.mark.parametrize("allowed", [None, "ext:file", ":", "https"])
def test_a_submodule_does_not_run_a_command(repository: Repository, tmp_path: Path, allowed: str | None) -> None:
    owned = tmp_path / "owned"
    inner = Repository(tmp_path / "inner")
    inner.commit(b="B")
    repository.git("submodule", "--quiet", "add", inner.url, "vendored")
    text = (repository.folder / ".gitmodules").read_text()
    write(repository.folder, _dot_gitmodules=text.replace(inner.url, f"ext::sh -c 'touch% {owned}'"))
    if allowed is not None:
        repository.environ["GIT_ALLOW_PROTOCOL"] = allowed
    refused(repository, repository.commit(a="A"))
    assert not owned.exists()


@pytest.mark.parametrize(
    "url",
    [
        "--upload-pack=touch {owned};",
        "-utouch {owned}",
        "ext::sh -c 'touch% {owned}'",
        "ssh://-oProxyCommand=touch%20{owned}/demo",
        "fd::7/demo",
        "{repository}",
        "git+ssh://git@git.example/demo",
        "https:///demo",
        "https://git.example/demo\n--upload-pack=touch {owned}",
        "-oProxyCommand=x@git.example:demo",
        "git@git.example::demo",
        "",
    ],
)
def test_an_address_is_never_an_option_or_a_command(repository: Repository, tmp_path: Path, url: str) -> None:
    commit, owned = repository.commit(a="A"), tmp_path / "owned"
    repository.environ["GIT_ALLOW_PROTOCOL"] = "ext:fd:file:ssh:https"
    address = url.format(owned=owned, repository=repository.folder)
    error = refused(repository, commit, url=address)
    assert str(error) == (
        f"demo: the lock gives {json.dumps(address)} as the address of a repository; expected a URL that begins with "
        "https://, http://, ssh://, git:// or file://\n"
        "  hint: if no tool of yours wrote this, do not use the lock; otherwise lock again"
    )
    assert not owned.exists()


@pytest.mark.parametrize("commit", ["--upload-pack=touch {owned}", "main", "HEAD", "../x", "0123456", "g" * 40, ""])
def test_a_commit_is_its_full_id(repository: Repository, tmp_path: Path, commit: str) -> None:
    repository.commit(a="A")
    given = commit.format(owned=tmp_path / "owned")
    assert refused(repository, given).message == (
        f"demo: the lock gives {json.dumps(given)} as a commit; expected its full id, 40 or 64 hexadecimal digits"
    )
    assert not (tmp_path / "owned").exists()


TELLING = """#!/bin/sh
env >> "$0.env"
exit 1
"""


def seen_by_git(repository: Repository, tmp_path: Path, url: str, **environ: str) -> list[str]:
    program = write(tmp_path / "bin", git=TELLING) / "git"
    program.chmod(0o755)
    repository.environ |= {"PATH": f"{program.parent}:{SEARCH}", **environ}
    refused(repository, "01" * 20, url=url)
    return (tmp_path / "bin" / "git.env").read_text().splitlines()


def test_git_gets_its_own_logins_and_no_others(repository: Repository, tmp_path: Path) -> None:
    own = {"GITHUB_TOKEN": "t", "SSH_AUTH_SOCK": "/run/agent", "https_proxy": "http://me:pw@proxy.example"}
    others = {"UV_INDEX_MINE_PASSWORD": "p", "PIP_INDEX_URL": "https://me:pw@x.example", "TWINE_PASSWORD": "p"}
    others |= {"AWS_SECRET_ACCESS_KEY": "s", "POETRY_PYPI_TOKEN_X": "t"}
    seen = seen_by_git(repository, tmp_path, "https://git.example/demo", **own, **others)
    assert {name for name in own if f"{name}={own[name]}" in seen} == set(own)
    assert [line for line in seen if line.partition("=")[0] in others] == []
    assert "GIT_TERMINAL_PROMPT=0" in seen


def test_the_repositories_of_aws_take_its_logins(repository: Repository, tmp_path: Path) -> None:
    url = "https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/demo"
    assert "AWS_SECRET_ACCESS_KEY=s" in seen_by_git(repository, tmp_path, url, AWS_SECRET_ACCESS_KEY="s")


def test_a_hook_of_another_repository(repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit(a="A")
    mine = Repository(tmp_path / "mine")
    mine.commit(b="B")
    write(mine.folder, b="changed")
    mine.git("add", "b")
    before = mine.git("status", "--porcelain=v2", "--branch"), mine.git("for-each-ref")
    git = mine.folder / ".git"
    hook = {"GIT_DIR": str(git), "GIT_INDEX_FILE": str(git / "index"), "GIT_WORK_TREE": str(mine.folder)}
    assert repository.read(commit, **hook) == {"tree/a": b"A"}
    assert (mine.git("status", "--porcelain=v2", "--branch"), mine.git("for-each-ref")) == before
    assert not (git / "FETCH_HEAD").exists()


def refused(repository: Repository, commit: str, **changes: Any) -> BuildError | MachineError:
    with pytest.raises((BuildError, MachineError)) as caught:
        build_input(repository.pin(commit, **changes), repository.environ)
    return caught.value


def test_a_commit_that_is_gone(repository: Repository) -> None:
    repository.commit(a="A")
    gone = "0123456789" * 4
    error = refused(repository, gone)
    assert (type(error), error.exit_code) == (BuildError, 1)
    assert error.message.startswith(f"demo 1.0: commit {gone} cannot be had from the repository:\n  ")
    assert gone in error.message.partition("\n")[2]
    assert error.hint == "check that the repository still has the commit, and that git can reach it"


def test_a_repository_that_is_gone(tmp_path: Path, repository: Repository) -> None:
    error = refused(repository, "01" * 20, url=(tmp_path / "gone").as_uri())
    assert error.message.startswith(f"demo 1.0: commit {'01' * 20} cannot be had from the repository:\n  fatal: ")


REFUSING = """#!/bin/sh
case "$*" in *fetch*) printf 'fatal: no %s\\nreally\\n' "$7" >&2; exit 128;; esac
"""


def test_a_login_is_not_shown(repository: Repository, tmp_path: Path) -> None:
    program = write(tmp_path / "bin", git=REFUSING) / "git"
    program.chmod(0o755)
    repository.environ["PATH"] = str(program.parent)
    error = refused(repository, "01" * 20, url="https://me:hunter22@git.example/demo.git")
    assert str(error) == (
        f"demo 1.0: commit {'01' * 20} cannot be had from git.example:\n"
        "  fatal: no https://****@git.example/demo.git\n"
        "  really\n"
        "  hint: check that the repository still has the commit, and that git can reach it"
    )


def test_no_git(repository: Repository) -> None:
    repository.environ["PATH"] = str(repository.folder)
    error = refused(repository, "01" * 20)
    assert (type(error), str(error)) == (
        MachineError,
        "demo lies in a git repository, and there is no git\n  hint: install git",
    )


def test_nothing_is_left_of_a_checkout(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = repository.commit(a="A")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    repository.read(commit)
    refused(repository, "01" * 20)
    assert list(scratch.iterdir()) == []
