"""``lambdabuild verify``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--project", type=click.Path(path_type=Path), help="Folder of the project.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Folder of the artifacts.")
@click.option("--timeout", type=click.FloatRange(min=0.1), help="Seconds that an import may take. [default: 60]")
@click.option("--importtime", is_flag=True, help="Tell where the time of one function's import goes.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def verify(
    *,
    names: tuple[str, ...],
    project: Path | None,
    output: Path | None,
    timeout: float | None,
    importtime: bool,
    as_json: bool,
) -> None:
    """Import every handler and every module of the layers in the Lambda image, as Lambda would.

    The zips of the output folder are unpacked in the image, functions at /var/task and their layers at
    /opt, for another user, with no network and no credentials. Without a NAME, of a layer or a function,
    all are tried.

    \b
    Example:
      lambdabuild verify api-handler
    """
    if importtime:
        from lambdabuild.cli.importtime import run_importtime

        return run_importtime(names, project=project, output=output, timeout=timeout, as_json=as_json)
    from lambdabuild.cli.machines import run_verify

    return run_verify(names, project=project, output=output, timeout=timeout, as_json=as_json)
