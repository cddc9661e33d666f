"""model.segment: launchers that no machine changes, RECORDs read and written."""

from __future__ import annotations

import pytest

from lambdabuild.model.segment import (
    RecordRow,
    format_record,
    launcher_for_runtime,
    parse_record,
)

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    "installed",
    [
        b"#!/usr/bin/python3\nimport a\n",
        b"#!/usr/bin/python3.13 -sE\nimport a\n",
        b"#!/home/me/project/.venv/bin/python\nimport a\n",
        b"#!/bin/sh\n'''exec' '/a path/with spaces/python' \"$0\" \"$@\"\n' '''\nimport a\n",
    ],
)
def test_launchers_start_the_runtimes_python(installed: bytes) -> None:
    assert launcher_for_runtime(installed, "3.13") == b"#!/var/lang/bin/python3.13\nimport a\n"


@pytest.mark.parametrize(
    "data",
    [
        b"#!/usr/bin/env python3\nimport a\n",
        b"#!/bin/sh\necho\n",
        b"#!/usr/bin/perl\n",
        b"#!python\n",
        b"\x7fELF\x02#!/usr/bin/python\n",
        b"import a\n",
        b"#!/python-tools/bin/run\n",
        b"",
    ],
)
def test_other_files_of_bin_are_left_alone(data: bytes) -> None:
    assert launcher_for_runtime(data, "3.13") is data


def test_parse_record() -> None:
    text = (
        "demo/__init__.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\r\n"
        '"demo/a,b.py",sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=,0\n'
        "\n"
        "demo/old.py,md5=1B2M2Y8AsgTpgAmY7PhCfg,0\n"
        "demo/bare.py\n"
        "demo-1.0.dist-info/RECORD,,\n"
    )
    assert parse_record(text) == (
        RecordRow(path="demo/__init__.py", sha256=EMPTY),
        RecordRow(path="demo/a,b.py", sha256=EMPTY),
        RecordRow(path="demo/old.py", sha256=None),
        RecordRow(path="demo/bare.py", sha256=None),
        RecordRow(path="demo-1.0.dist-info/RECORD", sha256=None),
    )


def test_format_record_is_canonical() -> None:
    rows = [
        RecordRow(path="demo/b.py", sha256=EMPTY),
        RecordRow(path="demo-1.0.dist-info/RECORD", sha256=None),
        RecordRow(path='demo/"a", b.py', sha256=EMPTY),
    ]
    text = format_record(rows, {"demo/b.py": 0, 'demo/"a", b.py': 12})
    assert text == (
        "demo-1.0.dist-info/RECORD,,\n"
        '"demo/""a"", b.py",sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,12\n'
        "demo/b.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n"
    )
    assert set(parse_record(text)) == set(rows)
