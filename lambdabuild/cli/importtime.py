"""``lambdabuild verify --importtime``."""

from __future__ import annotations

from pathlib import Path

from lambdabuild.errors import UsageError


def run_importtime(
    names: tuple[str, ...], *, project: Path | None, output: Path | None, timeout: float | None, as_json: bool
) -> None:
    """Tell where the time of a handler's import goes; raises UsageError unless one function is named."""
    from lambdabuild.cli.options import find_output, open_project
    from lambdabuild.cli.wiring import open_sandboxes
    from lambdabuild.console import Console
    from lambdabuild.pipeline.importtime import profile
    from lambdabuild.steps.built import find_built

    if len(names) != 1:
        raise UsageError("--importtime is about one function", hint="lambdabuild verify --importtime NAME")
    folder, config = open_project(project, bare=True)
    built = find_built(find_output(output, folder, config), names[0], fat=False, configured=config.functions)
    console = Console(as_json=as_json)
    try:
        found, page = profile(built, open_sandboxes(config, console.listen), console.listen, timeout=timeout)
    finally:
        console.quiet()
    console.profiled(found, page)
