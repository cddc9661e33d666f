"""Removing what killed runs left on an engine, for a run that may have no other business there."""

from __future__ import annotations

from collections.abc import Mapping

from lambdabuild.builders.container import engine_errors
from lambdabuild.builders.engine import Engine
from lambdabuild.builders.ownership import remove_orphans
from lambdabuild.errors import MachineError

_TIMEOUT = 10
"""Seconds: nobody waits for this."""
_LOOKS = 4
"""How often an engine is asked that still makes what a run had asked for when it was killed."""


def clean_engine(environ: Mapping[str, str]) -> bool:
    """Remove it; tells whether the engine answered, and in the end had nothing more of it."""
    try:
        with engine_errors("removing what killed runs left"):
            client = Engine(image="", environ=environ, timeout=_TIMEOUT).client
            return any(not remove_orphans(client) for _ in range(_LOOKS))
    except MachineError:
        return False
