"""zipformat: archives that every reader reads, with the same bytes everywhere and for ever."""

from __future__ import annotations

import hashlib
import io
import random
import shutil
import stat
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdabuild.errors import MachineError, PolicyError
from lambdabuild.model.segment import Member, Slice
from lambdabuild.model.tree import source_tree
from lambdabuild.zipformat import COMPRESSOR, DEFLATED, EARLIEST, STORED, pack, write_zip
from tests.samples import member

NOISE = random.Random(0).randbytes(3000)
TEXT = "\n".join(f"line {number} of a text that deflates well" for number in range(200))
SAMPLE = (
    member("a.py", "A = 1\n"),
    member("bin/tool", "#!/bin/sh\n", 0o755),
    member("data/noise.bin", NOISE),
    member("data/text.txt", TEXT),
    member("empty"),
    member("naïve/データ.txt", "ü"),
)


def zipped(members: Sequence[Member], epoch: int | None = None) -> bytes:
    out = io.BytesIO()
    claimed = write_zip(out, members, epoch=epoch)
    assert claimed == hashlib.sha256(out.getvalue()).hexdigest()
    return out.getvalue()


def read(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """Path to mode and content, by the standard library, every CRC checked."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.testzip() is None
        names = opened.namelist()
        assert len(names) == len(set(names))
        return {info.filename: (info.external_attr >> 16, opened.read(info)) for info in opened.infolist()}


def infos(archive: bytes) -> dict[str, zipfile.ZipInfo]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {info.filename: info for info in opened.infolist()}


def check_strictly(archive: bytes) -> None:
    """What strict readers ask: no gap, no overlap, nothing before or behind, headers that agree."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        end = 0
        for info in opened.infolist():
            assert info.header_offset == end
            local = struct.unpack_from("<4s5H3L2H", archive, info.header_offset)
            signature, version, flags, method, clock, date, crc, packed, size, name_length, extra_length = local
            assert signature == b"PK\3\4"
            assert (method, crc, packed, size) == (info.compress_type, info.CRC, info.compress_size, info.file_size)
            assert (version, flags, extra_length) == (info.extract_version, info.flag_bits, 0)
            assert (1980 + (date >> 9), date >> 5 & 15, date & 31) == info.date_time[:3]
            assert (clock >> 11, clock >> 5 & 63, (clock & 31) * 2) == info.date_time[3:]
            name = archive[info.header_offset + 30 :][:name_length]
            assert name == info.orig_filename.encode()
            end = info.header_offset + 30 + name_length + packed
        assert opened.start_dir == end
        assert opened.comment == b""
    assert archive.rindex(b"PK\5\6") == len(archive) - 22


def test_round_trip() -> None:
    archive = zipped(SAMPLE)
    assert read(archive) == {
        "a.py": (stat.S_IFREG | 0o644, b"A = 1\n"),
        "bin/tool": (stat.S_IFREG | 0o755, b"#!/bin/sh\n"),
        "data/noise.bin": (stat.S_IFREG | 0o644, NOISE),
        "data/text.txt": (stat.S_IFREG | 0o644, TEXT.encode()),
        "empty": (stat.S_IFREG | 0o644, b""),
        "naïve/データ.txt": (stat.S_IFREG | 0o644, "ü".encode()),
    }
    check_strictly(archive)


def test_the_bytes_are_pinned() -> None:
    """Whoever changes these digests changes every artifact: say it in the changelog."""
    assert COMPRESSOR == "libdeflate 6 (deflate 0.9.0)"
    assert (
        hashlib.sha256(zipped(SAMPLE)).hexdigest() == "9de9a8516a665bcc773d2ffb3211ee8558577dd805f38faed72476da81b4c01f"
    )
    assert (
        hashlib.sha256(zipped(SAMPLE, epoch=1_700_000_000)).hexdigest()
        == "b71407ad1c5410533d59209f2d7484fe66e4543c3bcdee5e21a42dfcd1e162e9"
    )


def test_infozip_reads_it_too(tmp_path: Path) -> None:
    """Where Info-ZIP is installed; the other tests are as strict."""
    path = tmp_path / "a.zip"
    path.write_bytes(zipped(SAMPLE))
    assert zipfile.is_zipfile(path)
    if unzip := shutil.which("unzip"):
        done = subprocess.run([unzip, "-t", path], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.endswith(f"No errors detected in compressed data of {path}.\n")


def test_every_host_writes_unix_entries_without_extras() -> None:
    for info in infos(zipped(SAMPLE)).values():
        assert (info.create_system, info.create_version, info.extract_version) == (3, 20, 20)
        assert (info.extra, info.comment, info.volume, info.internal_attr) == (b"", b"", 0, 0)
        assert info.external_attr & 0xFFFF == 0
        assert not info.is_dir()


def test_methods() -> None:
    assert {info.filename: info.compress_type for info in infos(zipped(SAMPLE)).values()} == {
        "a.py": STORED,
        "bin/tool": STORED,
        "data/noise.bin": STORED,
        "data/text.txt": DEFLATED,
        "empty": STORED,
        "naïve/データ.txt": STORED,
    }


def test_names_are_marked_as_utf8_where_they_need_it() -> None:
    flags = {name: info.flag_bits for name, info in infos(zipped(SAMPLE)).items()}
    assert flags == dict.fromkeys(flags, 0) | {"naïve/データ.txt": 0x800}


@pytest.mark.parametrize(
    ("epoch", "date"),
    [
        (None, (1980, 1, 1, 0, 0, 0)),
        (0, (1980, 1, 1, 0, 0, 0)),
        (-1, (1980, 1, 1, 0, 0, 0)),
        (EARLIEST - 1, (1980, 1, 1, 0, 0, 0)),
        (EARLIEST, (1980, 1, 1, 0, 0, 0)),
        (EARLIEST + 3, (1980, 1, 1, 0, 0, 2)),
        (1_700_000_001, (2023, 11, 14, 22, 13, 20)),
        (4_354_819_199, (2107, 12, 31, 23, 59, 58)),
        (4_354_819_200, (2107, 12, 31, 23, 59, 58)),
        (999_999_999_999, (2107, 12, 31, 23, 59, 58)),
    ],
)
def test_dates(epoch: int | None, date: tuple[int, ...]) -> None:
    assert {info.date_time for info in infos(zipped(SAMPLE, epoch)).values()} == {date}


def test_the_order_of_a_tree_is_independent_of_the_order_that_it_was_made_in() -> None:
    def archive(members: Sequence[Member]) -> bytes:
        return zipped([entry.member for entry in source_tree(members).entries.values()])

    assert archive(SAMPLE) == archive(SAMPLE[::-1])
    assert list(infos(archive(SAMPLE[::-1]))) == [one.path for one in SAMPLE]


def test_an_archive_without_members() -> None:
    assert zipped([]) == b"PK\5\6" + bytes(18)


@pytest.mark.parametrize("count", [65_534, 65_535, 65_536])
def test_more_entries_than_a_plain_end_can_tell(count: int) -> None:
    empty = member("")
    archive = zipped([replace(empty, path=f"{number:05}") for number in range(count)])
    assert len(infos(archive)) == count
    assert (b"PK\6\6" in archive[-200:]) == (b"PK\6\7" in archive[-200:]) == (count > 65_535)
    claimed = struct.unpack_from("<H", archive, len(archive) - 22 + 10)[0]
    assert claimed == min(count, 65_535)


def test_what_offsets_cannot_tell_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = [replace(member("noise", NOISE), path=f"{number}") for number in range(2)]
    fits = 2 * (30 + 1 + len(NOISE))
    monkeypatch.setattr("lambdabuild.zipformat._MAX_32", fits)
    assert len(read(zipped(sample))) == 2
    monkeypatch.setattr("lambdabuild.zipformat._MAX_32", fits - 1)
    with pytest.raises(PolicyError) as caught:
        zipped(sample)
    assert str(caught.value) == "the archive exceeds 4 GiB, sixteen times what Lambda takes unzipped"


def test_members_are_copied_out_of_files(tmp_path: Path) -> None:
    files = [tmp_path / "one", tmp_path / "two"]
    sliced = []
    for number, one in enumerate(SAMPLE):
        with files[number % 2].open("ab") as file:
            sliced.append(replace(one, data=Slice(files[number % 2], file.tell())))
            file.write(one.data if isinstance(one.data, bytes) else b"")
    assert zipped(sliced) == zipped(SAMPLE)


def test_members_of_every_size_beside_each_other() -> None:
    chance = random.Random(5)
    sizes = [0, 1 << 18, (1 << 18) - 60, 7, 1 << 20, 100, 3 << 17, 3 << 17, 1]
    contents = {f"{at}": chance.randbytes(size) for at, size in enumerate(sizes)}
    made = zipped([member(path, content) for path, content in contents.items()])
    assert {path: content for path, (_, content) in read(made).items()} == contents


def test_a_file_that_ended_since_it_was_read_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "one.whl"
    file.write_bytes(bytes(100))
    lost = replace(member("a/noise", NOISE), data=Slice(file, 50))
    with pytest.raises(MachineError) as caught:
        zipped([lost])
    assert str(caught.value) == f"{file} is cut off where a/noise lies\n  hint: lambdabuild cache verify"


def test_pack_describes_the_content() -> None:
    packed = pack("a/text", 0o755, TEXT.encode())
    assert isinstance(packed.data, bytes)
    assert zlib.decompress(packed.data, wbits=-15) == TEXT.encode()
    assert packed == Member(
        path="a/text",
        mode=0o755,
        size=len(TEXT),
        crc32=zlib.crc32(TEXT.encode()),
        sha256=hashlib.sha256(TEXT.encode()).hexdigest(),
        method=DEFLATED,
        compressed_size=len(packed.data),
        data=packed.data,
    )


@given(
    st.dictionaries(
        st.text(
            st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="/\\"),
            min_size=1,
            max_size=30,
        ),
        st.tuples(
            st.sampled_from([0o644, 0o755]), st.binary(max_size=200) | st.binary(max_size=20).map(lambda b: b * 50)
        ),
        max_size=8,
    ),
    st.none() | st.integers(-(10**12), 10**12),
)
@settings(max_examples=60, deadline=None)
def test_whatever_goes_in_comes_out(files: dict[str, tuple[int, bytes]], epoch: int | None) -> None:
    archive = zipped([pack(path, mode, content) for path, (mode, content) in files.items()], epoch)
    assert read(archive) == {path: (stat.S_IFREG | mode, content) for path, (mode, content) in files.items()}
    check_strictly(archive)
