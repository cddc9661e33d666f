"""Reads an installed file once, while it is at hand, for what slimming, audit and lint will ask of it."""

from __future__ import annotations

from lambdabuild.model.facts import Facts


def inspect(path: str, content: bytes) -> Facts:
    """The facts of one file; nothing for one that cannot be read as what its name says."""
    if path.endswith(".pth") and "/" not in path:
        return Facts(pth=((path, content.decode(errors="replace")),))
    return Facts()
