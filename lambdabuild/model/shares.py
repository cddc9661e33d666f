"""Who brings which distribution: what a function's layers give it, what is left to the runtime, what it bundles."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lambdabuild.model.graph import SDK, closure_of, sdk_share
from lambdabuild.model.limits import Finding
from lambdabuild.model.segment import Segment
from lambdabuild.model.target import Target
from lambdabuild.model.treatment import SdkChoice

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
    left_out: frozenset[str] = frozenset()
    """The names of those that its own patterns leave out."""


def subtract(
    needed: Sequence[Segment], layers: Sequence[Given], *, function: str, wanted: Collection[str] = ()
) -> tuple[tuple[Segment, ...], list[Finding]]:
    """The distributions that a function bundles: those that its layers do not give in that very version.

    What a layer leaves out is left out of the function, too, unless it is ``wanted`` there.
    """
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
    left_out = frozenset(name for given in layers for name in given.left_out) - frozenset(wanted)
    bundled = []
    for segment in needed:
        layer, version = effective.get(segment.name, ("", segment.version))
        if version == segment.version and (segment.name in effective or segment.name in left_out):
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


def wanted_beside(
    layers: Iterable[Given], needed: Sequence[Segment], own: Iterable[str], target: Target
) -> frozenset[str]:
    """What a function needs for itself: for ``own``, the requirements that none of its layers has, and for what its
    layers neither bring nor leave out."""
    known = {name for given in layers for name in (*given.versions, *given.left_out)}
    requirements = [*own, *(line for one in needed if one.name not in known for line in one.requires)]
    return closure_of(requirements, {one.name: one.requires for one in needed}, target)


def leave_sdk(
    segments: Sequence[Segment], direct: Iterable[str], target: Target, *, sdk: SdkChoice, artifact: str
) -> tuple[tuple[Segment, ...], frozenset[str], list[Finding]]:
    """The distributions without those that only boto3 needs, which the runtime brings itself, as far as is asked for.

    What the SDK shares with the others stays; its names come second, because the runtime's SDK will meet it.
    """
    if sdk == "bundle":
        return tuple(segments), frozenset(), []
    requires = {segment.name: segment.requires for segment in segments}
    share = sdk_share(direct, requires, target, whatever_requires_it=sdk == "runtime")
    kept = tuple(segment for segment in segments if segment.name not in share.alone)
    parts = ", ".join(sorted(SDK & requires.keys()))
    findings = []
    if share.required_by:
        names = ", ".join(sorted(share.required_by))
        verb = "require" if len(share.required_by) > 1 else "requires"
        if share.alone:
            message = (
                f"{artifact} leaves {parts} to the runtime though {names} {verb} the SDK: whether the runtime's "
                "version serves, only verification in the image shows"
            )
            findings.append(
                Finding(severity="warning", code="sdk-required", message=message, hint='boto3 = "bundle" packages it')
            )
        else:
            message = f"{artifact} bundles {parts}, because {names} {verb} the SDK"
            hint = 'boto3 = "runtime" leaves it to the runtime all the same; verification shows whether that works'
            findings.append(Finding(severity="note", code="sdk-required", message=message, hint=hint))
    return kept, share.shared if share.alone else frozenset(), findings


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
