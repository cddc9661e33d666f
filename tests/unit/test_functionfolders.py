"""functionfolders: what a pattern of functions names on a disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lambdabuild.configfile import read_config
from lambdabuild.errors import ConfigError
from lambdabuild.functionfolders import find_folders
from lambdabuild.ledger import find_change, recording
from lambdabuild.model.configmany import Folders
from tests.unprivileged import public_folder, run_unprivileged


def write(project: Path, *names: str) -> None:
    for name in names:
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def test_folders_with_the_module_and_others(tmp_path: Path) -> None:
    write(tmp_path, "f/b/app.py", "f/a/app/__init__.py", "f/shared/x.py", "f/data/x.json", "f/README.md", "f/app.py")
    write(tmp_path, "f/__pycache__/app.py", "f/.hidden/app.py", "f/node_modules/app.py")
    assert find_folders(tmp_path, "f/*", "app") == Folders(found=("f/a", "f/b"), passed=("f/shared",))
    assert find_folders(tmp_path, "./f//*/", "x") == Folders(found=("f/shared",), passed=("f/b",))
    assert find_folders(tmp_path, "f/.*", "app") == Folders(found=("f/.hidden",))
    assert find_folders(tmp_path, "f/[ab]", "app") == Folders(found=("f/a", "f/b"))
    assert find_folders(tmp_path, "f/?", "lib/app") == Folders(passed=("f/b",))
    assert find_folders(tmp_path, "f/b", "app") == Folders(found=("f/b",))


def test_nested_folders(tmp_path: Path) -> None:
    write(tmp_path, "s/b/f/x/app.py", "s/a/f/x/app.py", "s/a/f/y/app.py", "s/c/g/z/app.py", "s/file")
    found = ("s/a/f/x", "s/a/f/y", "s/b/f/x")
    assert find_folders(tmp_path, "s/*/f/*", "app") == Folders(found=found)


def test_a_pattern_that_names_nothing(tmp_path: Path) -> None:
    write(tmp_path, "functions/a/app.py", "function.py")
    assert find_folders(tmp_path, "function/*", "app") == Folders(near="functions/*")
    assert find_folders(tmp_path, "zzz/*", "app") == Folders()
    assert find_folders(tmp_path, "functions/a/*", "app") == Folders()
    assert find_folders(tmp_path, "zzz.py/*", "app") == Folders()


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/f/\xff"))
    folder.mkdir(parents=True)
    (folder / "app.py").write_text("")
    assert find_folders(tmp_path, "f/*", "app") == Folders(found=("f/\udcff",))
    config = tmp_path / "lambdabuild.toml"
    config.write_text('[functions."*"]\nfrom = "f/*"\n')
    with pytest.raises(ConfigError, match=r"cannot be the name of a file; .*; rename it$"):
        read_config(tmp_path)


def test_links_to_folders_count_and_loops_do_no_harm(tmp_path: Path) -> None:
    write(tmp_path, "a/app.py")
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "link").symlink_to("../a")
    (tmp_path / "f" / "loop").symlink_to("loop")
    (tmp_path / "f" / "gone").symlink_to("nowhere")
    assert find_folders(tmp_path, "f/*", "app") == Folders(found=("f/link",))


def test_a_new_folder_is_noticed(tmp_path: Path) -> None:
    write(tmp_path, "f/a/app.py", "f/b/other.py")
    with recording() as ledger:
        find_folders(tmp_path, "f/*", "app")
    seen = ledger.take()
    assert {str(tmp_path / name) for name in ("f", "f/a", "f/b")} <= seen.keys()
    (tmp_path / "f" / "a" / "app.py").write_text("other = 1\n")
    assert find_change(seen) is None
    write(tmp_path, "f/c/app.py")
    assert find_change(seen) == str(tmp_path / "f")


def test_a_folder_that_may_not_be_listed() -> None:
    with public_folder() as project:
        (project / "f").mkdir(mode=0o711)
        told = run_unprivileged(
            "from lambdabuild.functionfolders import find_folders\nfrom pathlib import Path\nimport sys",
            "try:\n    find_folders(Path(sys.argv[1]), 'f/*', 'app')\nexcept Exception as error:\n    print(error)",
            project,
        )
        assert told == f"{project / 'f'} cannot be read: Permission denied\n"
