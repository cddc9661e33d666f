"""Wheels written in every way in which a wheel may be written, the same bytes on every machine."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace

from tests.rawzip import Row, raw_zip
from tests.wheels import record_of

NOISE = random.Random(0).randbytes(2000)
TEXT = b"a text that deflates well, " * 90


def good_wheels() -> dict[str, bytes]:
    """By filename, ``demo0-1.0-py3-none-any.whl`` and so on."""
    written = (one if isinstance(one, bytes) else raw_zip(one) for one in _each_way())
    return {f"demo{number}-1.0-py3-none-any.whl": data for number, data in enumerate(written)}


def rows(number: int, files: dict[str, bytes], modes: dict[str, int] | None = None) -> list[Row]:
    """A good wheel of its own name, in whose paths and contents NAME stands for it."""
    name = f"demo{number}"
    content = {
        path.replace("NAME", name): data if b"\0" in data else data.replace(b"NAME", name.encode())
        for path, data in files.items()
    }
    info = f"{name}-1.0.dist-info"
    content |= {
        f"{name}/__init__.py": b"",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: six\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    content[f"{info}/RECORD"] = record_of(content, f"{info}/RECORD").encode()
    modes = {path.replace("NAME", name): mode for path, mode in (modes or {}).items()}
    return [
        Row(
            name=path.encode(),
            content=data,
            mode=modes.get(path, 0o100644),
            flags=0 if path.isascii() else 0x800,
        )
        for path, data in content.items()
    ]


def _described(row: Row, signature: bytes = b"PK\7\x08") -> Row:
    told = zlib.crc32(row.content), len(row.packed), len(row.content)
    after = signature + struct.pack("<3L", *told)
    return replace(row, flags=8, local={"crc32": 0, "compressed_size": 0, "size": 0}, after=after)


def _each_way() -> Iterator[list[Row] | bytes]:
    """Every way in which a wheel may be written, one a wheel."""
    yield rows(0, {"NAME/text.txt": TEXT, "NAME/noise.bin": NOISE})
    yield [replace(row, method=0) for row in rows(1, {"NAME/text.txt": TEXT, "NAME/noise.bin": NOISE})]
    modes = {
        "NAME/run.sh": 0o100755,
        "NAME/secret": 0o100600,
        "NAME/group": 0o100010,
        "NAME/none": 0,
        "NAME/su": 0o104755,
    }
    yield rows(2, dict.fromkeys(modes, b"x"), modes)
    schemes = {
        "purelib/NAME/pure.py": b"1",
        "platlib/NAME/plat.so": b"2",
        "data/share/NAME/x": b"3",
        "data/etc/NAME": b"4",
    }
    schemes |= {"headers/a.h": b"5", "headers/sub/NAME.h": b"6", "scripts/NAME-sh": b"#!/bin/sh\n"}
    yield rows(
        3, {f"NAME-1.0.data/{path}": data for path, data in schemes.items()}, {"NAME-1.0.data/data/etc/NAME": 0o100755}
    )
    shebangs = {
        "a": b"#!python\nprint(1)\n",
        "b": b"#!pythonw\nprint(1)\n",
        "c": b"#!python -sE\nprint(1)\n",
        "d": b"#!python\r\nprint(1)\r\n",
        "e": b"#!python",
        "f": b"#!python3\n",
        "g": b"#!/usr/bin/env python\n",
        "h": b"\x7fELF\0",
        "i": b"#!/usr/bin/python3\nprint(1)\n",
    }
    yield rows(4, {f"NAME-1.0.data/scripts/NAME-{key}": data for key, data in shebangs.items()})
    points = b"# c\n[console_scripts]\nNAME-a = NAME:main\nNAME-b = NAME.x:a.b [extra]\nNAME.c=NAME : main\n\n"
    points += b"[gui_scripts]\nNAME-a = NAME:gui\n[NAME.plugins]\nx = NAME\n"
    yield rows(5, {"NAME-1.0.dist-info/entry_points.txt": points})
    wrappers = {
        f"NAME-1.0.data/scripts/NAME{suffix}": b"#!python\n" for suffix in ("", "-script.py", ".exe", ".pya", ".bat")
    }
    yield rows(6, {"NAME-1.0.dist-info/entry_points.txt": b"[console_scripts]\nNAME = NAME:main\n", **wrappers})
    yield [_described(row) if row.content else row for row in rows(7, {"NAME/text.txt": TEXT})]
    yield [_described(row, b"") if row.content else row for row in rows(8, {"NAME/text.txt": TEXT})]
    large = rows(9, {"NAME/text.txt": TEXT})
    yield [replace(row, local_extra=struct.pack("<2H2Q", 1, 16, len(row.content), len(row.packed))) for row in large]
    yield raw_zip(rows(10, {"NAME/text.txt": TEXT}), comment=b"a comment")
    yield raw_zip(rows(11, {"NAME/text.txt": TEXT}), zip64=True)
    yield [Row(name=b"demo12/", mode=0o40755, method=0), *rows(12, {"NAME/text.txt": TEXT})]
    yield rows(13, {"NAME/naïve/データ.txt": TEXT, 'NAME/"quoted", with commas.txt': b"x", "NAME/trail.": b""})
    left = {"INSTALLER": b"pip\n", "REQUESTED": b"", "direct_url.json": b"{}", "RECORD.jws": b"j", "sub/RECORD": b"r"}
    yield rows(14, {f"NAME-1.0.dist-info/{name}": data for name, data in left.items()})
    yield rows(
        15,
        {
            "bin/NAME-tool": b"#!/usr/local/bin/python\n1\n",
            "NAME-2.0.data/purelib/x": b"",
            "NAME/__pycache__/a.pyc": b"\0",
        },
    )
    yield [replace(row, extra=struct.pack("<2HBL", 0x5455, 5, 1, 0)) for row in rows(16, {"NAME/a.py": b"A = 1\n"})]
