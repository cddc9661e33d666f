"""What was made: the artifacts, their sizes, owners and digests, and the manifest that tells it to other tools."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from lambdabuild.model.limits import Finding, Sized
from lambdabuild.model.modules import top_level_modules
from lambdabuild.model.transformed import Symbols
from lambdabuild.model.tree import SOURCES, Tree

if TYPE_CHECKING:
    from lambdabuild.model.slimming import Kept
    from lambdabuild.model.verification import Verification

MANIFEST = "manifest.json"
MANIFEST_VERSION = 1
Kind = Literal["layer", "function", "fat-function"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one distribution brings into an artifact."""

    name: str
    version: str
    size: int
    """Bytes unzipped."""
    files: int
    modules: tuple[str, ...] = ()
    """What it makes importable, at the top level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What an artifact was made with."""

    builder: str
    image_digest: str | None
    """Of the image that its distributions were installed in; None with the host builder."""
    uv: str
    compressor: str
    bytecode: str | None = None
    """The full version of the Python whose bytecode is in it."""
    strip: str | None = None
    """What stripped its shared objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalLayer:
    """A layer that others published, for what is said of the function that uses it."""

    name: str
    arn: str
    unzipped_size: int

    def sized(self) -> Sized:
        return Sized(name=self.name, unzipped_size=self.unzipped_size, shares={self.arn: self.unzipped_size})


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One archive that a build made."""

    name: str
    file: str
    """Relative to the output folder."""
    kind: Kind
    runtime: str
    architecture: str
    handler: str | None
    layers: tuple[str, ...]
    """Names of the layers that a slim function needs, in order."""
    sha256: str
    """Of the archive, hex."""
    content_digest: str
    zipped_size: int
    unzipped_size: int
    files: int
    source_size: int
    """Bytes of application code, unzipped."""
    distributions: tuple[Share, ...]
    provenance: Provenance
    external_layers: tuple[ExternalLayer, ...] = ()
    """Those of the layers that others published."""
    bytecode_size: int = 0
    """Bytes of compiled bytecode, unzipped."""
    part_of: str | None = None
    """The layer that this one was split from."""
    symbols: Symbols | None = None
    """None where none are stripped."""

    @property
    def code_sha256(self) -> str:
        """The digest as Lambda tells it (CodeSha256): base64."""
        return base64.b64encode(bytes.fromhex(self.sha256)).decode()

    def sized(self) -> Sized:
        shares = {f"{share.name} {share.version}": share.size for share in self.distributions}
        if self.source_size:
            shares[SOURCES] = self.source_size
        return Sized(name=self.file, unzipped_size=self.unzipped_size, shares=shares)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The outcome of a build."""

    output: str
    artifacts: tuple[Artifact, ...]
    findings: tuple[Finding, ...]
    left_out: Mapping[str, tuple[str, ...]]
    """Modules that a handler's imports do not reach, by artifact."""
    cached: int
    """Distributions that came from the cache."""
    installed: int
    """Distributions that were installed."""
    seconds: float
    targets: tuple[str, ...]
    verification: Verification | None = None
    """What was tried in the image; None where nothing was."""
    unverified: str | None = None
    """Why nothing was, where that is worth a note."""
    kept: Mapping[str, tuple[Kept, ...]] = field(default_factory=dict)
    """What slimming would have left out and evidence kept, by artifact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitPart:
    """One of the layers that a too large one can be split into."""

    name: str
    zipped_size: int
    unzipped_size: int
    owners: tuple[str, ...]
    """The distributions in it, each whole."""


def distribution_shares(tree: Tree, python: str, *, layer: bool) -> tuple[Share, ...]:
    """The distributions of a layer's or a function's tree with what each brings, by name."""
    sizes, paths = tree.shares(), {owner: list[str]() for owner in tree.shares()}
    for path, entry in tree.entries.items():
        paths[entry.owner].append(path)
    return tuple(
        Share(
            name=owner.partition(" ")[0],
            version=owner.partition(" ")[2],
            size=size,
            files=len(paths[owner]),
            modules=top_level_modules(paths[owner], python, layer=layer),
        )
        for owner, size in sorted(sizes.items())
        if owner != SOURCES
    )


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
        "bytecode_size": artifact.bytecode_size,
        "symbols": {"saved": symbols.saved, "restored": dict(symbols.restored)} if symbols else None,
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
        **({"part_of": artifact.part_of} if artifact.part_of is not None else {}),
    }


def parse_artifact(document: Mapping[str, Any]) -> Artifact:
    """The inverse of ``artifact_document``; raises KeyError or TypeError for anything else."""
    return Artifact(
        name=document["name"],
        file=document["path"],
        kind=document["kind"],
        runtime=document["runtime"],
        architecture=document["architecture"],
        handler=document["handler"],
        layers=tuple(document["layers"]),
        external_layers=tuple(ExternalLayer(**layer) for layer in document.get("external_layers", ())),
        sha256=document["sha256"],
        content_digest=document["content_digest"],
        zipped_size=document["zipped_size"],
        unzipped_size=document["unzipped_size"],
        files=document["files"],
        source_size=document["source_size"],
        distributions=tuple(
            Share(**{**share, "modules": tuple(share.get("modules", ()))}) for share in document["distributions"]
        ),
        provenance=Provenance(
            builder=document["builder"],
            image_digest=document["image_digest"],
            uv=document["uv_version"],
            compressor=document["compressor"],
            bytecode=document.get("bytecode_python"),
            strip=document.get("strip_version"),
        ),
        bytecode_size=document.get("bytecode_size", 0),
        symbols=_parse_symbols(symbols) if (symbols := document.get("symbols")) else None,
        part_of=document.get("part_of"),
    )


def _parse_symbols(document: Mapping[str, Any]) -> Symbols:
    return Symbols(saved=document["saved"], restored=tuple(document["restored"].items()))


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
        "findings": findings_document(report.findings),
        "left_out": {file: list(modules) for file, modules in report.left_out.items()},
        "kept": {file: kept_document(kept) for file, kept in report.kept.items()},
        "distributions_cached": report.cached,
        "distributions_installed": report.installed,
        "seconds": round(report.seconds, 3),
        "verification": verification,
        "unverified": report.unverified,
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


def findings_document(findings: Sequence[Finding]) -> list[dict[str, str | None]]:
    return [{"severity": f.severity, "message": f.message, "hint": f.hint} for f in findings]
