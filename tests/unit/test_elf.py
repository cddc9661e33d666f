"""elf: what the loader would read of a file, and files that are damaged."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdabuild.inspection import inspect
from lambdabuild.model.elf import has_text, read_binary
from lambdabuild.model.facts import DAMAGED, Binary, Facts, facts_document, parse_facts
from tests.elves import AARCH64, CORE, CUDA, EXECUTABLE, I386, PIE, RELOCATABLE, X86_64, elf

FULL = elf(
    AARCH64,
    needed=["libz.so.1", "libc.so.6"],
    soname="libdemo.so.3",
    versions={"libc.so.6": ["GLIBC_2.17", "GLIBC_2.28"], "libz.so.1": ["ZLIB_1.2.0"]},
)


def test_what_a_library_asks_for() -> None:
    assert read_binary("demo/libdemo.so.3", FULL) == Binary(
        path="demo/libdemo.so.3",
        machine="aarch64",
        soname="libdemo.so.3",
        needed=("libz.so.1", "libc.so.6"),
        versions=(("libc.so.6", ("GLIBC_2.17", "GLIBC_2.28")), ("libz.so.1", ("ZLIB_1.2.0",))),
    )


@pytest.mark.parametrize("content", [FULL, elf(flags_1=PIE), elf()[:50]])
def test_what_is_kept_of_a_file_with_its_distribution(content: bytes) -> None:
    found = inspect("demo/it", content)
    assert found == Facts(binaries=(read_binary("demo/it", content),))
    assert parse_facts(json.loads(json.dumps(facts_document(found)))) == found


def test_a_library_that_asks_for_nothing() -> None:
    assert read_binary("a.so", elf()) == Binary(path="a.so", machine="x86_64", soname=None, needed=(), versions=())


def test_versions_that_may_be_missing() -> None:
    versions = {"libc.so.6": ["GLIBC_2.34", "GLIBC_2.2.5"], "libm.so.6": ["GLIBC_2.29"]}
    content = elf(versions=versions, weak=["GLIBC_2.34"])
    found = read_binary("a.so", content)
    assert found is not None
    assert found.versions == (("libc.so.6", ("GLIBC_2.2.5",)), ("libm.so.6", ("GLIBC_2.29",)))
    found = read_binary("a.so", elf(versions={"libc.so.6": ["GLIBC_2.34"]}, weak=["GLIBC_2.34"]))
    assert found is not None
    assert found.versions == ()


@pytest.mark.parametrize(
    ("content", "program"),
    [
        (elf(), False),
        (elf(kind=EXECUTABLE, dynamic=False), True),
        (elf(flags_1=PIE), True),
        (elf(interpreter="/lib64/ld-linux-x86-64.so.2"), True),
        (elf(interpreter="/lib64/ld-linux-x86-64.so.2", soname="libc.so.6"), False),
    ],
    ids=["shared", "static", "static-pie", "interpreted", "libc"],
)
def test_programs(content: bytes, program: bool) -> None:
    found = read_binary("a", content)
    assert found is not None
    assert found.program is program


@pytest.mark.parametrize(("machine", "name"), [(X86_64, "x86_64"), (AARCH64, "aarch64"), (I386, "EM_386")])
def test_machines(machine: int, name: str) -> None:
    found = read_binary("a.so", elf(machine))
    assert found is not None
    assert found.machine == name


@pytest.mark.parametrize(
    "content",
    [b"", b"\x7fEL", b"#!/bin/sh\n", b"!<arch>\n", elf(kind=RELOCATABLE), elf(kind=CORE), elf(CUDA, kind=EXECUTABLE)],
)
def test_what_no_loader_loads(content: bytes) -> None:
    assert read_binary("a.so", content) is None


DAMAGED_FILE = Binary(path="a.so", machine=DAMAGED, soname=None, needed=(), versions=())


@pytest.mark.parametrize("length", [4, 5, 20, 63, 64, 100, 200, len(FULL) - 1])
def test_a_file_that_ends_early(length: int) -> None:
    assert read_binary("a.so", FULL[:length]) == DAMAGED_FILE


def test_tables_that_point_nowhere() -> None:
    where = FULL.index((4096 + FULL.index(b"\0libc.so.6\0")).to_bytes(8, "little"))  # DT_STRTAB
    assert read_binary("a.so", FULL[:where] + b"\xff" * 8 + FULL[where + 8 :]) == DAMAGED_FILE


def test_names_that_are_no_text() -> None:
    assert read_binary("a.so", FULL.replace(b"libdemo", b"lib\xff\xfe\xfdo")) == DAMAGED_FILE


@given(st.integers(0, len(FULL) - 1), st.binary(min_size=1, max_size=8))
def test_whatever_is_broken_no_exception(at: int, wrong: bytes) -> None:
    read_binary("a.so", FULL[:at] + wrong + FULL[at + len(wrong) :])


@pytest.mark.parametrize("order", ["<", ">"])
def test_files_for_other_machines(order: str) -> None:
    """A program for a 32-bit machine, in either byte order, with a soname at address 4096."""
    strings, at = b"\0libdemo.so\0", 52 + 2 * 32
    tags = struct.pack(f"{order}6I", 5, 4096 + at, 14, 1, 0, 0)
    identity = b"\x7fELF\1" + (b"\1" if order == "<" else b"\2") + b"\1".ljust(10, b"\0")
    header = struct.pack(f"{order}2H5I6H", 3, 40, 1, 0, 52, 0, 0, 52, 32, 2, 40, 0, 0)
    size = at + len(strings) + len(tags)
    load = struct.pack(f"{order}8I", 1, 0, 4096, 4096, size, size, 4, 4096)
    dynamic = struct.pack(f"{order}8I", 2, at + len(strings), 4096, 4096, len(tags), len(tags), 4, 4)
    content = identity + header + load + dynamic + strings + tags
    assert read_binary("a.so", content) == Binary(
        path="a.so", machine="EM_ARM", soname="libdemo.so", needed=(), versions=()
    )


def test_text_is_looked_for_outside_of_machine_code() -> None:
    content = elf(interpreter="/lib/one")  # one segment for code and constants, as old linkers make it
    assert has_text(content, b"two", b"/lib/one")
    interp = content.index(struct.pack("<2I", 3, 4))
    apart = content[:interp] + struct.pack("<2I6Q", 1, 4, 0, 0, 0, 0, 0, 1) + content[interp + 56 :]
    assert not has_text(apart, b"/lib/one"), "constants have a segment of their own"
    assert has_text(apart + b"at the end", b"at the end")
    assert has_text(apart[:100] + b"/lib/one", b"/lib/one"), "of what is damaged everything is read"
    assert has_text(b"no ELF", b"ELF")
    assert not has_text(b"no ELF", b"text")


def test_a_real_one() -> None:
    content = Path(sys.executable).resolve().read_bytes()
    found = read_binary("python", content)
    assert found is not None
    assert found.program
    assert "libc.so.6" in found.needed
    assert "libc.so.6" in dict(found.versions)
