"""``lambdabuild invoke``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lambdabuild.errors import UsageError

if TYPE_CHECKING:
    from lambdabuild.console import Console
    from lambdabuild.model.invocation import Invoked
    from lambdabuild.steps.built import Built

_STDIN = Path("-")


@click.command()
@click.argument("name")
@click.option("--event", type=click.Path(path_type=Path), metavar="FILE|-", help="The event, JSON. [default: {}]")
@click.option("--env", "variables", multiple=True, metavar="NAME=VALUE", help="A variable of the function.")
@click.option("--env-file", "env_files", multiple=True, type=click.Path(path_type=Path), help="A file of such lines.")
@click.option("--timeout", type=click.IntRange(1, 900), metavar="SECONDS", help="[default: 300]")
@click.option("--memory", type=click.IntRange(128, 10_240), metavar="MB", help="[default: not limited]")
@click.option(
    "--ephemeral-storage", type=click.IntRange(512, 10_240), default=512, metavar="MB", help="Of /tmp. [default: 512]"
)
@click.option("--count", type=click.IntRange(min=1), default=1, help="Invoke so often, and tell of the warm times.")
@click.option("--fat", is_flag=True, help="Run the fat zip, where there is a slim one too.")
@click.option("--project", type=click.Path(path_type=Path), help="Folder of the project.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Folder of the artifacts.")
@click.option("--json", "as_json", is_flag=True, help="Print response, log and times as JSON.")
@click.pass_context
def invoke(context: click.Context, /, *, name: str, as_json: bool, **given: Any) -> None:
    """Run a function in the Lambda image, from the zips that were built.

    The response goes to stdout, the log and the times to stderr; with lambdabuild -v the log has all
    that the emulator writes. Besides the variables that Lambda sets, the function has those of --env and
    --env-file, and no credentials but in these.

    \b
    Example:
      lambdabuild invoke api-handler --event event.json --env TABLE=orders
    """
    from lambdabuild.console import Console
    from lambdabuild.errors import BuildError
    from lambdabuild.model.invokedtext import error_text, invoked_document

    console = Console(as_json=as_json)
    built, invoked = _run(name, console, **given)
    whole = bool(context.find_root().params.get("verbose"))
    console.invoked(invoked, name=name, file=built.function.file, whole=whole)
    if invoked.error is not None:
        hint = invoked.error.hint
        if invoked.error.type == "Runtime.ImportModuleError":
            hint = f"lambdabuild verify {name} tells what is missing"
        raise BuildError(
            error_text(built.function.file, invoked.error),
            hint=hint,
            code="function-failed",
            document=invoked_document(invoked, name=name, file=built.function.file),
        )


def _run(
    name: str,
    console: Console,
    *,
    event: Path | None,
    variables: tuple[str, ...],
    env_files: tuple[Path, ...],
    timeout: int | None,
    memory: int | None,
    ephemeral_storage: int,
    count: int,
    fat: bool,
    project: Path | None,
    output: Path | None,
) -> tuple[Built, Invoked]:
    from lambdabuild.cli.options import find_output, open_project
    from lambdabuild.cli.wiring import open_sandboxes
    from lambdabuild.model.functionenv import parse_environment, with_region
    from lambdabuild.model.invocation import Call
    from lambdabuild.pipeline.invoke import invoke as run
    from lambdabuild.steps.built import find_built

    call = Call(
        event=_read_event(event),
        environ=with_region(parse_environment(_environment(variables, env_files))),
        timeout=timeout,
        memory=memory,
        temporary=ephemeral_storage,
        count=count,
    )
    folder, config = open_project(project, bare=True)
    built = find_built(find_output(output, folder, config), name, fat=fat, configured=config.functions)
    try:
        return built, run(built, call, open_sandboxes(config, console.listen), console.listen)
    finally:
        console.quiet()


def _read_event(path: Path | None) -> str:
    from lambdabuild.model.invocation import check_event

    if path is None:
        return "{}"
    where = "standard input" if path == _STDIN else str(path)
    text = _read(path, where, hint="hand over where the data lies, such as a key in S3")
    return check_event(text, where=where)


def _environment(variables: tuple[str, ...], env_files: tuple[Path, ...]) -> Iterator[tuple[str, str]]:
    """NAME=VALUE with their places, those of the command line last."""
    from lambdabuild.model.functionenv import parse_env_file

    for path in env_files:
        yield from parse_env_file(_read(path, str(path)), path=str(path))
    for variable in variables:
        yield f"--env {variable.partition('=')[0]}", variable


def _read(path: Path, where: str, *, hint: str | None = None) -> str:
    """A text, with no more of it than shows that it is too much; a pipe that nobody writes to is empty."""
    from lambdabuild.model.invocation import MOST_EVENT

    try:
        if path == _STDIN:
            data = sys.stdin.buffer.read(MOST_EVENT + 1)
        else:
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
                os.set_blocking(file.fileno(), True)
                data = file.read(MOST_EVENT + 1)
        if len(data) > MOST_EVENT:
            problem = f"{where} has more than {MOST_EVENT:,} bytes (6 MB), which is more than Lambda takes"
            raise UsageError(problem, hint=hint)
        return data.decode("utf-8-sig")
    except OSError as error:
        looks_like_json = where.lstrip().startswith(("{", "["))
        hint = "--event takes a file with the event; - is standard input" if looks_like_json else None
        raise UsageError(f"{where} cannot be read: {error.strerror}", hint=hint) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{where} is not UTF-8: byte {error.start}") from error
