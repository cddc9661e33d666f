"""What git ignores: its own index asked, or .gitignore files alone; and code that imports what is left out."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lambdabuild.errors import UsageError
from lambdabuild.ignoredcode import ignored_note
from lambdabuild.ledger import find_change, recording
from lambdabuild.model.gitindex import read_index
from lambdabuild.model.limits import Finding
from lambdabuild.model.sources import Collected
from lambdabuild.steps.collect import collect_code, collect_sources
from tests.samples import sources

HANDLER = "def handler(event, context): ...\n"


def write(project: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def git(folder: Path, *argv: str) -> str:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.invalid")
    return subprocess.run(["git", *who, *argv], cwd=folder, check=True, capture_output=True, text=True).stdout


def collect(project: Path, **changes: Any) -> Collected:
    return collect_sources(project, sources(**{"source": ".", **changes}), output=project / "dist")


def paths(project: Path, **changes: Any) -> list[str]:
    return [member.path for member in collect(project, **changes).members]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    write(folder, {"app.py": HANDLER, ".gitignore": "lib/\n*.log\n_version.py\n"})
    write(folder, {"lib/a.py": "A", "lib/b.log": "", "lib/sub/c.py": "", "lib/.env": "", "d.log": "", "e.log": ""})
    return folder


@pytest.fixture
def repository(project: Path) -> Path:
    """Of what the rules name, lib/a.py, lib/.env and d.log are tracked."""
    git(project, "init", "-q")
    git(project, "add", "-f", "app.py", ".gitignore", "lib/a.py", "lib/.env", "d.log")
    return project


# What git tracks


def test_what_git_tracks_it_does_not_ignore(repository: Path) -> None:
    found = collect(repository)
    assert [member.path for member in found.members] == ["app.py", "d.log", "lib/a.py"]  # .env is left out by us
    assert found.ignore_rule == "git"
    assert found.ignored == ("e.log", "lib/b.log", "lib/sub/")
    assert paths(repository, exclude=("lib/",)) == ["app.py", "d.log"]
    assert paths(repository, exclude=("a.py", "*.log")) == ["app.py"]
    assert paths(repository, include=("*.py",)) == ["app.py", "lib/a.py"]
    write(repository, {".lambdaignore": "d.*\n"})
    assert paths(repository) == ["app.py", "lib/a.py"]


def test_without_git_there_are_only_the_rules(project: Path) -> None:
    found = collect(project)
    assert [member.path for member in found.members] == ["app.py"]
    assert found.ignore_rule == "gitignore"
    assert found.ignored == ("d.log", "e.log", "lib/")
    assert collect(project, gitignore=False).ignore_rule is None


def test_a_repository_to_which_nothing_was_added(project: Path) -> None:
    git(project, "init", "-q")
    found = collect(project)
    assert ([member.path for member in found.members], found.ignore_rule) == (["app.py"], "git")


@pytest.mark.parametrize("content", [b"", b"no index", b"DIRC\0\0\0\7\0\0\0\0"])
def test_an_index_that_cannot_be_read(repository: Path, content: bytes) -> None:
    (repository / ".git" / "index").write_bytes(content)
    assert collect(repository).ignore_rule == "gitignore"


def test_the_handler_may_be_tracked_and_ignored(repository: Path) -> None:
    write(repository, {"lib/web.py": HANDLER})
    with pytest.raises(UsageError, match=r'lib/web\.py is left out by "lib/" \(\.gitignore:1\)'):
        collect(repository, handler="lib/web.handler")
    git(repository, "add", "-f", "lib/web.py")
    assert paths(repository, handler="lib/web.handler") == ["app.py", "d.log", "lib/a.py", "lib/web.py"]


def test_links_that_git_tracks(repository: Path) -> None:
    write(repository, {"shared/x.py": "", "shared/y.log": "", "shared/z.log": "", ".gitignore": "*.log\n/common\n"})
    (repository / "common").symlink_to("shared")
    git(repository, "add", "-f", "common", "shared/y.log")
    assert [path for path in paths(repository) if "/" in path and "lib" not in path] == [
        *("common/x.py", "common/y.log", "shared/x.py", "shared/y.log")
    ]


def test_a_project_in_a_further_work_tree_of_a_repository(repository: Path, tmp_path: Path) -> None:
    git(repository, "commit", "-qm", "x")
    git(repository, "worktree", "add", "-q", str(tmp_path / "other"))
    write(tmp_path / "other", {"lib/new.py": ""})
    assert paths(tmp_path / "other") == ["app.py", "d.log", "lib/a.py"]


@pytest.mark.parametrize("version", ["2", "4"])
@pytest.mark.parametrize("names", ["sha1", "sha256"])
def test_forms_of_an_index(tmp_path: Path, version: str, names: str) -> None:
    git(tmp_path, "init", "-q", f"--object-format={names}")
    write(tmp_path, {f"{'a' * number}/{number}/ü{number}": "" for number in range(1, 40)})
    git(tmp_path, "add", "-A")
    write(tmp_path, {"later": ""})
    git(tmp_path, "add", "-N", "later")
    git(tmp_path, "update-index", "--index-version", version)
    index = tmp_path / ".git" / "index"
    assert read_index(index.read_bytes()) == tuple(git(tmp_path, "ls-files", "-z").split("\0")[:-1])
    for damaged in (index.read_bytes()[:200], b"DIRC" + bytes(40)):
        assert read_index(damaged) is None
    git(tmp_path, "update-index", "--split-index")
    assert read_index(index.read_bytes()) is None


def test_a_change_of_what_is_tracked_is_noticed(repository: Path) -> None:
    with recording() as ledger:
        collect(repository)
    seen = ledger.take()
    write(repository, {"app.py": HANDLER})
    assert find_change(seen) is None
    git(repository, "add", "-A")  # the index is written, and tracks what it did
    git(repository, "update-index", "--force-write-index")
    assert find_change(seen) is None
    git(repository, "add", "-f", "e.log")
    changed = find_change(seen)
    assert changed is not None
    assert changed.endswith(".git/index")


def test_a_repository_that_is_made_is_noticed(project: Path) -> None:
    with recording() as ledger:
        collect(project)
    seen = ledger.take()
    git(project, "init", "-q")
    git(project, "add", "-A")
    assert find_change(seen) is not None


# Code that imports what is left out


@pytest.mark.parametrize(
    ("code", "lost", "keep", "rule"),
    [
        ("import lib.a\n", "lib/a.py", "/lib/", '"lib/" (.gitignore:1)'),
        ("from lib import a\n", "lib/a.py", "/lib/", '"lib/" (.gitignore:1)'),
        ("def f():\n    from lib.sub.c import x\n", "lib/sub/c.py", "/lib/", '"lib/" (.gitignore:1)'),
        ("from _version import v\n", "_version.py", "/_version.py", '"_version.py" (.gitignore:3)'),
        ("import pkg.inner\n", "pkg/_version.py", "pkg/_version.py", '"_version.py" (.gitignore:3)'),
    ],
)
def test_code_that_imports_what_is_left_out(project: Path, code: str, lost: str, keep: str, rule: str) -> None:
    write(project, {"_version.py": "v = 1\n", "pkg/_version.py": "v = 1\n"})
    write(project, {"app.py": f"{code}{HANDLER}", "pkg/__init__.py": "", "pkg/inner.py": "from ._version import v\n"})
    importer = "pkg/inner.py" if "pkg" in code else "app.py"
    for _ in range(2):
        with pytest.raises(UsageError) as caught:
            collect(project)
        assert str(caught.value) == (
            f"functions.api: {importer} imports {lost}, which is left out by {rule}\n"
            f'  hint: keep = ["{keep}"] takes it all the same'
        )
        git(project, "init", "-q")
        git(project, "add", "-A")  # and so is what git ignores
    assert lost in paths(project, keep=(keep,))


@pytest.mark.parametrize(
    "code",
    [
        "try:\n    from _version import v\nexcept ImportError:\n    v = '0'\n",
        "import other, nothing\n",
        "if TYPE_CHECKING:\n    import lib.a\n",
        "# import lib.a\n",
        "import d, e\n",
    ],
)
def test_code_that_goes_on_without(project: Path, code: str) -> None:
    write(project, {"_version.py": "", "app.py": f"{code}{HANDLER}", "other.py": ""})
    assert paths(project) == ["app.py", "other.py"]


def test_code_that_the_handler_does_not_reach_may_import_anything(project: Path) -> None:
    write(project, {"script.py": "import lib.a\n"})
    assert paths(project) == ["app.py", "script.py"]


def test_code_of_layers(project: Path) -> None:
    write(project, {"src/common/__init__.py": "from . import _version\n", "src/common/_version.py": ""})
    plain: dict[str, Any] = {"exclude": (), "keep": (), "gitignore": True, "output": project / "dist"}
    with pytest.raises(UsageError) as caught:
        collect_code(project, ("src/common",), owner="layers.base", **plain)
    assert str(caught.value) == (
        'layers.base: common/__init__.py imports common/_version.py, which is left out by "_version.py" '
        '(.gitignore:3)\n  hint: keep = ["common/_version.py"] takes it all the same'
    )
    found = collect_code(project, ("src/common",), owner="layers.base", **{**plain, "keep": ("common/_version.py",)})
    assert [member.path for member in found.members] == ["common/__init__.py", "common/_version.py"]


# Notes


def test_what_nobody_imports_is_a_note_where_there_is_no_git(project: Path) -> None:
    assert ignored_note("api.zip", collect(project)) == (
        Finding(
            severity="note",
            code="ignored",
            message="api.zip leaves out what .gitignore names: d.log, e.log, lib/; without a git repository nothing "
            "tells whether git tracks it",
            hint='keep = ["/d.log"] takes it, gitignore = false takes all',
        ),
    )
    write(project, {"f.log": ""})
    assert ignored_note("api.zip", collect(project))[0].message.startswith(
        "api.zip leaves out what .gitignore names: d.log, e.log, f.log and 1 more;"
    )
    assert ignored_note("api.zip", collect(project, gitignore=False)) == ()
    git(project, "init", "-q")
    assert ignored_note("api.zip", collect(project)) == ()


# Bytecode


def test_a_module_without_a_source_is_packaged(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": HANDLER, "a.py": "", "a.pyc": "", "b.pyc": "", "c.pyo": "", "__pycache__/d.pyc": ""})
    assert paths(tmp_path) == ["a.py", "app.py", "b.pyc"]
    assert paths(tmp_path, keep=("*.pyc",)) == ["__pycache__/d.pyc", "a.py", "a.pyc", "app.py", "b.pyc"]
    assert paths(tmp_path, exclude=("*.pyc",)) == ["a.py", "app.py"]
