"""``lambdabuild cache``: where it is, how large it is, and making it smaller."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from lambdabuild.errors import PolicyError, UsageError

if TYPE_CHECKING:
    from lambdabuild.cache import Cache
    from lambdabuild.housekeeping import Usage

_UNITS = {"": 1, "B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "KIB": 1024, "MIB": 1024**2, "GIB": 1024**3}


@click.group()
def cache() -> None:
    """What was built is kept, so that nothing is done twice.

    \b
    Example:
      lambdabuild cache prune --max-size 2GB
    """


@cache.command("dir")
def show_folder() -> None:
    """Print the folder (LAMBDABUILD_CACHE_DIR sets another)."""
    print(_open().root)


@cache.command()
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def size(as_json: bool) -> None:
    """Print how much it holds."""
    from lambdabuild.housekeeping import measure

    usage = measure(_open())
    if as_json:
        print(json.dumps({"wheels": usage.wheels, "size": usage.size}))
    else:
        print(_shown(usage))


@cache.command()
@click.option(
    "--max-size", metavar="SIZE", help="What may remain: 500MB, 2GB. [default: LAMBDABUILD_CACHE_MAX_SIZE, 10GB]"
)
def prune(max_size: str | None) -> None:
    """Remove what is damaged or of other versions, then what was not used for longest."""
    from lambdabuild.environment import environment
    from lambdabuild.housekeeping import prune as prune_cache

    bound = read_bound(environment()) if max_size is None else parse_size(max_size, "--max-size")
    print(f"removed {_shown(prune_cache(_open(), bound, waiting=_waiting))}")


@cache.command()
def clear() -> None:
    """Remove everything."""
    from lambdabuild.housekeeping import clear as clear_cache

    print(f"removed {_shown(clear_cache(_open(), waiting=_waiting))}")


@cache.command()
def verify() -> None:
    """Read every byte, and set aside what is not as it was written."""
    from lambdabuild.housekeeping import find_damaged, measure

    opened = _open()
    damaged = [str(path) for path in find_damaged(opened)]
    if damaged:
        raise PolicyError(
            "\n".join(f"{path} is damaged; it was set aside, and will be built again" for path in damaged),
            hint="check the disk; lambdabuild cache prune removes what was set aside",
        )
    print(f"{_shown(measure(opened))}, all as written")


def parse_size(text: str, origin: str) -> int:
    """Bytes of a size such as ``500MB``; raises UsageError, naming where it stands."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    if match is None or match[2].upper() not in _UNITS:
        raise UsageError(f'{origin}: "{text}" is not a size', hint="write it like 500MB or 2GB")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def read_bound(environ: Mapping[str, str]) -> int:
    """What the cache may take, in bytes."""
    from lambdabuild.housekeeping import DEFAULT_BOUND

    asked = environ.get("LAMBDABUILD_CACHE_MAX_SIZE")
    return parse_size(asked, "LAMBDABUILD_CACHE_MAX_SIZE") if asked else DEFAULT_BOUND


def _open() -> Cache:
    import sys

    from lambdabuild.cache import Cache, default_root
    from lambdabuild.environment import environment, home

    return Cache(default_root(environment(), home=home(), platform=sys.platform))


def _shown(usage: Usage) -> str:
    from lambdabuild.model.limits import format_size

    return f"{usage.wheels} wheel{'s' * (usage.wheels != 1)}, {format_size(usage.size)}"


def _waiting() -> None:
    import sys

    print("waiting for builds that use the cache …", file=sys.stderr, flush=True)
