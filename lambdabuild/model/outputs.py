"""What an output folder holds: the name that an archive is asked to have there, and what belongs to the project."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from lambdabuild.errors import UsageError
from lambdabuild.model.config import DEFAULT_LAYER, ProjectConfig
from lambdabuild.model.plan import Plan
from lambdabuild.model.report import Artifact


def is_configured(config: ProjectConfig, artifact: Artifact, *, asked: Collection[str] = ()) -> bool:
    """Whether an artifact, whenever it was built, is one of those that the project has; ``asked`` are the functions
    that are built now, which the command line may have described."""
    if artifact.kind != "layer":
        return artifact.name in config.functions or artifact.name in asked
    layer = config.layers.get(artifact.part_of or artifact.name)
    return layer.external is None if layer else not config.layers and DEFAULT_LAYER in {artifact.name, artifact.part_of}


def name_output(plan: Plan, file: str) -> Plan:
    """The plan with this name for the archive of the one layer or function that is asked for; the layers of a function
    lie beside it under their own. Raises UsageError where several are asked for."""
    wanted = plan.functions or plan.layers
    if len(wanted) > 1:
        raise UsageError(
            f"{file} is one file, and {len(wanted)} are built: {', '.join(one.file for one in wanted)}",
            hint="name one of them before --output, or give --output a folder",
        )
    beside = next((layer.file for layer in plan.layers if plan.functions and layer.file.lower() == file.lower()), None)
    if beside is not None:
        raise UsageError(
            f'{file} would be the archive of "{wanted[0].name}" and of its layer', hint="give --output another name"
        )
    return Plan(
        layers=plan.layers if plan.functions else tuple(replace(layer, asked_file=file) for layer in plan.layers),
        functions=tuple(replace(function, asked_file=file) for function in plan.functions),
    )
