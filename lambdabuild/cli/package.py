"""``lambdabuild package``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from lambdabuild.cli.options import BuildOptions, build_options, choose_target, open_project
from lambdabuild.errors import UsageError
from lambdabuild.model.config import FunctionConfig
from lambdabuild.model.configvalues import find_handler_syntax_problem
from lambdabuild.model.plan import DEFAULT_FUNCTION, plan_fat, plan_slim


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--layer", "mode", flag_value="slim", default=True, help="Slim zips and their layers. [default]")
@click.option("--fat", "mode", flag_value="fat", help="One zip with everything, for runtimes that ignore layers.")
@click.option("--handler", metavar="MODULE.FUNCTION", help="Package this handler, configured or not.")
@build_options
def package(names: tuple[str, ...], mode: str, handler: str | None, **given: Any) -> None:
    """Build functions: a slim zip each and the layers they use, or with --fat one zip with everything.

    Without a NAME all configured functions are built.

    \b
    Example:
      lambdabuild package api-handler --fat
    """
    from lambdabuild.cli.machines import run_build

    options = BuildOptions(**given)
    project, config = open_project(options.project)
    if handler is not None:
        problem = find_handler_syntax_problem(handler)
        if problem is not None:
            raise UsageError(f"--handler: {problem}")
        if len(names) > 1:
            raise UsageError("--handler describes one function", hint="give it at most one NAME")
        name = names[0] if names else DEFAULT_FUNCTION
        known = config.functions.get(name)
        function = replace(known, handler=handler) if known else FunctionConfig(name=name, handler=handler)
        config, names = replace(config, functions={name: function}), (name,)
    plan = {"slim": plan_slim, "fat": plan_fat}[mode](config, choose_target(options, project, config), names)
    run_build(options, project, config, plan)
