"""What was made: the artifacts, their sizes, owners and digests."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Literal

from lambdabuild.model.limits import Finding, Sized
from lambdabuild.model.modules import top_level_modules
from lambdabuild.model.sources import IgnoreRule
from lambdabuild.model.transformed import Symbols
from lambdabuild.model.tree import SOURCES, Tree
from lambdabuild.values import dataclass

if TYPE_CHECKING:
    from lambdabuild.model.slimming import Kept
    from lambdabuild.model.verification import Verification

MANIFEST = "manifest.json"
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
    networked: tuple[str, ...] = ()
    """The distributions in it, each with its version, whose builds might reach the network."""


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
    recompressed: int | None = None
    """Bytes zipped that deflating members anew has saved; None where none are."""
    ignore_rule: IgnoreRule | None = None
    """None where nothing of the sources could be ignored."""
    compatible_runtimes: tuple[str, ...] = ()
    """Of a layer: all runtimes that it is for."""
    configured: bool = True
    """Whether the project configured it when the manifest was written; what a build makes counts as configured."""

    def serves(self, target: tuple[str, str]) -> bool:
        """Whether a layer is for a runtime and an architecture."""
        runtime, architecture = target
        return architecture == self.architecture and runtime in (self.runtime, *self.compatible_runtimes)

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
    unconfigured: tuple[str, ...] = ()
    """Archives of earlier builds in the folder that nothing configures any more."""
    replaced: tuple[str, ...] = ()
    """Archives of earlier builds in whose place another file is now, and that the manifest tells of no more."""
    removed: tuple[str, ...] = ()
    """Archives of earlier builds that ``--clean`` removed."""
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
