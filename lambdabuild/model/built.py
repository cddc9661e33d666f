"""Which of the artifacts that were built are meant, and which a function runs from."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence

from lambdabuild.errors import UsageError
from lambdabuild.model.report import Artifact


def choose_function(
    artifacts: Sequence[Artifact], name: str, *, fat: bool, output: str, configured: Collection[str]
) -> Artifact:
    """The artifact of a function: the slim one where both kinds are there, unless ``fat`` asks for the other.

    Raises UsageError, with the command that builds it, when there is none; ``configured`` are the functions that need
    no handler on the command line.
    """
    kinds = {artifact.kind: artifact for artifact in artifacts if artifact.name == name}
    wanted = ("fat-function",) if fat else ("function", "fat-function")
    found = next((kinds[kind] for kind in wanted if kind in kinds), None)
    if found is not None:
        return found
    handler = next((artifact.handler for artifact in kinds.values() if artifact.handler is not None), None)
    build = f"build it: {_package_command(name, handler, fat=fat, configured=configured)}"
    if kinds.keys() == {"function"}:
        raise UsageError(f"{name} is built without --fat in {output}", hint=build)
    if "layer" in kinds:
        functions = _functions(artifacts)
        hint = f"functions: {', '.join(functions)}" if functions else f"build a function: {package_all(configured)}"
        raise UsageError(f'"{name}" is a layer, and no function', hint=hint)
    known = sorted({*_functions(artifacts), *configured})
    listed = f"functions: {', '.join(known)}" if known else build
    hint = build if name in configured else _find_meant(name, known) or listed
    raise UsageError(f'no function "{name}" was built in {output}', hint=hint)


def choose_artifacts(
    artifacts: Sequence[Artifact], names: Collection[str], *, output: str, configured: Collection[str]
) -> tuple[Artifact, ...]:
    """The artifacts of these names, of a layer that was split all its parts; all of them when there is no name.

    Raises UsageError for names of which none was built, and when nothing was.
    """
    if not artifacts:
        raise UsageError(f"nothing was built in {output}", hint=f"build first: {package_all(configured)}")
    known = list(dict.fromkeys(name for one in artifacts for name in (one.name, one.part_of) if name is not None))
    missing = [name for name in names if name not in known]
    if missing:
        hints = dict.fromkeys(_find_meant(name, known) or f"there are: {', '.join(known)}" for name in missing)
        raise UsageError(
            "\n".join(f'no layer or function "{name}" was built in {output}' for name in missing),
            hint="\n        ".join(hints),
        )
    return tuple(one for one in artifacts if not names or {one.name, one.part_of} & set(names))


def package_all(configured: Collection[str]) -> str:
    """What builds functions, all of those that are configured."""
    return "lambdabuild package" if configured else "lambdabuild package --handler MODULE.FUNCTION"


def _package_command(name: str, handler: str | None, *, fat: bool, configured: Collection[str]) -> str:
    """What builds one function: where no table tells of its handler, the command line does."""
    told = "" if name in configured else f" --handler {handler or 'MODULE.FUNCTION'}"
    return f"lambdabuild package {name}{told}" + " --fat" * fat


def rebuild_command(artifact: Artifact, configured: Collection[str]) -> str:
    """What builds an artifact again."""
    if artifact.kind == "layer":
        return f"lambdabuild layer {artifact.part_of or artifact.name}" + " --split --make" * bool(artifact.part_of)
    fat = artifact.kind == "fat-function"
    return _package_command(artifact.name, artifact.handler, fat=fat, configured=configured)


def layers_of(function: Artifact, artifacts: Sequence[Artifact], configured: Collection[str]) -> tuple[Artifact, ...]:
    """The layers that a function needs attached, in their order.

    Raises UsageError for one that others published, and for one that was not built along with it.
    """
    if function.external_layers:
        layer = function.external_layers[0]
        raise UsageError(
            f"{function.file} uses the layer {layer.name} ({layer.arn}), which is Lambda's to attach and not at hand",
            hint="try the function with everything in one zip: "
            + _package_command(function.name, function.handler, fat=True, configured=configured),
        )
    of_target = (function.runtime, function.architecture)
    layers = [one for one in artifacts if one.kind == "layer" and one.serves(of_target)]
    found: list[Artifact] = []
    for name in function.layers:
        parts = [layer for layer in layers if layer.name == name] or [one for one in layers if one.part_of == name]
        if not parts:
            raise UsageError(
                f"{function.file} uses the layer {name}, which was not built with it",
                hint=f"build them together: {rebuild_command(function, configured)}",
            )
        found += parts
    return tuple(found)


def _find_meant(name: str, known: Iterable[str]) -> str | None:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f'did you mean "{near[0]}"?' if near else None


def _functions(artifacts: Sequence[Artifact]) -> list[str]:
    return sorted({artifact.name for artifact in artifacts if artifact.kind != "layer"})
