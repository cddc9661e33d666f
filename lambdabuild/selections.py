"""Selections that are kept: what a resolution comes to for a target is the same as long as its text is.

Reading a lock, its markers and its tags takes longer than all else that an edit of code costs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import packaging

from lambdabuild import __version__, configfile
from lambdabuild.cache import Cache
from lambdabuild.model.credentials import without_userinfo
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Runtime, Target

_KIND = "selections"
_FORMAT = 2


def select(text: str, target: Target, runtimes: Iterable[Runtime], *, origin: str, cache: Cache) -> tuple[Pin, ...]:
    """The pins of a ``pylock.toml`` for a target; ``origin`` is what messages call it.

    Kept are only selections of wheels, folders and commits, and none of a text with a login in it. Raises UsageError
    for what is no TOML, and what ``select_pins`` raises.
    """
    key = _key(text, target)
    known = _parse(cache.find_text(_KIND, key))
    if known is not None:
        return known
    from lambdabuild.model.selection import select_pins  # reads locks and tags: only for a text that is new

    pins = select_pins(configfile.parse_toml(text, origin=origin), target, runtimes)
    if without_userinfo(text) == text and not any(pin.no_wheel for pin in pins):
        cache.store_text(_KIND, key, json.dumps([_document(pin) for pin in pins]))
    return pins


def _key(text: str, target: Target) -> str:
    """Of all that a selection depends on: the text, what reads it, and of the target its name and its glibc."""
    major, minor = target.runtime.wheel_glibc
    head = (f"format {_FORMAT}", __version__, f"packaging {packaging.__version__}", str(target), f"{major}.{minor}")
    return hashlib.sha256("\0".join((*head, text)).encode()).hexdigest()


def _document(pin: Pin) -> dict[str, Any]:
    document = asdict(pin)
    del document["no_wheel"]
    return document


def _parse(text: str | None) -> tuple[Pin, ...] | None:
    """The inverse; None for anything else, which must not be taken for a selection of nothing."""
    if text is None:
        return None
    try:
        documents = json.loads(text)
        return tuple(Pin(**document) for document in documents) if isinstance(documents, list) else None
    except (TypeError, ValueError):
        return None
