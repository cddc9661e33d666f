"""wheels.index under mutations of good wheels: a refusal, or what the unchanged wheel gives; nothing else.

A few seconds of it run with the other tests. Ten thousand: ``python tests/unit/wheels/test_fuzz.py 10000``.
"""

from __future__ import annotations

import io
import random
import struct
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from lambdabuild.errors import PolicyError
from lambdabuild.inspection import inspect
from lambdabuild.wheels.index import index_wheel, installed
from lambdabuild.wheels.wheelfile import WheelFile
from lambdabuild.zipformat import each_with_content
from tests.rawzip import FILENAME, INFO, raw_zip, wheel_rows

POINTS = "[console_scripts]\nrun = demo:main\n"
FILES = {
    "demo/text.txt": "a text that deflates well, " * 90,
    "demo/noise.bin": random.Random(0).randbytes(500),
    "demo-1.0.data/scripts/tool": "#!python\nprint(1)\n",
    "demo-1.0.data/headers/a.h": "",
    f"{INFO}/entry_points.txt": POINTS,
}
BOUND = 8_000_000
"""Bytes of memory for a wheel of 4,000, whatever is done to it; most of it is the interpreter's own."""
SIGNATURES = b"PK\1\2", b"PK\3\4", b"PK\5\6"
Listing = dict[str, tuple[int, bytes]]


def good_wheels() -> list[bytes]:
    rows = wheel_rows(FILES)
    return [
        raw_zip(rows),
        raw_zip(replace(row, method=0) for row in rows),
        raw_zip(rows, comment=b"a comment", zip64=True),
    ]


def flip(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 1, 2, 8))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def remove(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    del data[at : at + chance.randint(1, 40)]


def insert(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.choice((b"x", b"PK\5\6", b"PK\3\4", bytes(22), chance.randbytes(chance.randint(1, 60))))


def copy(data: bytearray, chance: random.Random) -> None:
    start, to = chance.randrange(len(data)), chance.randrange(len(data))
    piece = data[start : start + chance.randint(1, 300)]
    data[to : to + (len(piece) if chance.random() < 0.5 else 0)] = piece


def field(data: bytearray, chance: random.Random) -> None:
    """A number in a header becomes another that readers are known to stumble over."""
    signature = chance.choice(SIGNATURES)
    places = [at for at in range(len(data) - 4) if data[at : at + 4] == signature]
    width = chance.choice((2, 4))
    at = chance.choice(places) + chance.randrange(4, 46 if signature == b"PK\1\2" else 22, 2)
    value = chance.choice((0, 1, 8, 12, 93, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF, chance.getrandbits(32)))
    data[at : at + width] = struct.pack("<L", value)[:width]


def both(data: bytearray, chance: random.Random) -> None:
    """The same field of one member, in its local header and in the central directory."""
    central = chance.choice([at for at in range(len(data) - 4) if data[at : at + 4] == b"PK\1\2"])
    (local,) = struct.unpack_from("<L", data, central + 42)
    offset, width = chance.choice(((6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2)))
    value = struct.pack("<L", chance.choice((0, 1, 8, 93, 0x800, 0xFFFF, 0xFFFFFFFF, chance.getrandbits(12))))[:width]
    data[local + offset : local + offset + width] = value
    data[central + offset + 2 : central + offset + 2 + width] = value


MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (flip, cut, remove, insert, copy, field, both)


def files(path: Path) -> Listing:
    index = index_wheel(WheelFile(path=path, filename=FILENAME), inspect=inspect)
    members = installed(index, "3.13").members
    return {member.path: (member.mode, content) for member, content in each_with_content(members)}


def as_others_read(data: bytes) -> dict[str, bytes]:
    """What the standard library reads of a wheel, by name in it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def fuzz(folder: Path, count: int, seed: int) -> tuple[int, int]:
    """How many mutants were refused and how many gave what the good wheel gives; fails for anything else."""
    chance = random.Random(seed)
    path = folder / "wheel"
    good = []
    for data in good_wheels():
        path.write_bytes(data)
        good.append((data, files(path), as_others_read(data)))
    refused = 0
    for number in range(count):
        whole, listing, content = chance.choice(good)
        data = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2))):
            if len(data) > 100 and all(signature in data for signature in SIGNATURES):
                chance.choice(MUTATIONS)(data, chance)
        path.write_bytes(data)
        tracemalloc.reset_peak()
        try:
            found = files(path)
        except PolicyError as error:
            assert error.message.startswith(FILENAME), f"seed {seed}, mutant {number}"
            refused += 1
        else:
            assert {name: told[1] for name, told in found.items()} == {
                name: told[1] for name, told in listing.items()
            }, f"seed {seed}, mutant {number}"
            assert as_others_read(bytes(data)) == content, f"seed {seed}, mutant {number}"
        assert tracemalloc.get_traced_memory()[1] < BOUND, f"seed {seed}, mutant {number}"
    return refused, count - refused


def test_mutants_are_refused_or_change_nothing(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        refused, same = fuzz(tmp_path, 400, seed=1)
    finally:
        tracemalloc.stop()
    assert refused > same > 0


if __name__ == "__main__":
    tracemalloc.start()
    with TemporaryDirectory() as temporary:
        counts = fuzz(Path(temporary), int(sys.argv[1]), seed=int((*sys.argv, "0")[2]))
    print(f"{counts[0]} refused, {counts[1]} as before")
