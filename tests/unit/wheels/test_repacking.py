"""wheels.repacking: the same files give the same bytes, and still a wheel."""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lambdabuild.errors import PolicyError
from lambdabuild.inspection import inspect
from lambdabuild.wheels.index import index_wheel, installed
from lambdabuild.wheels.repacking import repack
from lambdabuild.wheels.wheelfile import WheelFile
from tests.wheels import Wheel, wheel

ONE = wheel(
    "one",
    files={"one/b.py": "B = 1\n" * 100, "one/a.py": "", "one/run.sh": "#!/bin/sh\n", "one-1.0.data/scripts/x": "x"},
    launchers={"one": "one.b:main"},
    executables=["one/run.sh"],
)


RECORD = f"{ONE.dist_info}/RECORD"


def whole(one: Wheel) -> dict[str, bytes]:
    """Its files but RECORD."""
    return {name: content for name, content in one.files.items() if name != RECORD}


def digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def repacked(path: Path, data: bytes, filename: str = ONE.filename) -> bytes:
    path.write_bytes(data)
    out = io.BytesIO()
    repack(path, filename, out)
    return out.getvalue()


def zipped(one: Wheel, method: int, *, reverse: bool) -> bytes:
    """The files of a wheel as another backend might have written them: with folders, and dates of today."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr(zipfile.ZipInfo("one/"), b"")
        for name, content in sorted(one.files.items(), reverse=reverse):
            info = zipfile.ZipInfo(name, (2026, 11, 28, 12, 0, 0))
            info.external_attr = (0o100775 if name in one.executables else 0o100600) << 16
            info.compress_type = method
            archive.writestr(info, content)
    return out.getvalue()


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    made = {
        repacked(tmp_path / "wheel", data)
        for data in (
            ONE.data,
            zipped(ONE, zipfile.ZIP_STORED, reverse=True),
            zipped(ONE, zipfile.ZIP_DEFLATED, reverse=False),
        )
    }
    (data,) = made
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        assert names == [*sorted(ONE.files.keys() - {RECORD}), RECORD]
        assert {name: archive.read(name) for name in names if name != RECORD} == whole(ONE)
        rows = (f"{name},sha256={digest(content)},{len(content)}" for name, content in sorted(whole(ONE).items()))
        assert sorted(archive.read(RECORD).decode().splitlines()) == sorted([*rows, f"{RECORD},,"])
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
    assert modes == {name: 0o100755 if name in ONE.executables else 0o100644 for name in ONE.files}
    assert repacked(tmp_path / "wheel", data) == data


def test_a_record_without_hashes_becomes_one_with_them(tmp_path: Path) -> None:
    bare = "".join(f"{name},,\n" for name in ONE.files)
    made = wheel("one", files={name: data for name, data in ONE.files.items() if "dist-info" not in name}, record=bare)
    (tmp_path / ONE.filename).write_bytes(repacked(tmp_path / "wheel", made.data))
    index = index_wheel(WheelFile(path=tmp_path / ONE.filename, filename=ONE.filename), inspect=inspect)
    assert {one.path for one in index.members} >= {"one/a.py", "one/b.py", "one/run.sh"}


def test_it_lays_down_what_it_did(tmp_path: Path) -> None:
    (tmp_path / "before").write_bytes(ONE.data)
    (tmp_path / ONE.filename).write_bytes(repacked(tmp_path / "wheel", ONE.data))
    indexes = [
        index_wheel(WheelFile(path=tmp_path / name, filename=ONE.filename), inspect=inspect)
        for name in ("before", ONE.filename)
    ]
    before, after = (
        [(one.path, one.mode, one.sha256) for one in installed(index, "3.13").members] for index in indexes
    )
    assert before == after
    argv = ["pip", "install", "--offline", "--no-config", "--no-index", "--no-cache"]
    argv += ["--target", str(tmp_path / "tree"), str(tmp_path / ONE.filename)]
    subprocess.run([sys.executable, "-m", "uv", *argv], check=True, capture_output=True)
    assert (tmp_path / "tree" / "one" / "b.py").read_bytes() == ONE.files["one/b.py"]


def test_what_two_readers_read_differently_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="has bytes after its end"):
        repacked(tmp_path / "wheel", ONE.data + b"PK")
