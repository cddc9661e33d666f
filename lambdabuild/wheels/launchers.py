"""Launchers of entry points and scripts with a shebang for "the interpreter": kept without it, and so for any target.

https://packaging.python.org/en/latest/specifications/entry-points/#use-for-scripts
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping
from dataclasses import replace

from lambdabuild.model.segment import Member, launcher_body, runtime_shebang
from lambdabuild.values import dataclass
from lambdabuild.wheels.names import refusal
from lambdabuild.wheels.schemes import SCRIPTS, check_script_name
from lambdabuild.zipformat import pack

_PIP = "pip3"
_VERSIONED_PIP = re.compile(r"pip3\.\d+")
"""pip names the Python that built its wheel; installers put their target's in its place."""
_REFERENCE = re.compile(r"([\w.-]+)\s*:\s*([\w.-]+)(?:\s*\[[^\],]+(?:,[^\],]+)*,?\])?")
_FIRST_LINE = re.compile(rb"[^\r\n]*(?:\r?\n|\r)?")
_PLACEHOLDER = b"#!python"
"""Begins the first line of scripts that the installer is to point to its interpreter; ``#!pythonw`` does too."""
_LAUNCHER = """\
# -*- coding: utf-8 -*-
import sys
from {module} import {name}
if __name__ == "__main__":
    if sys.argv[0].endswith("-script.pyw"):
        sys.argv[0] = sys.argv[0][:-11]
    elif sys.argv[0].endswith(".exe"):
        sys.argv[0] = sys.argv[0][:-4]
    sys.exit({call}())
"""
"""What uv writes, to the byte: the image's uv is held against it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launcher:
    """A script without its first line."""

    path: str
    mode: int
    body: bytes
    versioned: bool = False
    """Whether the target's version of Python is to be appended to the path."""


def launcher_member(launcher: Launcher, python: str) -> Member:
    """The script as the runtime of a Python version, ``3.13``, starts it."""
    path = launcher.path + python if launcher.versioned else launcher.path
    return pack(path, launcher.mode, runtime_shebang(python) + launcher.body)


def read_entry_points(content: bytes | bytearray, path: str, wheel: str) -> Mapping[str, Launcher]:
    """The launchers of an entry_points.txt, by name.

    Raises PolicyError for a file or an entry that cannot be read, and for a name that leaves the scripts' folder.
    """
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    try:
        parser.read_string(content.decode().replace("\r\n", "\n").replace("\r", "\n"))
    except (configparser.Error, UnicodeDecodeError) as error:
        raise refusal(wheel, f"cannot be read: {' '.join(str(error).split())}", path) from None
    launchers = {
        name: _launcher(name, reference, wheel)
        for name, reference in _section(parser, "console_scripts").items()
        if not _VERSIONED_PIP.fullmatch(name)
    }
    launchers |= {
        name: _launcher(name, reference, wheel) for name, reference in _section(parser, "gui_scripts").items()
    }
    return launchers


def versioned_launchers(launchers: Mapping[str, Launcher]) -> tuple[Launcher, ...]:
    """What is installed beside them under a name that has the target's version of Python in it."""
    pip = launchers.get(_PIP)
    return () if pip is None else (replace(pip, path=SCRIPTS + "pip", versioned=True),)


def _section(parser: configparser.ConfigParser, name: str) -> Mapping[str, str]:
    return parser[name] if parser.has_section(name) else {}


def script_body(content: bytes | bytearray, *, placeholder: bool) -> bytes | None:
    """A script's lines after its first, where that has to name the runtime's interpreter; None for any other."""
    if not content.startswith(b"#!"):
        return None
    if placeholder and content.startswith(_PLACEHOLDER):
        return _FIRST_LINE.sub(b"", content, count=1)
    return launcher_body(bytes(content))


def _launcher(name: str, reference: str, wheel: str) -> Launcher:
    check_script_name(name, wheel)
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise refusal(wheel, f"is an entry point for a script that names no function: {reference!r}", name)
    text = _LAUNCHER.format(module=match[1], name=match[2].partition(".")[0], call=match[2])
    return Launcher(path=SCRIPTS + name, mode=0o755, body=text.encode())
