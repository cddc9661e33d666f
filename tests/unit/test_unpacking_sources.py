"""resources.programs.build: what it makes of source distributions, hostile ones included; it runs in a container."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from lambdabuild.resources.programs import build

PYPROJECT = b"[build-system]\nrequires = []\n"


def run(tree: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    argv = [sys.executable, build.__file__, "read", str(tree), *arguments]
    return subprocess.run(argv, capture_output=True, check=False)


def archived(path: Path, *members: tuple[str, bytes] | tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return path


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_a_tar_and_a_zip_become_the_tree(tmp_path: Path) -> None:
    tar = archived(tmp_path / "tar", ("one-1/pyproject.toml", PYPROJECT), ("one-1/part/setup.py", b""))
    assert run(tmp_path / "first", "", str(tar)).stdout == PYPROJECT
    assert run(tmp_path / "first", "part").stdout == b""
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("one-1/pyproject.toml", PYPROJECT)
    assert run(tmp_path / "second", "", str(tmp_path / "zip")).stdout == PYPROJECT


def test_a_source_distribution_without_a_folder_at_its_top(tmp_path: Path) -> None:
    assert run(tmp_path / "tree", "", str(archived(tmp_path / "a", ("pyproject.toml", PYPROJECT)))).stdout == PYPROJECT


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([("one-1/README", b"")], b"there is neither a pyproject.toml nor a setup.py in it\n"),
        ([("one-1/pyproject.toml", b"#" * (build.MOST + 1))], b"more than 1,048,576 bytes\n"),
        ([("one-1/pyproject.toml/x", b"")], b"its pyproject.toml is no file, or has more than 1,048,576 bytes\n"),
        ([("one-1/setup.py", b""), ("../escaped", b"")], b"outside the destination"),
        ([("one-1/setup.py", b""), link("one-1/pyproject.toml", "/etc/passwd")], b"absolute path"),
        ([("one-1/setup.py", b""), link("one-1/pyproject.toml", "../../escaped")], b"outside the destination"),
        ([("one-1/setup.py", b""), link("one-1/a", "../../escaped", tarfile.LNKTYPE)], b"outside the destination"),
        ([("one-1/setup.py", b""), link("one-1/pipe", "", tarfile.FIFOTYPE)], b"special file"),
    ],
)
def test_what_is_refused(tmp_path: Path, members: list[tuple[str, bytes] | tarfile.TarInfo], said: bytes) -> None:
    done = run(tmp_path / "below" / "tree", "", str(archived(tmp_path / "archive", *members)))
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stdout == b""
    assert not (tmp_path / "escaped").exists()
    assert not (tmp_path / "below" / "escaped").exists()


def test_a_file_that_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(b"<html>")
    done = run(tmp_path / "tree", "", str(tmp_path / "archive"))
    assert b"ReadError" in done.stderr
