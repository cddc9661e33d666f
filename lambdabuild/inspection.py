"""Reads an installed file once, while it is at hand, for what slimming, audit and lint will ask of it."""

from __future__ import annotations

import re
from threading import Lock

from lambdabuild.elf import read_binary
from lambdabuild.model.evidence import entry_point_groups, find_lookups, find_test_imports, is_test
from lambdabuild.model.facts import Facts

_ENTRY_POINTS = re.compile(r"[^/]+\.dist-info/entry_points\.txt")
_PARSING = Lock()
"""Python 3.11, for one, counts the depth of a syntax tree for all threads: two at once can end in SystemError
(https://github.com/python/cpython/issues/106905). They would not be faster either, since parsing needs the interpreter.
"""


def inspect(path: str, content: bytes) -> Facts:
    """The facts of one file; nothing for one that cannot be read as what its name says."""
    if path.endswith(".pth") and "/" not in path:
        return Facts(pth=((path, content.decode(errors="replace")),))
    if _ENTRY_POINTS.fullmatch(path):
        return Facts(entry_points=entry_point_groups(content.decode(errors="replace")))
    binary = read_binary(path, content)
    with _PARSING:
        return Facts(
            binaries=(binary,) if binary is not None else (),
            lookups=find_lookups(path, content),
            test_imports=() if is_test(path) else find_test_imports(path, content),
        )
