"""``lambdabuild validate``."""

from __future__ import annotations

from pathlib import Path

import click

from lambdabuild.model.limits import judged


@click.command()
@click.argument("zips", nargs=-1, metavar="[ZIP]...", type=click.Path(path_type=Path))
@click.option("--project", type=click.Path(path_type=Path), help="Folder of pyproject.toml.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Folder of the artifacts, without a ZIP.")
@click.option("--skip-validation", is_flag=True, help="Warn of Lambda's limits instead of failing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def validate(
    zips: tuple[Path, ...], project: Path | None, output: Path | None, skip_validation: bool, as_json: bool
) -> None:
    """Check archives against Lambda's limits: zipped, unzipped with all layers, number of layers, not empty.

    Without a ZIP everything that the manifest of the output folder tells of is checked.

    \b
    Example:
      lambdabuild validate dist/lambda/api-handler.zip dist/lambda/layer.zip
    """
    from lambdabuild import configfile
    from lambdabuild.cli.options import find_output, open_project
    from lambdabuild.console import Console
    from lambdabuild.steps.validate import find_artifacts, inspect
    from lambdabuild.steps.validate import validate as check

    direct_upload = False
    if not zips or project is not None or configfile.is_in_project(Path.cwd()):
        folder, config = open_project(project)
        direct_upload = config.direct_upload
        zips = zips or find_artifacts(find_output(output, folder, config))
    checked = inspect(zips)
    findings = judged(check(checked, direct_upload=direct_upload), tolerant=skip_validation)
    Console(as_json=as_json).validated(checked, findings)
