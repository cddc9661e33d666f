"""wheels.index: whatever is wrong with a wheel is refused, with the name of the wheel and of the member."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from lambdabuild.errors import PolicyError
from lambdabuild.model.facts import Facts
from lambdabuild.wheels.index import WheelIndex, index_wheel
from lambdabuild.wheels.wheelfile import WheelFile
from tests.rawzip import FILENAME, INFO, Row, changed, raw_zip, wheel_rows

A = "demo/__init__.py"
LAUNCHER = "[console_scripts]\n{}\n"


def index(root: Path, data: bytes, filename: str = FILENAME) -> WheelIndex:
    path = root / "a-wheel"
    path.write_bytes(data)
    return index_wheel(WheelFile(path=path, filename=filename), inspect=lambda path, content: Facts())


def named(name: bytes, **more: object) -> bytes:
    """A wheel with a member of this name that its RECORD does not list: names are looked at before it is read."""
    return raw_zip([*wheel_rows(), Row(name=name, content=b"x", **more)])  # type: ignore[arg-type]


def with_a(**changes: object) -> bytes:
    return raw_zip(changed(wheel_rows(), A, **changes))


def files(more: Mapping[str, str | bytes], **options: object) -> bytes:
    return raw_zip(wheel_rows(more, **options))  # type: ignore[arg-type]


def entry(text: str) -> bytes:
    return files({f"{INFO}/entry_points.txt": LAUNCHER.format(text)})


def without(name: str) -> bytes:
    return raw_zip(row for row in wheel_rows() if row.name != name.encode())


OPEN = Path("/proc/self/fd")
GOOD = raw_zip(wheel_rows())
DEFLATED = wheel_rows()[0].packed
SIZE, CRC = len(wheel_rows()[0].content), zlib.crc32(wheel_rows()[0].content)
EMPTY = wheel_rows({"demo/empty.py": ""})
ROW = f"{A},,\n{INFO}/METADATA,,\n"
LEAVES = "is a path that leaves the folder that it is installed to"
DOTS = "is a path with an empty part or a part that is a dot"
UNSHOWN = "is a path with a backslash or a character that cannot be shown"
LONG = "is a path that is too long; 1024 bytes, 255 between two slashes are the most"
LOCAL = "has another method, size, checksum or flag in its own header"
DAMAGED = "does not unpack to the size and the checksum that are told of it"
BEHIND = "has another size or checksum behind its data"
ZIP64 = "has a zip64 field that contradicts its header"
EXTRAS = "has extra fields that are damaged"
SCHEME = "is of no scheme that wheels have (purelib, platlib, headers, scripts, data)"
NO_END = "is not a wheel: it has no end of a zip, so it may have been cut off"
AFTER = "has bytes after its end, or is cut off there"
ELSEWHERE = "has a central directory that is not where its end says"
BROKEN = "has a damaged central directory"
RECORD_ROW = "is in its RECORD and not in the wheel"
OTHER = "tells of another distribution or version than the file's name: "
DESCRIPTOR = struct.pack("<4s3L", b"PK\7\x08", CRC, len(DEFLATED), SIZE)

HOSTILE: dict[str, tuple[bytes, str | None, str]] = {
    # names
    "up": (named(b"../evil.py"), "../evil.py", LEAVES),
    "up inside": (named(b"demo/../../evil.py"), "demo/../../evil.py", LEAVES),
    "absolute": (named(b"/evil.py"), "/evil.py", LEAVES),
    "drive": (named(b"C:evil.py"), "C:evil.py", LEAVES),
    "drive and slash": (named(b"c:/evil.py"), "c:/evil.py", LEAVES),
    "backslash": (named(b"..\\evil.py"), "..\\evil.py", UNSHOWN),
    "nul": (named(b"demo/a.py\0.txt"), "demo/a.py\0.txt", UNSHOWN),
    "line break": (named(b"demo/a\n.py"), "demo/a\n.py", UNSHOWN),
    "terminal": (named(b"demo/\x1b[2J.py"), "demo/\x1b[2J.py", UNSHOWN),
    "dot": (named(b"./demo/b.py"), "./demo/b.py", DOTS),
    "dot inside": (named(b"demo/./__init__.py"), "demo/./__init__.py", DOTS),
    "empty part": (named(b"demo//b.py"), "demo//b.py", DOTS),
    "no name": (named(b""), "", DOTS),
    "only a slash": (named(b"/"), "/", LEAVES),
    "long part": (named(b"d" * 256), "d" * 256, LONG),
    "long": (named(b"dir/" * 256 + b"x"), "dir/" * 256 + "x", LONG),
    "latin": (
        named(b"demo/caf\xe9.py"),
        None,
        "has a member whose name is not ASCII and not marked as UTF-8: b'demo/caf\\xe9.py'",
    ),
    "no UTF-8": (
        named(b"demo/caf\xe9.py", flags=0x800),
        None,
        "has a member whose name is said to be UTF-8 and is not: b'demo/caf\\xe9.py'",
    ),
    "surrogate": (
        named(b"demo/\xed\xb3\xa9.py", flags=0x800),
        None,
        "has a member whose name is said to be UTF-8 and is not: b'demo/\\xed\\xb3\\xa9.py'",
    ),
    "twice": (raw_zip([*wheel_rows(), Row(name=A.encode(), content=b"B")]), A, "stands in it twice"),
    "file and folder": (named(b"demo"), "demo", "is a file and a folder at once"),
    "folder and file": (named(b"demo/__init__.py/x"), A, "is a file and a folder at once"),
    "folder entry and file": (
        raw_zip([*wheel_rows(), Row(name=b"demo/__init__.py/", mode=0o40755)]),
        "demo/__init__.py/",
        "stands in it twice",
    ),
    # kinds
    "link": (with_a(mode=0o120777), A, "is a symbolic link, and a wheel holds files only"),
    "device": (with_a(mode=0o020644), A, "is a device, and a wheel holds files only"),
    "pipe": (with_a(mode=0o010644), A, "is a pipe, and a wheel holds files only"),
    "folder without a slash": (with_a(mode=0o040755), A, "is a folder, and a wheel holds files only"),
    "full folder": (named(b"demo/data/", mode=0o40755), "demo/data/", "is a folder with something in it"),
    "encrypted": (with_a(flags=1, local={"flags": 1}), A, "is encrypted"),
    "strange flag": (with_a(flags=0x20), A, "has flags that no wheel needs: 0x20"),
    "bzip2": (with_a(method=12), A, "is compressed by method 12; wheels are stored, deflated or compressed by zstd"),
    "implode": (with_a(method=6), A, "is compressed by method 6; wheels are stored, deflated or compressed by zstd"),
    # a local header against the central directory
    "local name": (with_a(local={"name": b"demo/__init__.pX"}), A, "has another name in its own header"),
    "longer local name": (with_a(local={"name": b"demo/__init__.pyc"}), A, "has another name in its own header"),
    "local size": (with_a(local={"size": SIZE + 1}), A, LOCAL),
    "local packed size": (with_a(local={"compressed_size": 1}), A, LOCAL),
    "local checksum": (with_a(local={"crc32": CRC ^ 1}), A, LOCAL),
    "local method": (with_a(local={"method": 0}), A, LOCAL),
    "local flags": (with_a(local={"flags": 0x800}), A, LOCAL),
    "zero in the local header": (with_a(local={"size": 0, "compressed_size": 0, "crc32": 0}), A, LOCAL),
    # data
    "flipped bit": (with_a(data=bytes([DEFLATED[0] ^ 0x10]) + DEFLATED[1:]), A, DAMAGED),
    "checksum": (with_a(crc32=CRC ^ 1), A, DAMAGED),
    "size": (with_a(size=SIZE - 1), A, DAMAGED),
    "larger size": (with_a(size=SIZE + 1), A, DAMAGED),
    "cut stream": (with_a(data=DEFLATED[:-1]), A, DAMAGED),
    "data behind the stream": (with_a(data=DEFLATED + b"hidden"), A, DAMAGED),
    "trailer behind the stream": (
        with_a(data=DEFLATED + struct.pack("<2L", CRC, SIZE) + b"hidden"),
        A,
        "has data that goes on after its end",
    ),
    "stored checksum": (with_a(method=0, crc32=1), A, "does not have the checksum that is told of it"),
    "stored sizes": (with_a(method=0, size=SIZE - 1), A, "is stored, and its two sizes differ"),
    "bomb": (with_a(size=1 << 29), A, "is said to unpack to more than its data can hold"),
    "many bombs": (
        raw_zip([Row(name=b"a%d" % n, data=bytes(1 << 19), size=1 << 28) for n in range(5)]),
        None,
        "unpacks to 1,342,177,280 bytes, more than the 1,073,741,824 that a wheel may",
    ),
    "nothing and more": (raw_zip(changed(EMPTY, "demo/empty.py", data=b"\3\0x")), "demo/empty.py", DAMAGED),
    "nothing with a checksum": (raw_zip(changed(EMPTY, "demo/empty.py", crc32=1)), "demo/empty.py", DAMAGED),
    # data descriptors
    "descriptor": (with_a(flags=8, after=DESCRIPTOR[:-1] + b"\1"), A, BEHIND),
    "no descriptor": (with_a(flags=8), A, BEHIND),
    "stored and described": (with_a(flags=8, method=0), A, "is stored without its size before it"),
    # where members lie
    "bytes before": (raw_zip(wheel_rows(), before=b"#!/bin/sh\n"), A, "has bytes before it that belong to no member"),
    "moved by what is before": (b"x" + GOOD, None, ELSEWHERE),
    "bytes between": (
        with_a(after=b"hidden"),
        f"{INFO}/METADATA",
        "has bytes before it that belong to no member",
    ),
    "bytes before the directory": (
        raw_zip(wheel_rows(), gap=b"hidden"),
        None,
        "has bytes before its central directory that belong to no member",
    ),
    "overlap": (
        raw_zip([*wheel_rows(), Row(name=b"b", header=0)]),
        "b",
        "overlaps the member before it",
    ),
    "no header there": (with_a(header=5), A, "has bytes before it that belong to no member"),
    "beyond": (with_a(compressed_size=1 << 20, size=1 << 20), A, "reaches into the central directory"),
    # the end
    "no zip": (b"<html>404</html>", None, NO_END),
    "empty": (b"", None, NO_END),
    "cut": (GOOD[:-30], None, NO_END),
    "cut at the end": (GOOD[:-1], None, NO_END),
    "trailing": (GOOD + b"x", None, AFTER),
    "comment cut": (raw_zip(wheel_rows(), comment=b"comment")[:-1], None, AFTER),
    "end in the comment": (raw_zip(wheel_rows(), comment=b"PK\5\6" + bytes(18)), None, ELSEWHERE),
    "end in the comment, cut": (raw_zip(wheel_rows(), comment=b"PK\5\6"), None, NO_END),
    "two zips": (GOOD + GOOD, None, ELSEWHERE),
    "count too large": (raw_zip(wheel_rows(), count=5, on_disk=5), None, BROKEN),
    "count too small": (
        raw_zip(wheel_rows(), count=3, on_disk=3),
        None,
        "has a central directory with more in it than its end tells",
    ),
    "two counts": (raw_zip(wheel_rows(), count=3), None, "is one part of a zip in several"),
    "other disk": (raw_zip(wheel_rows(), disk=1), None, "is one part of a zip in several"),
    "directory's size": (raw_zip(wheel_rows(), size=10), None, ELSEWHERE),
    "directory's place": (raw_zip(wheel_rows(), start=10), None, ELSEWHERE),
    "more in the directory": (raw_zip(wheel_rows(), directory_end=b"PK\5\5\0\0"), None, ELSEWHERE),
    # zip64
    "zip64 elsewhere": (
        raw_zip(wheel_rows(), zip64=True, zip64_at=7),
        None,
        "has a zip64 end that is not where it is said to be",
    ),
    "zip64 count": (
        raw_zip(wheel_rows(), zip64=True, count=3, on_disk=4),
        None,
        "is one part of a zip in several",
    ),
    "zip64 field": (with_a(extra=struct.pack("<2HQ", 1, 8, 7)), A, ZIP64),
    "zip64 field in the local header": (with_a(local_extra=struct.pack("<2H2Q", 1, 16, SIZE, 7)), A, ZIP64),
    "zip64 size that is not there": (with_a(size=0xFFFFFFFF), A, "is said to unpack to more than its data can hold"),
    "extra field cut": (with_a(extra=struct.pack("<2H", 0x5455, 9)), A, EXTRAS),
    "extra field of a byte": (with_a(local_extra=b"\1"), A, EXTRAS),
    "zip64 twice": (with_a(extra=struct.pack("<2H", 1, 0) * 2), A, EXTRAS),
    "unicode path": (
        with_a(extra=struct.pack("<2HBL", 0x7075, 5, 1, 0)),
        A,
        "has an extra field with another name for it (Unicode path)",
    ),
    "unicode path in the local header": (
        with_a(local_extra=struct.pack("<2HBL", 0x7075, 5, 1, 0)),
        A,
        "has an extra field with another name for it (Unicode path)",
    ),
    # RECORD
    "not listed": (named(b"demo/b.py"), "demo/b.py", "is not in its RECORD"),
    "empty RECORD": (files({}, record=""), A, "is not in its RECORD"),
    "ghost": (files({}, record="demo/b.py,,\n"), "demo/b.py", RECORD_ROW),
    "outside": (files({}, record="../b.py,,\n"), "../b.py", RECORD_ROW),
    "no hash": (files({}, record=ROW), A, "has no hash in its RECORD"),
    "md5": (
        files({}, record=f"{A},md5=AAAAAAAAAAAAAAAAAAAAAA,1\n"),
        A,
        "has a hash or a size in its RECORD that is none: 'md5=AAAAAAAAAAAAAAAAAAAAAA', '1'",
    ),
    "short hash": (
        files({}, record=f"{A},sha256=AAAA,1\n"),
        A,
        "has a hash or a size in its RECORD that is none: 'sha256=AAAA', '1'",
    ),
    "other content": (with_a(content=b"A = 2\n" * 20), A, "is not the file that its RECORD claims"),
    "bad size": (
        files({}, record=f"{A},sha256={'A' * 43},-1\n"),
        A,
        f"has a hash or a size in its RECORD that is none: 'sha256={'A' * 43}', '-1'",
    ),
    "contradiction": (
        files({}, record=f"{A},sha256={'A' * 43},1\n{A},sha256={'A' * 43},2\n"),
        A,
        "has two rows in its RECORD that contradict each other",
    ),
    "four columns": (files({}, record=f"{A},,,\n"), A, RECORD_ROW),
    "quote": (files({}, record='"a\n'), f"{INFO}/RECORD", "cannot be read: unexpected end of data"),
    "no RECORD": (without(f"{INFO}/RECORD"), None, f"has no {INFO}/RECORD"),
    # metadata
    "no dist-info": (
        raw_zip([wheel_rows()[0]]),
        None,
        "has no .dist-info folder, or several: none",
    ),
    "two dist-info": (
        files({"other-1.0.dist-info/METADATA": ""}),
        None,
        f"has no .dist-info folder, or several: {INFO}, other-1.0.dist-info",
    ),
    "other name": (
        files({}, info="other-1.0.dist-info"),
        None,
        "has the metadata of another distribution or version in it: other-1.0.dist-info",
    ),
    "other version": (
        files({}, info="demo-1.1.dist-info"),
        None,
        "has the metadata of another distribution or version in it: demo-1.1.dist-info",
    ),
    "METADATA of another": (files({}, metadata="Name: other\nVersion: 1.0\n"), f"{INFO}/METADATA", OTHER + "other 1.0"),
    "METADATA of another version": (
        files({}, metadata="Name: demo\nVersion: 2\n"),
        f"{INFO}/METADATA",
        OTHER + "demo 2",
    ),
    "empty METADATA": (files({}, metadata=""), f"{INFO}/METADATA", OTHER + "nothing"),
    "no METADATA": (without(f"{INFO}/METADATA"), None, f"has no {INFO}/METADATA"),
    "no WHEEL": (without(f"{INFO}/WHEEL"), None, f"has no {INFO}/WHEEL"),
    "Wheel-Version": (
        files({}, wheel="Wheel-Version: 2.0\n"),
        f"{INFO}/WHEEL",
        "has Wheel-Version 2.0, and 1.0 is what is known",
    ),
    "WHEEL that is no text": (
        files({f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nTag: \xff\n"}),
        f"{INFO}/WHEEL",
        "cannot be read: 'utf-8' codec can't decode byte 0xff in position 24: invalid start byte",
    ),
    "no Wheel-Version": (
        files({}, wheel="Tag: py3-none-any\n"),
        f"{INFO}/WHEEL",
        "has Wheel-Version none, and 1.0 is what is known",
    ),
    # schemes and scripts
    "unknown scheme": (files({"demo-1.0.data/other/a": ""}), "demo-1.0.data/other/a", SCHEME),
    "no scheme": (files({"demo-1.0.data/a": ""}), "demo-1.0.data/a", SCHEME),
    "script in a folder": (
        files({"demo-1.0.data/scripts/a/b": ""}),
        "a/b",
        "is the name of a script and no name of a file",
    ),
    "interpreter": (
        files({"demo-1.0.data/scripts/python3": ""}),
        "python3",
        "is the name of a script that would stand in for the interpreter",
    ),
    "two to one path": (
        files({f"demo-1.0.data/purelib/{A}": "B"}),
        f"demo-1.0.data/purelib/{A}",
        f"goes to the same path as {A}",
    ),
    "file below a file": (
        files({f"demo-1.0.data/platlib/{A}/b": "B"}),
        A,
        f"would be a file where {A}/b needs a folder",
    ),
    "launcher over a file": (
        files({"bin/run": "", f"{INFO}/entry_points.txt": LAUNCHER.format("run = demo:main")}),
        "bin/run",
        "goes to the same path as the launcher of run",
    ),
    "metadata of another by a scheme": (
        files({"demo-1.0.data/data/other-1.0.dist-info/METADATA": ""}),
        "demo-1.0.data/data/other-1.0.dist-info/METADATA",
        "would be installed to other-1.0.dist-info/METADATA, which belongs to no file of this wheel",
    ),
    "schemes in a scheme": (
        files({"demo-1.0.data/data/demo-1.0.data/purelib/a": ""}),
        "demo-1.0.data/data/demo-1.0.data/purelib/a",
        "would be installed to demo-1.0.data/purelib/a, which belongs to no file of this wheel",
    ),
    "entry point up": (entry("../x = demo:main"), "../x", "is the name of a script and no name of a file"),
    "entry point absolute": (entry("/x = demo:main"), "/x", "is the name of a script and no name of a file"),
    "entry point python": (
        entry("Python3.13 = demo:main"),
        "Python3.13",
        "is the name of a script that would stand in for the interpreter",
    ),
    "entry point of no function": (
        entry("x = demo"),
        "x",
        "is an entry point for a script that names no function: 'demo'",
    ),
    "entry point with code": (
        entry("x = demo:main();import os"),
        "x",
        "is an entry point for a script that names no function: 'demo:main();import os'",
    ),
    "entry point with an empty list of extras": (
        entry("x = demo:main []"),
        "x",
        "is an entry point for a script that names no function: 'demo:main []'",
    ),
    "entry point with a name that no disk takes": (
        entry("é" * 128 + " = demo:main"),
        "é" * 128,
        "is the name of a script and no name of a file",
    ),
    "entry point twice": (
        entry("x = demo:main\nx = demo:other"),
        f"{INFO}/entry_points.txt",
        "cannot be read: While reading from '<string>' [line 3]: "
        "option 'x' in section 'console_scripts' already exists",
    ),
    "entry points in no section": (
        files({f"{INFO}/entry_points.txt": "x = demo:main\n"}),
        f"{INFO}/entry_points.txt",
        "cannot be read: File contains no section headers. file: '<string>', line: 1 'x = demo:main\\n'",
    ),
}


def test_the_corpus_is_large() -> None:
    assert len(HOSTILE) >= 60


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_wheels_are_refused(case: str, tmp_path: Path) -> None:
    data, member, problem = HOSTILE[case]
    with pytest.raises(PolicyError) as caught:
        index(tmp_path, data)
    place = FILENAME if member is None else f"{FILENAME}: {member!r}"
    assert caught.value.message == f"{place} {problem}"
    assert caught.value.hint == ("the wheel is damaged, badly made, or made to deceive; choose another version of demo")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("filename", ["demo.whl", "demo-1.0.whl", "demo-one-py3-none-any.whl", "demo-1.0.zip"])
def test_a_file_name_that_is_no_wheels(filename: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        index(tmp_path, GOOD, filename)
    assert caught.value.message == f"{filename} has a name that no wheel may have"


def test_a_bomb_takes_no_memory(tmp_path: Path) -> None:
    """Ten bytes that are said to be much are refused before there is room for it, and so is much that is more."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    zeros = stream.compress(bytes(100_000_000)) + stream.flush()
    wheels = [with_a(size=1 << 29), with_a(data=zeros, size=1000, compressed_size=len(zeros))]
    for data in wheels:
        tracemalloc.start()
        with pytest.raises(PolicyError):
            index(tmp_path, data)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 3_000_000


def test_nothing_stays_open(tmp_path: Path) -> None:
    before = list(OPEN.iterdir())
    for data in (GOOD, with_a(crc32=1), b""):
        try:
            index(tmp_path, data)
        except PolicyError:
            continue
    assert len(list(OPEN.iterdir())) == len(before)
