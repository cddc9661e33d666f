"""``lambdabuild layer``."""

from __future__ import annotations

from typing import Any

import click

from lambdabuild.cli.options import BuildOptions, build_options, choose_targets, open_project
from lambdabuild.cli.unchanged import asking
from lambdabuild.errors import UsageError


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--split", is_flag=True, help="Propose layers that each fit a direct upload, for one that does not.")
@click.option("--make", is_flag=True, help="With --split: make them.")
@build_options
def layer(names: tuple[str, ...], split: bool, make: bool, **given: Any) -> None:
    """Build layers: dependencies below python/, one zip a layer.

    Without a NAME all configured layers are built; a project that configures none has one,
    called "layer", with the project's own dependencies.

    \b
    Example:
      lambdabuild layer --python 3.13 --architecture arm64
    """
    if make and not split:
        raise UsageError("--make goes with --split")
    options = BuildOptions(**given)
    with asking("layer", options, names=names, split=split, make=make) as recorder:
        if recorder is None:
            return
        from lambdabuild.cli.machines import run_build
        from lambdabuild.model.planning import plan_layers
        from lambdabuild.steps.discover import find_needs

        project, config = open_project(options.project, options.project_default)
        targets = choose_targets(options, project, config)
        plan = plan_layers(config, targets, names, find_needs(project, ()))
        mode = "make" if make else "propose" if split else "no"
        run_build(options, project, config, plan, recorder, split=mode)
