"""The path lint: what on a function's import path will surprise, though the archives are whole and Lambda takes them.

It warns; ``strict = true`` makes its warnings errors. What it does not cover are limits, lifecycles of runtimes, and
which version of a distribution wins, of which other checks speak.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from lambdabuild.errors import Code
from lambdabuild.model.limits import Finding
from lambdabuild.model.tree import SOURCES
from lambdabuild.values import dataclass

_MOST = 3
"""Examples in a message; a count stands for the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What is to be said of one artifact."""

    artifact: str
    code: Code
    text: str
    hint: str


def as_findings(remarks: Iterable[Remark]) -> list[Finding]:
    """One finding for each thing that is to be said, with all the artifacts that it is true of."""
    artifacts: dict[tuple[Code, str, str], list[str]] = {}
    for remark in dict.fromkeys(remarks):
        artifacts.setdefault((remark.code, remark.text, remark.hint), []).append(remark.artifact)
    return [
        Finding(severity="warning", code=code, message=f"{listed(names)}: {text}", hint=hint, lint=True)
        for (code, text, hint), names in artifacts.items()
    ]


def strictly(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, with those of the path lint as errors."""
    return [replace(finding, severity="error") if finding.lint else finding for finding in findings]


def listed(items: Sequence[str]) -> str:
    """The first few of them, and how many more there are."""
    rest = len(items) - _MOST
    return ", ".join(items[:_MOST]) + (f" and {rest} more" if rest > 0 else "")


def shown(owner: str) -> str:
    """An owner of files, as messages call it."""
    return "the sources" if owner == SOURCES else owner


def exclusion(paths: Iterable[str]) -> str:
    """The line of the configuration that leaves out what lies at these paths of a root."""
    patterns = ", ".join(f'"/{path}"' for path in paths)
    return f"exclude = [{patterns}]"
