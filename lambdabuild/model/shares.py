"""Who brings which distribution: what a function's layers give it, what is left to the runtime, what it bundles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lambdabuild.model.graph import sdk_share
from lambdabuild.model.limits import Finding
from lambdabuild.model.segment import Segment
from lambdabuild.model.target import Target

_PRECEDENCE = (
    "a function's own files come first, then those of its layers, a later layer's over an earlier one's: "
    "https://docs.aws.amazon.com/lambda/latest/dg/python-layers.html"
)
_WHOLE_SDK = (
    'AWS advises to bundle all of the SDK or nothing that it shares: boto3 = "bundle", '
    "https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A layer and the distributions that it brings, versions by name."""

    layer: str
    versions: Mapping[str, str]


def subtract(
    needed: Sequence[Segment], layers: Sequence[Given], *, function: str
) -> tuple[tuple[Segment, ...], list[Finding]]:
    """The distributions that a function bundles: those that its layers do not give in that very version."""
    effective: dict[str, tuple[str, str]] = {}
    findings = []
    for given in layers:
        for name, version in given.versions.items():
            layer, before = effective.get(name, (given.layer, version))
            if before != version:
                findings.append(
                    Finding(
                        severity="warning",
                        code="layer-versions",
                        message=f"{function}: its layer {layer} brings {name} {before}, its layer {given.layer} "
                        f"{name} {version}; {given.layer}'s files win where they meet",
                        hint=_PRECEDENCE,
                    )
                )
            effective[name] = given.layer, version
    bundled = []
    for segment in needed:
        layer, version = effective.get(segment.name, ("", segment.version))
        if segment.name in effective and version == segment.version:
            continue
        bundled.append(segment)
        if version != segment.version:
            findings.append(
                Finding(
                    severity="warning",
                    code="layer-versions",
                    message=f"{function} needs {segment.name} {segment.version}, its layer {layer} brings "
                    f"{version}; {segment.version} is bundled and wins",
                    hint=_PRECEDENCE,
                )
            )
    return tuple(bundled), findings


def leave_sdk(
    segments: Sequence[Segment], direct: Iterable[str], target: Target
) -> tuple[tuple[Segment, ...], frozenset[str]]:
    """The distributions without those that only boto3 needs, which the runtime brings itself.

    What the SDK shares with the others stays; its names come second, because the runtime's SDK will meet it.
    """
    share = sdk_share(direct, {segment.name: segment.requires for segment in segments}, target)
    kept = tuple(segment for segment in segments if segment.name not in share.alone)
    return kept, share.shared if share.alone else frozenset()


def warn_of_shared(shared: Iterable[str], *, artifact: str) -> list[Finding]:
    """A warning for what an artifact brings though the runtime's SDK uses it as well."""
    names = ", ".join(sorted(shared))
    if not names:
        return []
    return [
        Finding(
            severity="warning",
            code="sdk-shared",
            message=f"{artifact} leaves boto3 to the runtime and brings {names}, which boto3 uses as well",
            hint=_WHOLE_SDK,
        )
    ]
