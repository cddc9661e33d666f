"""Reads an installed file once, while it is at hand, for what slimming, audit and lint will ask of it."""

from __future__ import annotations

from dataclasses import replace

from lambdabuild.model.elf import read_binary
from lambdabuild.model.evidence import read_facts
from lambdabuild.model.facts import Facts


def inspect(path: str, content: bytes) -> Facts:
    """The facts of one file; nothing for one that cannot be read as what its name says."""
    if path.endswith(".pth") and "/" not in path:
        return Facts(pth=((path, content.decode(errors="replace")),))
    binary = read_binary(path, content)
    facts = read_facts(path, content, of_distribution=True)
    return replace(facts, binaries=(binary,) if binary is not None else ())
