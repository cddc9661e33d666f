"""What was made, as JSON: the manifest that tells it to other tools, and what ``--json`` prints.

``manifestparse`` reads the manifest back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from lambdabuild.model.limits import finding_document
from lambdabuild.model.report import Artifact, Report

if TYPE_CHECKING:
    from lambdabuild.model.slimming import Kept

MANIFEST_VERSION = 1


def artifact_document(artifact: Artifact) -> dict[str, Any]:
    """An artifact as the manifest tells it."""
    symbols = artifact.symbols
    return {
        "name": artifact.name,
        "path": artifact.file,
        "kind": artifact.kind,
        "runtime": artifact.runtime,
        "architecture": artifact.architecture,
        "handler": artifact.handler,
        "layers": list(artifact.layers),
        "external_layers": [
            {"name": layer.name, "arn": layer.arn, "unzipped_size": layer.unzipped_size}
            for layer in artifact.external_layers
        ],
        "sha256": artifact.sha256,
        "sha256_base64": artifact.code_sha256,
        "content_digest": artifact.content_digest,
        "zipped_size": artifact.zipped_size,
        "unzipped_size": artifact.unzipped_size,
        "files": artifact.files,
        "source_size": artifact.source_size,
        "ignore_rule": artifact.ignore_rule,
        "bytecode_size": artifact.bytecode_size,
        "symbols": {"saved": symbols.saved, "restored": dict(symbols.restored)} if symbols else None,
        "recompressed": artifact.recompressed,
        "distributions": [
            {
                "name": share.name,
                "version": share.version,
                "size": share.size,
                "files": share.files,
                "modules": list(share.modules),
            }
            for share in artifact.distributions
        ],
        "builder": artifact.provenance.builder,
        "image_digest": artifact.provenance.image_digest,
        "uv_version": artifact.provenance.uv,
        "compressor": artifact.provenance.compressor,
        "bytecode_python": artifact.provenance.bytecode,
        "strip_version": artifact.provenance.strip,
        "built_with_network": list(artifact.provenance.networked),
        "configured": artifact.configured,
        **({"compatible_runtimes": list(artifact.compatible_runtimes)} if artifact.kind == "layer" else {}),
        **({"part_of": artifact.part_of} if artifact.part_of is not None else {}),
    }


def manifest_document(artifacts: Iterable[Artifact], *, version: str) -> dict[str, Any]:
    """The manifest, by file name; ``resources/manifest.schema.json`` describes it."""
    return {
        "manifest_version": MANIFEST_VERSION,
        "lambdabuild": version,
        "artifacts": [artifact_document(a) for a in sorted(artifacts, key=lambda artifact: artifact.file)],
    }


def report_document(report: Report, *, version: str) -> dict[str, Any]:
    """What ``--json`` prints: the manifest of this run, the findings and where things came from."""
    verification = None
    if report.verification is not None:
        from lambdabuild.model.verification import verification_document  # only where something was tried

        verification = verification_document(report.verification)
    return {
        **manifest_document(report.artifacts, version=version),
        "output": report.output,
        "findings": [finding_document(finding) for finding in report.findings],
        "left_out": {file: list(modules) for file, modules in report.left_out.items()},
        "kept": {file: kept_document(kept) for file, kept in report.kept.items()},
        "distributions_cached": report.cached,
        "distributions_installed": report.installed,
        "seconds": round(report.seconds, 3),
        "verification": verification,
        "unverified": report.unverified,
        "unconfigured": list(report.unconfigured),
        "replaced": list(report.replaced),
        "removed": list(report.removed),
    }


def kept_document(kept: Iterable[Kept]) -> list[dict[str, Any]]:
    return [
        {
            "distribution": one.distribution,
            "kind": one.kind,
            "files": list(one.files),
            "size": one.size,
            "reasons": list(one.reasons),
        }
        for one in kept
    ]
