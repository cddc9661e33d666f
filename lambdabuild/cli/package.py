"""``lambdabuild package``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from lambdabuild.cli.options import BuildOptions, build_options, choose_targets, open_project
from lambdabuild.cli.unchanged import asking
from lambdabuild.errors import UsageError

if TYPE_CHECKING:
    from lambdabuild.model.config import ProjectConfig


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
    options = BuildOptions(**given)
    with asking("package", options, names=names, mode=mode, handler=handler) as recorder:
        if recorder is None:
            return
        from lambdabuild.cli.machines import run_build
        from lambdabuild.model.planning import plan_fat, plan_slim
        from lambdabuild.steps.discover import find_needs

        project, config = open_project(options.project, options.project_default, bare=handler is not None)
        configured = config
        if handler is not None:
            config, names = _with_handler(config, names, handler)
        targets = choose_targets(options, project, config)
        found = find_needs(project, (one for one in config.functions.values() if not names or one.name in names))
        plan = {"slim": plan_slim, "fat": plan_fat}[mode](config, targets, names, found)
        run_build(options, project, config, plan, recorder, configured=configured)


def _with_handler(config: ProjectConfig, names: tuple[str, ...], handler: str) -> tuple[ProjectConfig, tuple[str, ...]]:
    """The configuration with the function that ``--handler`` describes, and its name."""
    from lambdabuild.model.config import DEFAULT_LAYER
    from lambdabuild.model.configfunction import FunctionConfig, find_long_handler_problem, split_folder
    from lambdabuild.model.configvalues import find_artifact_name_problem
    from lambdabuild.model.planning import DEFAULT_FUNCTION

    problem = find_long_handler_problem(handler)
    if problem is not None:
        raise UsageError(f"--handler: {problem}")
    if len(names) > 1:
        raise UsageError("--handler describes one function", hint="give it at most one NAME")
    name = names[0] if names else DEFAULT_FUNCTION
    problem = find_artifact_name_problem(name)
    if problem is not None:
        raise UsageError(f"NAME: {problem}")
    if name in (config.layers or (DEFAULT_LAYER,)):
        raise UsageError(f'"{name}" is a layer', hint="give the function a NAME of its own")
    folder, handler = split_folder(handler)
    known = config.functions.get(name) or FunctionConfig(name=name, handler=handler, described=True)
    function = replace(known, handler=handler, folder=folder or known.folder)
    return replace(config, functions={name: function}, passed=()), (name,)
