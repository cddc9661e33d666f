"""What the checks have to say, kept apart by archive, so that it can be said again of one that is not made again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from lambdabuild.model.limits import Finding
from lambdabuild.model.lint import Remark, as_findings
from lambdabuild.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Of one archive, or of a function together with its layers."""

    findings: tuple[Finding, ...] = ()
    remarks: tuple[Remark, ...] = ()
    """Of the path lint, which says together what is true of several archives."""
    complaints: Mapping[str, Finding] | None = None
    """Of its binaries, under keys that are equal for what is the same trouble in another function."""


def together(said: Iterable[Said]) -> list[Finding]:
    """Everything once: a thing that is true of several archives is one finding, and of a trouble that several
    functions share the first tells."""
    said = tuple(said)
    complaints: dict[str, Finding] = {}
    for one in said:
        complaints = {**(one.complaints or {}), **complaints}
    return [
        *dict.fromkeys(finding for one in said for finding in one.findings),
        *as_findings(remark for one in said for remark in one.remarks),
        *complaints.values(),
    ]


def said_document(said: Said) -> dict[str, Any]:
    """For JSON, without what is empty."""
    return {name: value for name, value in asdict(said).items() if value}


def parse_said(document: Mapping[str, Any]) -> Said:
    """The inverse of ``said_document`` after JSON; raises AttributeError or TypeError for anything else."""
    return Said(
        findings=tuple(Finding(**one) for one in document.get("findings", ())),
        remarks=tuple(Remark(**one) for one in document.get("remarks", ())),
        complaints={key: Finding(**one) for key, one in document.get("complaints", {}).items()} or None,
    )
