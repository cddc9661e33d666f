"""What is tried of artifacts, and together with which layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from lambdabuild.errors import UsageError
from lambdabuild.model.modules import top_level_modules
from lambdabuild.model.report import Artifact, Share
from lambdabuild.values import dataclass

Targeted = tuple[str, str]
"""Runtime and architecture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """An artifact, and what is imported of it."""

    artifact: Artifact
    handler: str | None
    modules: tuple[str, ...]
    owners: Mapping[str, str]
    """Distributions, by module; not of the project's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stacked:
    """Layers in their order, and what is tried with them: of themselves, and of functions that use them."""

    runtime: str
    architecture: str
    layers: tuple[Artifact, ...]
    trials: tuple[Trial, ...]


def arrange(
    artifacts: Sequence[Artifact], paths: Mapping[str, Sequence[str]], *, chosen: Callable[[Artifact], bool]
) -> tuple[Stacked, ...]:
    """The chosen artifacts in as few stacks as there are combinations of layers, those with layers first.

    A layer is tried as the first function that uses it has it, or with the others that it was split from, or alone.
    Of distributions in functions' archives those are tried that are not tried already. Functions that use layers which
    others published are left out: nothing is known of what is in them. ``paths`` are those in the archives, by file.
    Raises UsageError when a function's layer is not among the artifacts.
    """
    stacks: dict[tuple[Targeted, tuple[Artifact, ...]], list[Artifact]] = {}
    for artifact in artifacts:
        if artifact.kind != "layer" and not artifact.external_layers:
            stacks.setdefault((target_of(artifact), _layers_of(artifact, artifacts)), []).append(artifact)
    functions = tuple(stacks)
    for artifact in artifacts:
        if artifact.kind == "layer" and chosen(artifact):
            used = next((stack for stack in functions if artifact in stack[1]), None)
            stacks.setdefault(used or (target_of(artifact), parts_of(artifact, artifacts)), []).append(artifact)
    seen: set[tuple[str, str, Share]] = set()
    found = []
    for stack in sorted(stacks, key=lambda stack: not stack[1]):
        (runtime, architecture), layers = stack
        tried = sorted(filter(chosen, stacks[stack]), key=lambda artifact: artifact.kind != "layer")
        trials = tuple(_trial(artifact, paths[artifact.file], seen) for artifact in tried)
        if trials:
            found.append(Stacked(runtime=runtime, architecture=architecture, layers=layers, trials=trials))
    return tuple(found)


def _layers_of(function: Artifact, artifacts: Iterable[Artifact]) -> tuple[Artifact, ...]:
    layers = {
        artifact.name: artifact
        for artifact in artifacts
        if artifact.kind == "layer" and artifact.serves(target_of(function))
    }
    missing = [name for name in function.layers if name not in layers]
    if missing:
        raise UsageError(
            f"{function.file} uses the layer {missing[0]}, which was not built with it",
            hint=f"build them together: lambdabuild package {function.name}",
        )
    return tuple(layers[name] for name in function.layers)


def parts_of(layer: Artifact, artifacts: Iterable[Artifact]) -> tuple[Artifact, ...]:
    """A layer with those that were split from the same one."""
    if layer.part_of is None:
        return (layer,)
    return tuple(
        other for other in artifacts if other.part_of == layer.part_of and target_of(other) == target_of(layer)
    )


def _trial(artifact: Artifact, paths: Sequence[str], seen: set[tuple[str, str, Share]]) -> Trial:
    """What is new of an artifact; of a layer everything, also what is in it twice."""
    layer = artifact.kind == "layer"
    shares = [share for share in artifact.distributions if layer or (*target_of(artifact), share) not in seen]
    seen |= {(*target_of(artifact), share) for share in shares}
    owners = {module: f"{share.name} {share.version}" for share in shares for module in share.modules}
    modules = set(owners)
    if layer:
        modules |= set(top_level_modules(paths, artifact.runtime.removeprefix("python"), layer=True))
    return Trial(artifact=artifact, handler=artifact.handler, modules=tuple(sorted(modules)), owners=owners)


def target_of(artifact: Artifact) -> Targeted:
    return artifact.runtime, artifact.architecture
