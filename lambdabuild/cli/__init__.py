"""The command line: the only door. Errors become text and an exit status here, and nowhere else."""

from __future__ import annotations

import gc
import signal
import sys
import threading
import warnings
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from types import FrameType
from typing import NoReturn

import click

from lambdabuild import __version__
from lambdabuild.cli.streams import flush, open_streams
from lambdabuild.errors import Terminated, UsageError

_OBJECTS = 100_000
"""How many objects are made before Python looks for rings among them: a run is short, and makes few."""


_COMMANDS = ("layer", "package", "validate", "invoke", "verify", "cache")
"""Each a module of this package with a command of the same name."""


class _Group(click.Group):
    """Loads a command when it is asked for."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        _check_not_empty(args)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(import_module(f"lambdabuild.cli.{cmd_name}"), cmd_name)
        return command


def _check_not_empty(args: list[str]) -> None:
    """Nothing that a command takes may be empty: it is a variable that is not set, and no default is meant."""
    for before, argument in zip(["lambdabuild", *args], args, strict=False):
        option, given, value = argument.partition("=")
        if not argument.strip() or (option.startswith("--") and given and not value.strip()):
            what = f"what follows {before}" if not argument.strip() else option
            raise UsageError(f"{what} is empty", hint="set the variable that it comes from, or leave it out")


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lambdabuild")
@click.option("-v", "--verbose", is_flag=True, help="Show every command that is run.")
def cli(verbose: bool) -> None:
    """Turn a Python project into AWS Lambda layers, slim zips and fat zips, the same bytes on every machine.

    \b
    lambdabuild layer            dependencies as a layer: dist/lambda/layer.zip
    lambdabuild package          a slim zip per function, and the layers they use
    lambdabuild package --fat    all in one zip, for runtimes that ignore layers
    lambdabuild validate         what was built against Lambda's limits
    lambdabuild invoke NAME      run a built function in the Lambda image
    lambdabuild verify           what was built imported in the Lambda image
    lambdabuild cache            what is kept so that nothing is done twice
    """
    if verbose:
        from lambdabuild.cli.verbose import show_commands

        show_commands(sys.argv[1:])


def main() -> NoReturn:
    """Run the command line and exit with the status of ``errors``."""
    open_streams()
    if not sys.warnoptions:  # here, since a filter that a library sets can be lost to a thread that sets one, too
        warnings.simplefilter("ignore")
    signal.signal(signal.SIGTERM, _terminate)
    gc.set_threshold(_OBJECTS, 50, 50)
    status = _run()
    _let_signals_end()
    sys.exit(status)


def _let_signals_end() -> None:
    """What is left is to tell, and threads that remove containers and folders; a signal of somebody who cannot wait for
    that ends the process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def _run() -> int:
    status = 0
    try:
        try:
            cli(standalone_mode=False)
            flush()
        except Exception as error:
            if isinstance(error, click.Abort):
                raise KeyboardInterrupt from error
            status = _tell(error)
        _clean_up()
    except (KeyboardInterrupt, Terminated) as ended:
        _let_signals_end()
        return _tell(ended)
    return status


def _clean_up() -> None:
    """Remove what killed runs left, and wait for what removes the things of this one."""
    from lambdabuild.cache import LAYOUT, default_root
    from lambdabuild.environment import environment, home
    from lambdabuild.leftovers import remove_folders, remove_leftovers

    def clean(environ: Mapping[str, str]) -> bool:
        from lambdabuild.builders.leftovers import clean_engine  # with all that speaks to an engine

        return clean_engine(environ)

    environ = environment()
    with suppress(OSError):  # a relative cache, and the current folder is gone
        root = default_root(environ, home=home(), platform=sys.platform)
        remove_leftovers(root, environ, clean)
        remove_folders(root / LAYOUT)
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()


def _tell(error: BaseException) -> int:
    from lambdabuild.cli.failure import tell  # no build that goes well needs it

    return tell(error, sys.argv[1:])


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated
