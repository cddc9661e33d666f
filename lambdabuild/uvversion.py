"""The version of uv's binary, asked of it once: for as long as the binary is what it was, so is its version.

It is some forty megabytes. Reading them again for each build, to tell the next one that they did not change, would take
longer than asking.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lambdabuild import uv
from lambdabuild.cache import Cache
from lambdabuild.ledger import Changed, adopt, find_change, note, recording

_KIND = "versions"


def read_version(binary: Path, *, environ: Mapping[str, str], cache: Cache) -> str:
    """uv's version, ``0.13.8``; the binary is noted as read. Raises MachineError when it does not run."""
    key = hashlib.sha256(os.fsencode(binary)).hexdigest()
    known = _find(cache, key)
    if known is not None:
        version, seen = known
        adopt(seen)
        return version
    with recording() as ledger:
        note(binary)
        version = uv.read_version(binary, environ=environ)
    try:
        seen = ledger.take()
    except Changed:  # while it ran: who records this build finds it changed as well
        return version
    adopt(seen)
    _keep(cache, key, version, seen)
    return version


def _find(cache: Cache, key: str) -> tuple[str, dict[str, list[Any]]] | None:
    """The version, and the looks of the binary that told it, if it still is that one."""
    try:
        state = json.loads(cache.find_text(_KIND, key) or "")
        version, seen = state["version"], state["seen"]
        before = json.dumps(seen)
        if not isinstance(version, str) or not seen or find_change(seen) is not None:
            return None
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    if json.dumps(seen) != before:  # its looks did not tell, and it had to be read
        _keep(cache, key, version, seen)
    return version, seen


def _keep(cache: Cache, key: str, version: str, seen: Mapping[str, Any]) -> None:
    cache.store_text(_KIND, key, json.dumps({"version": version, "seen": seen}))
