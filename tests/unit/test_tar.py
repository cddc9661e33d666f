"""builders.tar: nothing that comes out of a container is trusted."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambdabuild.builders.base import InstalledFile
from lambdabuild.builders.tar import read_installed, read_only_file, write_tar
from lambdabuild.errors import BuildError, LambdaBuildError, MachineError, PolicyError


def entry(name: str, content: bytes = b"", **changes: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.mode = 0o644
    for key, value in changes.items():
        setattr(info, key, value)
    return info, content


def folder(name: str) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, type=tarfile.DIRTYPE, mode=0o755)


def stream(*entries: tuple[tarfile.TarInfo, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format, errors="surrogateescape") as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def chunks(data: bytes, size: int = 100) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def read(data: bytes, *, rooms: int = 2, size: int = 100) -> list[InstalledFile]:
    return list(read_installed(chunks(data, size), rooms=rooms))


def test_what_is_written_can_be_read() -> None:
    out = io.BytesIO()
    write_tar(
        out, [("tree/", 0o700, b""), ("tree/room-0/a.py", 0o644, b"A"), ("tree/room-0/b", 0o755, b"")], owner=1000
    )
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as archive:
        assert [(info.name, info.mode, info.uid, info.gid, info.isdir(), info.size) for info in archive] == [
            ("tree", 0o700, 1000, 1000, True, 0),
            ("tree/room-0/a.py", 0o644, 1000, 1000, False, 1),
            ("tree/room-0/b", 0o755, 1000, 1000, False, 0),
        ]
    assert read(out.getvalue()) == [
        InstalledFile(room=0, path="a.py", executable=False, content=b"A"),
        InstalledFile(room=0, path="b", executable=True, content=b""),
    ]


@pytest.mark.parametrize("size", [1, 7, 512, 1000, 10_240, 1_000_000])
@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_rooms_folders_and_files(format: int, size: int) -> None:
    long = "/".join(["deep"] * 50) + "/naïve.py"
    data = stream(
        folder("tree"),
        folder("tree/room-0"),
        entry("tree/room-0/a.py", b"A" * 3000),
        folder("tree/room-1"),
        entry(f"tree/room-1/{long}", b"B", mode=0o700),
        format=format,
    )
    assert read(data, size=size) == [
        InstalledFile(room=0, path="a.py", executable=False, content=b"A" * 3000),
        InstalledFile(room=1, path=long, executable=True, content=b"B"),
    ]


@pytest.mark.parametrize(
    "bad",
    [
        entry("tree/room-0/a", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        entry("tree/room-0/a", type=tarfile.LNKTYPE, linkname="tree/room-0/b"),
        entry("tree/room-0/a", type=tarfile.CHRTYPE),
        entry("tree/room-0/a", type=tarfile.BLKTYPE),
        entry("tree/room-0/a", type=tarfile.FIFOTYPE),
        entry("tree/room-2/a"),
        entry("tree/elsewhere"),
        entry("tree/../room-0/a"),
        entry("room-0/a"),
    ],
)
def test_what_no_wheel_holds(bad: tuple[tarfile.TarInfo, bytes]) -> None:
    with pytest.raises(PolicyError) as caught:
        read(stream(entry("tree/room-0/fine"), bad))
    below = bad[0].name.partition("/")[2]
    assert str(caught.value) == f"{below!r} in the installed tree is not a regular file of a distribution"


@pytest.mark.parametrize("path", ["../a", "b/../../a", "/etc/passwd", "", "a\\b", "a\nb", "caf\udce9.py"])
@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_paths_that_may_not_be_packaged(path: str, format: int) -> None:
    with pytest.raises(PolicyError) as caught:
        read(stream(entry(f"tree/room-0/{path}"), format=format))
    assert str(caught.value) == (
        f"{path!r} is not a path that may be packaged: a path is relative, below its root, and of printable UTF-8"
    )


@pytest.mark.parametrize(
    ("end", "problem"),
    [
        (0, "empty file"),
        (1, "truncated header"),
        (511, "truncated header"),
        (512 + 1, "unexpected end of data"),
        (512 + 999, "unexpected end of data"),
    ],
)
def test_a_stream_that_ends_early(end: int, problem: str) -> None:
    data = stream(entry("tree/room-0/a.py", b"A" * 1000))
    assert len(read(data)) == 1
    with pytest.raises(MachineError) as caught:
        read(data[:end])
    assert str(caught.value) == f"the installed tree cannot be read to its end: {problem}"


def test_no_tar_at_all() -> None:
    with pytest.raises(MachineError) as caught:
        read(b"<html>" * 200)
    assert str(caught.value) == "the installed tree cannot be read to its end: invalid header"


MADE = folder("made/")


def only_file(tmp_path: Path, data: bytes) -> str:
    return read_only_file(chunks(data), tmp_path, most=1000, doing="building one 1.0")


def test_the_one_file_of_a_folder(tmp_path: Path) -> None:
    data = stream(MADE, entry("made/one-1.0-py3-none-any.whl", b"wheel" * 100))
    assert only_file(tmp_path, data) == "one-1.0-py3-none-any.whl"
    assert (tmp_path / "one-1.0-py3-none-any.whl").read_bytes() == b"wheel" * 100


@pytest.mark.parametrize(
    ("entries", "error", "message"),
    [
        ([MADE], BuildError, "building one 1.0 gave no wheel"),
        (
            [MADE, entry("made/a.whl"), entry("made/b.whl")],
            BuildError,
            "building one 1.0 gave several files in place of one wheel: 'a.whl', 'b.whl'",
        ),
        ([MADE, folder("made/sub")], PolicyError, "gave 'sub', which is no file, or has more than 1,000 bytes"),
        ([MADE, entry("made/sub/a.whl")], PolicyError, "gave 'sub/a.whl', which is no file"),
        ([MADE, entry("made/a.whl", bytes(1001))], PolicyError, "gave 'a.whl', which is no file, or has more than"),
        ([MADE, entry("made/a", type=tarfile.SYMTYPE, linkname="/etc")], PolicyError, "gave 'a', which is no file"),
        ([entry("made", type=tarfile.SYMTYPE, linkname="/etc")], PolicyError, "'' is not a path"),
        ([MADE, entry("made/../a.whl")], PolicyError, "'../a.whl' is not a path"),
        ([MADE, entry("made//a.whl")], PolicyError, "'/a.whl' is not a path"),
    ],
)
def test_what_is_not_one_file(
    tmp_path: Path, entries: list[tuple[tarfile.TarInfo, bytes]], error: type[LambdaBuildError], message: str
) -> None:
    with pytest.raises(error) as refused:
        only_file(tmp_path, stream(*entries))
    assert message in refused.value.message
    assert {path.name for path in tmp_path.iterdir()} <= {"a.whl"}


def test_a_stream_of_one_file_that_ends_early(tmp_path: Path) -> None:
    data = stream(MADE, entry("made/a.whl", bytes(900)))
    with pytest.raises(MachineError, match=r"building one 1\.0: the wheel cannot be read to its end"):
        only_file(tmp_path, data[:1400])
