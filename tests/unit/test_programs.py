"""resources.programs: what the programs that run beside distributions decide; what they do is tested where they run."""

from __future__ import annotations

import platform

import pytest

from lambdabuild.resources.programs import compile as compiling
from lambdabuild.resources.programs import strip
from tests.elves import AARCH64, X86_64, elf
from tests.libraries import library

HERE = {"x86_64": X86_64, "aarch64": AARCH64}[platform.machine()]


@pytest.mark.parametrize(
    ("data", "is_one"),
    [
        (library(machine=HERE), True),
        (library(machine=HERE, behind=bytes(20)), True),
        (library(machine=HERE, behind=b"payload"), False),
        (library(machine=X86_64 + AARCH64 - HERE), False),
        (elf(HERE, interpreter="/lib/ld.so"), False),
        (b"\x7fELF\1\1\1" + bytes(60), False),
        (b"#!/bin/sh\n", False),
        (b"", False),
    ],
)
def test_shared_objects_of_this_machine(data: bytes, is_one: bool) -> None:
    assert strip.is_shared_object(data) is is_one


def test_segments_that_cannot_be_mapped() -> None:
    sound = library(abandoned=True)
    assert [segment.aligned for segment in strip.segments(sound)] == [True, True, True, True]
    moved = strip.Segment(
        type=1, flags=6, offset=344, address=8192, physical_address=0, size=0, size_in_memory=0, align=4096
    )
    assert not moved.aligned
    assert moved._replace(type=2).aligned
    assert moved._replace(align=1).aligned


def test_what_would_lie_in_memory() -> None:
    data = library()
    assert strip.find_loss(data, data) is None
    assert strip.find_loss(data, library(symbols=1)) is None
    dynamic = next(one for one in strip.sections(data) if one.type == 6)
    changed = bytearray(data)
    changed[dynamic.offset] ^= 1
    told = f"{dynamic.size} bytes at address {dynamic.address:#x} would change"
    assert strip.find_loss(data, bytes(changed)) == told
    cut = bytearray(data)
    cut[64 + 32 : 64 + 40] = (dynamic.offset).to_bytes(8, "little")  # p_filesz of the first segment
    assert strip.find_loss(data, bytes(cut)) == told


@pytest.mark.parametrize(
    ("constant", "unsteady"),
    [
        (frozenset({"a", "b"}), False),
        (frozenset({1, 2.5, b"x"}), False),
        (frozenset({"a", None}), True),
        (frozenset({("a", None)}), True),
        ((1, (frozenset({None, 1}),)), True),
        ((1, "a", None), False),
        (compile("def f(x):\n    return x in {None, 1}\n", "f", "exec"), True),
        (compile("def f(x):\n    return x in {2, 1}\n", "f", "exec"), False),
    ],
)
def test_sets_whose_order_is_another_one_in_each_run(constant: object, unsteady: bool) -> None:
    assert compiling.has_unsteady_set(constant) is unsteady
