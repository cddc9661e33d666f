"""``lambdabuild validate``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lambdabuild.cli.options import (
    BuildOptions,
    choose_targets,
    find_output,
    find_output_file,
    open_project,
    upload_options,
)
from lambdabuild.model.choices import Upload
from lambdabuild.model.target import Runtime, Target, find_runtime

if TYPE_CHECKING:
    from lambdabuild.model.config import FunctionConfig, LayerConfig, ProjectConfig
    from lambdabuild.model.runtimes import Targets
    from lambdabuild.steps.audit_archives import Stack
    from lambdabuild.steps.validate import Checked


@click.command()
@click.argument("zips", nargs=-1, metavar="[ZIP]...", type=click.Path(path_type=Path))
@click.option("--project", type=click.Path(path_type=Path), help="Folder of the project.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Folder of the artifacts, without a ZIP.")
@click.option("--skip-validation", is_flag=True, help="Warn of Lambda's limits instead of failing.")
@upload_options
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def validate(
    *,
    zips: tuple[Path, ...],
    project: Path | None,
    output: Path | None,
    skip_validation: bool,
    upload: Upload | None,
    upload_default: Upload | None,
    as_json: bool,
) -> None:
    """Check archives against Lambda's limits (zipped, unzipped with all layers, number of layers, not empty), that a
    layer's modules lie where Lambda looks and, where a manifest tells what they are for, their binaries.

    Without a ZIP everything that the manifest of the output folder tells of is checked.

    \b
    Example:
      lambdabuild validate dist/lambda/api-handler.zip dist/lambda/layer.zip
    """
    from lambdabuild import configfile
    from lambdabuild.console import Console
    from lambdabuild.environment import current_folder
    from lambdabuild.steps.audit_archives import audit_archives
    from lambdabuild.steps.validate import find_artifacts, inspect, measured
    from lambdabuild.steps.validate import validate as check

    known = configfile.read_runtimes()
    runtimes = [runtime.name for runtime in known]
    if not zips or project is not None or configfile.is_in_project(current_folder()):
        folder, config = open_project(project, bare=True)
        upload = upload or config.upload
        file = find_output_file(output)
        zips = zips or ((output,) if output and file else find_artifacts(find_output(output, folder, config)))
        runtimes = _runtimes_of(config, choose_targets(BuildOptions(), folder, config))
    checked = inspect(zips)
    upload = upload or upload_default
    found = check(checked, upload=upload, runtimes=runtimes)
    found += audit_archives(_stacks(checked, known), runtimes=known)
    Console(as_json=as_json).validated(checked, found, lines=measured(checked, upload=upload), tolerant=skip_validation)


def _runtimes_of(config: ProjectConfig, targets: Targets) -> list[str]:
    """The runtimes of everything that the project configures, the project's own last."""
    configured: list[LayerConfig | FunctionConfig] = [*config.layers.values(), *config.functions.values()]
    pythons = (one.python for one in configured)
    return [*(f"python{python}" for python in pythons if python is not None), targets.default.runtime.name]


def _stacks(checked: Sequence[Checked], runtimes: Sequence[Runtime]) -> Iterator[Stack]:
    """What is loaded together, where it is known for which target."""
    from lambdabuild.steps.audit_archives import Stack
    from lambdabuild.steps.validate import each_stack

    for function, layers in each_stack(checked):
        told = (function or layers[0]).target
        runtime = find_runtime(runtimes, told[0]) if told is not None else None
        if told is not None and runtime is not None:
            yield Stack(
                target=Target(runtime=runtime, architecture=told[1]),
                function=function.path if function is not None else None,
                layers=tuple(layer.path for layer in layers),
                complete=function is None or not function.external,
            )
