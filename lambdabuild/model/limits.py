"""Lambda's limits, and what of a build breaks them.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from lambdabuild.errors import Code, PolicyError
from lambdabuild.model.choices import Upload
from lambdabuild.values import dataclass

MAX_ZIPPED = 52_428_800
"""Bytes of a zip that is uploaded directly; a larger one goes through S3."""
MAX_UNZIPPED = 262_144_000
"""Bytes of a function together with all its layers, summed over files."""
MAX_ENTRIES = 65_535
"""Files of a zip without the extension ZIP64."""
MAX_LAYERS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that a check found."""

    severity: Literal["note", "warning", "error"]
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
        return [replace(one, severity="warning") if one.severity == "error" else one for one in findings]
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        margin = " " * 8
        lines = [line.removeprefix(margin) for finding in errors for line in (finding.hint or "").splitlines()]
        hints = sorted(dict.fromkeys(lines), key=lambda line: line.startswith("or "))
        codes = {finding.code for finding in errors}
        raise PolicyError(
            "\n".join(finding.message for finding in errors),
            hint=f"\n{margin}".join(hints) or None,
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


def check_zipped(archive: Sized, size: int, upload: Upload | None, *, layer: str | None, fat: bool) -> list[Finding]:
    """An archive's size against the limit of a direct upload: an error where the project uploads directly, nothing
    where it uploads through S3, and where it does not say a warning. ``layer`` is the name of one that is a layer."""
    if size <= MAX_ZIPPED or upload == "s3":
        return []
    through_s3 = 'upload it through S3, which has no such limit, and say so: upload = "s3", or --upload s3'
    if layer is not None:
        less = f"lambdabuild layer {layer} --split proposes layers that fit, unless one distribution alone does not"
    elif fat:
        less = "leave out what it does not import (exclude, groups): LocalStack has the same limit for a direct upload"
    else:
        less = "leave out what it does not import (exclude), or have its dependencies in layers (layer --split)"
    return [
        Finding(
            severity="error" if upload == "direct" else "warning",
            code="zipped-size",
            message=f"{archive.name}: {size:,} bytes zipped, {size - MAX_ZIPPED:,} over the {MAX_ZIPPED:,} of a direct "
            f"upload; the largest, unzipped:\n{format_shares([archive])}",
            hint=f"{less}\n        or {through_s3}",
        )
    ]


def check_files(name: str, files: int) -> list[Finding]:
    """Lambda refuses an archive without files; what it does with a very great many is not known."""
    if files > MAX_ENTRIES:
        return [
            Finding(
                severity="warning",
                code="many-files",
                message=f"{name}: {files:,} files; from {MAX_ENTRIES + 1:,} on a zip has the extension ZIP64, and AWS "
                "does not say that Lambda reads it",
                hint="try it with Lambda before you rely on it, or leave out files (exclude)",
            )
        ]
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
    """The largest owners, one a line: bytes and name."""
    shares: dict[str, int] = {}
    for part in parts:
        for owner, size in part.shares.items():
            shares[owner] = shares.get(owner, 0) + size
    largest = sorted(shares.items(), key=lambda item: (-item[1], item[0]))[:most]
    return "\n".join(f"  {size:>13,}  {owner}" for owner, size in largest)


def format_of_limit(size: int) -> str:
    """Unzipped bytes as a part of what Lambda allows: ``"257.6 of 262.1 MB"``."""
    return f"{size / 1_000_000:.1f} of {MAX_UNZIPPED / 1_000_000:.1f} MB"


def format_size(size: int) -> str:
    """Bytes in decimal units."""
    if size < 1000:
        return f"{size} B"
    if size < 1_000_000:
        return f"{size / 1000:.1f} kB"
    return f"{size / 1_000_000:.1f} MB" if size < 1_000_000_000 else f"{size / 1_000_000_000:.2f} GB"
