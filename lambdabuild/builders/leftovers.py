"""Removing what killed runs left on an engine, for a run that may have no other business there."""

from __future__ import annotations

from collections.abc import Mapping

from lambdabuild.builders.container import engine_errors
from lambdabuild.builders.engine import Engine
from lambdabuild.builders.ownership import remove_orphans
from lambdabuild.errors import MachineError

_TIMEOUT = 10
"""Seconds: nobody waits for this."""


def clean_engine(environ: Mapping[str, str]) -> bool:
    """Remove it; tells whether the engine answered."""
    try:
        with engine_errors("removing what killed runs left"):
            remove_orphans(Engine(image="", environ=environ, timeout=_TIMEOUT).client)
    except MachineError:
        return False
    return True
