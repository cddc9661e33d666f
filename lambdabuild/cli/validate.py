"""``lambdabuild validate``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lambdabuild.model.limits import judged
from lambdabuild.model.target import Runtime, Target, find_runtime

if TYPE_CHECKING:
    from lambdabuild.steps.audit_archives import Stack
    from lambdabuild.steps.validate import Checked


@click.command()
@click.argument("zips", nargs=-1, metavar="[ZIP]...", type=click.Path(path_type=Path))
@click.option("--project", type=click.Path(path_type=Path), help="Folder of pyproject.toml.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Folder of the artifacts, without a ZIP.")
@click.option("--skip-validation", is_flag=True, help="Warn of Lambda's limits instead of failing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def validate(
    zips: tuple[Path, ...], project: Path | None, output: Path | None, skip_validation: bool, as_json: bool
) -> None:
    """Check archives against Lambda's limits (zipped, unzipped with all layers, number of layers, not empty) and, where
    a manifest tells what they are for, their binaries against the runtime.

    Without a ZIP everything that the manifest of the output folder tells of is checked.

    \b
    Example:
      lambdabuild validate dist/lambda/api-handler.zip dist/lambda/layer.zip
    """
    from lambdabuild import configfile
    from lambdabuild.cli.options import find_output, open_project
    from lambdabuild.console import Console
    from lambdabuild.environment import current_folder
    from lambdabuild.steps.audit_archives import audit_archives
    from lambdabuild.steps.validate import find_artifacts, inspect
    from lambdabuild.steps.validate import validate as check

    direct_upload = False
    if not zips or project is not None or configfile.is_in_project(current_folder()):
        folder, config = open_project(project)
        direct_upload = config.direct_upload
        zips = zips or find_artifacts(find_output(output, folder, config))
    checked = inspect(zips)
    found = check(checked, direct_upload=direct_upload)
    found += audit_archives(_stacks(checked, configfile.read_runtimes()), runtimes=configfile.read_runtimes())
    findings = judged(found, tolerant=skip_validation)
    Console(as_json=as_json).validated(checked, findings)


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
