"""``lambdabuild layer``."""

from __future__ import annotations

from typing import Any

import click

from lambdabuild.cli.options import BuildOptions, build_options, choose_target, open_project
from lambdabuild.model.plan import plan_layers


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@build_options
def layer(names: tuple[str, ...], **given: Any) -> None:
    """Build layers: dependencies below python/, one zip a layer.

    Without a NAME all configured layers are built; a project that configures none has one,
    called "layer", with the project's own dependencies.

    \b
    Example:
      lambdabuild layer --python 3.13 --architecture arm64
    """
    from lambdabuild.cli.machines import run_build

    options = BuildOptions(**given)
    project, config = open_project(options.project)
    plan = plan_layers(config, choose_target(options, project, config), names)
    run_build(options, project, config, plan)
