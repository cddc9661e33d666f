"""What the last build of the same question read and made, so that an unchanged one can stop at a look.

The question is the command with its options, the environment that can matter, and the versions of what answers; the
state is a text in the cache. It holds digests and looks of files, what the build said, and no content.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from lambdabuild import __version__
from lambdabuild.cache import Cache
from lambdabuild.ledger import find_change
from lambdabuild.values import dataclass

_KIND = "builds"
_FORMAT = 3
_RELEVANT = re.compile(
    r"(LAMBDABUILD|UV|PIP|DOCKER|GIT|SSL|XDG|CONTAINER)_\w+|\w+_PROXY|\w+_proxy|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE"
    r"|HOME|NETRC|PATH|SOURCE_DATE_EPOCH|VIRTUAL_ENV"
    r"|SETUPTOOLS_SCM_\w+|PDM_BUILD_SCM_VERSION|PBR_VERSION|POETRY_DYNAMIC_VERSIONING_\w+"
)
"""Variables that can change what a build makes; those of credentials only ever as part of a digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a build said, to be said again."""

    output: str
    """On its standard output: with ``--json`` a document, else the report without its last line."""
    warnings: str
    """On its standard error, of the report."""
    last: str
    """What the last line of the report begins with."""


def question_key(question: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """A digest of all that is asked, hex."""
    relevant = sorted((name, value) for name, value in environ.items() if _RELEVANT.fullmatch(name))
    parts = [_FORMAT, __version__, sys.version, question, relevant]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def find_unchanged(cache: Cache, key: str, *, today: str) -> Told | None:
    """What the last build said, when nothing of what it read or made has changed since, and no date has passed."""
    text = cache.find_text(_KIND, key)
    if text is None:
        return None
    try:
        state = json.loads(text)
        before = [looks for looks, _ in state["seen"].values()]
        if state["until"] <= today or find_change(state["seen"]) is not None:
            return None
        told = Told(**{name: _text(said) for name, said in state["told"].items()})
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    if [looks for looks, _ in state["seen"].values()] != before:
        cache.store_text(_KIND, key, json.dumps(state))
    return told


def keep(cache: Cache, key: str, told: Told, *, seen: Mapping[str, Any], until: str) -> None:
    """Keep what a build said and saw, good before a date (ISO 8601)."""
    cache.store_text(_KIND, key, json.dumps({"seen": seen, "until": until, "told": asdict(told)}))


def _text(said: object) -> str:
    if not isinstance(said, str):
        raise TypeError(f"{said!r} is nothing that a build says")
    return said
