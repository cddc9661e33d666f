"""wheels.index: what a wheel lays down, held against the real uv, and the archives that are made of it."""

from __future__ import annotations

import hashlib
import io
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from uv import find_uv_bin

from lambdabuild.errors import PolicyError
from lambdabuild.inspection import inspect
from lambdabuild.memberfile import Place
from lambdabuild.model.segment import Slice, launcher_for_runtime
from lambdabuild.wheels.index import WheelIndex, index_wheel, index_wheels, installed
from lambdabuild.wheels.indexfile import INDEX_FORMAT, format_index, index_key, parse_index
from lambdabuild.wheels.wheelfile import WheelFile
from lambdabuild.zipformat import COMPRESSOR, DEFLATED, STORED, each_with_content, write_zip
from tests.goodwheels import TEXT, good_wheels, rows
from tests.rawzip import raw_zip
from tests.wheels import record_of

PYTHON = "3.13"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[WheelFile]:
    folder = tmp_path_factory.mktemp("wheels")
    made = []
    for filename, data in good_wheels().items():
        (folder / filename).write_bytes(data)
        made.append(WheelFile(path=folder / filename, filename=filename))
    return made


def listing(index: WheelIndex) -> dict[str, tuple[int, bytes]]:
    return {
        member.path: (member.mode, content) for member, content in each_with_content(installed(index, PYTHON).members)
    }


def install(wheels: list[WheelFile], target: Path) -> dict[str, tuple[int, bytes]]:
    """What uv lays down, its launchers with the runtime's shebang."""
    command = [find_uv_bin(), "pip", "install", "--target", str(target), "--no-cache", "--offline", "--no-index"]
    command += ["--no-deps", "--no-config", "--no-installer-metadata", "--python", sys.executable]
    subprocess.run([*command, *(str(wheel.path) for wheel in wheels)], check=True, capture_output=True)
    found = {}
    for path in target.rglob("*"):
        name = path.relative_to(target).as_posix()
        if path.is_file() and name != ".lock":
            content = path.read_bytes()
            content = launcher_for_runtime(content, PYTHON) if name.startswith("bin/") else content
            found[name] = path.stat().st_mode & 0o777, content
    return found


def test_the_same_files_as_uv(wheels: list[WheelFile], tmp_path: Path) -> None:
    ours: dict[str, tuple[int, bytes]] = {}
    for index in index_wheels(wheels, inspect=inspect):
        ours |= listing(index)
    theirs = install(wheels, tmp_path / "target")
    records = {path for path in ours if path.endswith("-1.0.dist-info/RECORD")}
    assert {path: told for path, told in ours.items() if path not in records} == {
        path: told for path, told in theirs.items() if path not in records
    }
    # uv's RECORD has the hash of its own launchers, whose first line is another, and rows for what it left out
    assert {path: rows_of(ours[path][1]) for path in records} == {path: rows_of(theirs[path][1]) for path in records}


def rows_of(record: bytes) -> list[bytes]:
    return sorted(line for line in record.splitlines() if not line.startswith((b"bin/", b"demo6-1.0.data/")))


def test_record_tells_of_every_file(wheels: list[WheelFile]) -> None:
    for index in index_wheels(wheels, inspect=inspect):
        files = {path: content for path, (_, content) in listing(index).items()}
        lines = record_of(files, index.record).splitlines()
        assert sorted(files[index.record].decode().splitlines()) == sorted(lines)


def test_streams_are_copied_and_not_made(wheels: list[WheelFile]) -> None:
    """A deflated member, and a stored one that deflating would not shrink, lie in the wheel."""
    deflated, stored = index_wheels(wheels[:2], inspect=inspect)
    for index, methods in (deflated, (DEFLATED, DEFLATED)), (stored, (DEFLATED, STORED)):
        by_name = {member.path.rpartition("/")[2]: member for member in index.members}
        text, noise = by_name["text.txt"], by_name["noise.bin"]
        assert (text.method, noise.method) == methods
        assert isinstance(noise.data, Slice)
        assert isinstance(text.data, Slice) == (index is deflated)
    assert deflated.requires == ("six",)
    assert (deflated.name, deflated.version) == ("demo0", "1.0")


def test_an_index_serves_every_python(wheels: list[WheelFile]) -> None:
    index = index_wheel(wheels[5], inspect=inspect)
    for python in ("3.11", "3.14"):
        members = {member.path: content for member, content in each_with_content(installed(index, python).members)}
        assert members["bin/demo5-a"].startswith(f"#!/var/lang/bin/python{python}\n# -*-".encode())


def test_zstd_is_deflated_anew_where_python_reads_it(tmp_path: Path) -> None:
    content = TEXT[:200]
    block = struct.pack("<L", len(content) << 3 | 1)[:3] + content
    frame = struct.pack("<L2B", 0xFD2FB528, 0x20, len(content)) + block  # one block, as it is
    path = tmp_path / "w"
    path.write_bytes(
        raw_zip(
            replace(row, method=93, data=frame) if row.name == b"demo1/text.txt" else row
            for row in rows(1, {"NAME/text.txt": content})
        )
    )
    wheel = WheelFile(path=path, filename="demo1-1.0-py3-none-any.whl")
    if sys.version_info >= (3, 14):
        index = index_wheel(wheel, inspect=inspect)
        assert listing(index)["demo1/text.txt"] == (0o644, content)
        assert {member.method for member in index.members} <= {STORED, DEFLATED}
    else:
        with pytest.raises(PolicyError) as caught:
            index_wheel(wheel, inspect=inspect)
        assert caught.value.message == (
            "demo1-1.0-py3-none-any.whl: 'demo1/text.txt' is compressed by zstd, which can be read where lambdabuild "
            "runs on Python 3.14 or newer"
        )


def test_pip_is_named_after_the_targets_python(tmp_path: Path) -> None:
    points = b"[console_scripts]\npip = NAME:main\npip3 = NAME:main\npip3.9 = NAME:main\n"
    path = tmp_path / "w"
    path.write_bytes(raw_zip(rows(1, {"NAME-1.0.dist-info/entry_points.txt": points})))
    index = index_wheel(WheelFile(path=path, filename="demo1-1.0-py3-none-any.whl"), inspect=inspect)
    paths = [member.path for member in installed(index, "3.14").members]
    assert [path for path in paths if path.startswith("bin/")] == ["bin/pip", "bin/pip3", "bin/pip3.14"]


def test_line_ends_and_defaults_as_uv_has_them(tmp_path: Path) -> None:
    points = b"[DEFAULT]\rNAME-every = NAME:main [a,]\r\r\n[console_scripts]\rNAME-one = NAME:main [ ]\n"
    scripts = {"NAME-cr": b"#!python\rfirst\nsecond", "NAME-crlf": b"#!python\r\n\rfirst", "NAME-none": b"#!pythonw"}
    files = {f"NAME-1.0.data/scripts/{name}": script for name, script in scripts.items()}
    path = tmp_path / "demo1-1.0-py3-none-any.whl"
    path.write_bytes(raw_zip(rows(1, {"NAME-1.0.dist-info/entry_points.txt": points, **files})))
    wheel = WheelFile(path=path, filename=path.name)
    ours, theirs = listing(index_wheel(wheel, inspect=inspect)), install([wheel], tmp_path / "target")
    launchers = [name for name in ours if name.startswith("bin/")]
    assert launchers == [f"bin/demo1-{name}" for name in ("cr", "crlf", "every", "none", "one")]
    assert {name: ours[name] for name in launchers} == {name: theirs.get(name) for name in launchers}


def test_archives_are_the_same_bytes_everywhere(wheels: list[WheelFile]) -> None:
    digests = []
    for index in index_wheels(wheels, inspect=inspect):
        digests.append(write_zip(io.BytesIO(), installed(index, PYTHON).members)[:16])
    assert digests == GOLDEN


# The file of an index


def read_back(index: WheelIndex, wheel: Path, folder: Path, *, now: Path | None = None) -> WheelIndex:
    """An index that was kept in a file, behind something else; ``now`` is where the wheel has moved."""
    content, file = format_index(index, wheel), folder / "kept"
    file.write_bytes(b"else" + content)
    return parse_index(content, Place(file, 4), now or wheel)


def test_an_index_is_read_back(wheels: list[WheelFile], tmp_path: Path) -> None:
    for wheel, index in zip(wheels, index_wheels(wheels, inspect=inspect), strict=True):
        found = read_back(index, wheel.path, tmp_path)
        assert replace(found, members=()) == replace(index, members=())
        assert [replace(one, data=b"") for one in found.members] == [replace(one, data=b"") for one in index.members]
        assert listing(found) == listing(index)
        assert all(isinstance(one.data, Slice) for one in found.members)
        assert format_index(found, wheel.path) == format_index(index, wheel.path)


def test_what_lies_in_the_wheel_is_not_kept_again(wheels: list[WheelFile], tmp_path: Path) -> None:
    index = index_wheel(wheels[0], inspect=inspect)
    moved = tmp_path / "moved"
    moved.write_bytes(wheels[0].path.read_bytes())
    found = read_back(index, wheels[0].path, tmp_path, now=moved)
    assert listing(found) == listing(index)
    for one, other in zip(index.members, found.members, strict=True):
        assert isinstance(other.data, Slice)
        assert (other.data.file == moved) == isinstance(one.data, Slice)


def test_the_key_is_the_wheel_the_format_and_the_compressor() -> None:
    text = f"wheel index {INDEX_FORMAT}\n{COMPRESSOR}\nab"
    assert index_key("ab") == hashlib.sha256(text.encode()).hexdigest()


GOLDEN: list[str] = [
    "0fd8e8c1831b26ae",
    "1a1c3642112fd412",
    "c08e5aba856efbc3",
    "33a55474260d847f",
    "3b6fecf9d7e10784",
    "66ef1cf10e96613d",
    "6b49553aa1f8dac7",
    "e622ac6feb9ada55",
    "0426e53351b5d3d0",
    "0f1519e4ae0d2178",
    "5d3e11535a80bbac",
    "890770741231e17a",
    "cad5a23baa2e20e1",
    "b1c50ff9158f99d1",
    "c8662b1a6a578608",
    "90ae824726a59f5f",
    "e5fded211ec78c4b",
]
