"""Lambda's limits, and what of a build breaks them.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from lambdabuild.errors import Code, PolicyError

MAX_ZIPPED = 52_428_800
"""Bytes of a zip that is uploaded directly; a larger one goes through S3."""
MAX_UNZIPPED = 262_144_000
"""Bytes of a function together with all its layers, summed over files."""
MAX_LAYERS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that a check found."""

    severity: Literal["warning", "error"]
    code: Code
    message: str
    hint: str | None = None
    lint: bool = False
    """Whether the path lint says it, and ``strict`` makes it an error."""


def judged(findings: Iterable[Finding], *, tolerant: bool, document: Mapping[str, Any] | None = None) -> list[Finding]:
    """The findings when the build may go on: raises PolicyError for errors, unless they are to be warnings.

    ``document`` is what ``--json`` prints beside the findings in that case.
    """
    findings = list(findings)
    if tolerant:
        return [replace(finding, severity="warning") for finding in findings]
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        hints = dict.fromkeys(finding.hint for finding in errors if finding.hint)
        codes = {finding.code for finding in errors}
        raise PolicyError(
            "\n".join(finding.message for finding in errors),
            hint="\n        ".join(hints) or None,
            code=codes.pop() if len(codes) == 1 else None,
            document={**(document or {}), "findings": [finding_document(finding) for finding in findings]},
        )
    return findings


def finding_document(finding: Finding) -> dict[str, Any]:
    """For JSON."""
    return {
        "severity": finding.severity,
        "code": finding.code,
        "message": finding.message,
        "hint": finding.hint,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """What the unzipped limit needs to know of an artifact."""

    name: str
    unzipped_size: int
    shares: Mapping[str, int]
    """Bytes by owner: ``"pyarrow 22.0.0"``, or ``"(sources)"``."""


def check_unzipped(function: Sized | None, layers: Sequence[Sized]) -> list[Finding]:
    """Function and layers together against the unzipped limit and the number of layers; a layer alone without one."""
    findings = []
    if function is not None and len(layers) > MAX_LAYERS:
        findings.append(
            Finding(
                severity="error",
                code="too-many-layers",
                message=f"{function.name} uses {len(layers)} layers; Lambda allows {MAX_LAYERS}",
                hint="merge layers, or bundle one of them into the function",
            )
        )
    parts = [*([function] if function else []), *layers]
    total = sum(part.unzipped_size for part in parts)
    if total > MAX_UNZIPPED:
        what = " + ".join(part.name for part in parts)
        findings.append(
            Finding(
                severity="error",
                code="unzipped-size",
                message=f"{what}: {total:,} bytes unzipped, {total - MAX_UNZIPPED:,} over Lambda's "
                f"{MAX_UNZIPPED:,}; the largest:\n{format_shares(parts)}",
                hint="leave out what the function does not import (exclude, groups), or deploy a container image "
                "(10 GB): https://docs.aws.amazon.com/lambda/latest/dg/images-create.html",
            )
        )
    return findings


def check_zipped(name: str, size: int, *, direct_upload: bool) -> list[Finding]:
    """An archive's size against the direct upload: a warning, or an error where the project uploads directly."""
    if size <= MAX_ZIPPED:
        return []
    return [
        Finding(
            severity="error" if direct_upload else "warning",
            code="zipped-size",
            message=f"{name}: {size:,} bytes zipped, over the {MAX_ZIPPED:,} of a direct upload",
            hint="upload it through S3, which has no such limit",
        )
    ]


def check_not_empty(name: str, files: int) -> list[Finding]:
    """Lambda refuses an archive without files."""
    if files:
        return []
    return [
        Finding(
            severity="error",
            code="empty-archive",
            message=f"{name} would be empty, and Lambda refuses an empty archive",
            hint="add dependencies or code, or leave the artifact out",
        )
    ]


def format_shares(parts: Iterable[Sized], most: int = 10) -> str:
    """The largest owners, one a line: bytes, share of the limit, name."""
    shares: dict[str, int] = {}
    for part in parts:
        for owner, size in part.shares.items():
            shares[owner] = shares.get(owner, 0) + size
    largest = sorted(shares.items(), key=lambda item: (-item[1], item[0]))[:most]
    return "\n".join(f"  {size:>13,}  {size / MAX_UNZIPPED:>6.1%}  {owner}" for owner, size in largest)


def format_size(size: int) -> str:
    """Bytes in decimal units."""
    if size < 1000:
        return f"{size} B"
    if size < 1_000_000:
        return f"{size / 1000:.1f} kB"
    return f"{size / 1_000_000:.1f} MB" if size < 1_000_000_000 else f"{size / 1_000_000_000:.2f} GB"
