"""What the code of functions tells the layers that they attach, read once and known until that code changes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from typing import Any

from lambdabuild import __version__
from lambdabuild.cache import Cache
from lambdabuild.errors import LambdaBuildError
from lambdabuild.ledger import Changed, Glance, adopt, find_change, recording
from lambdabuild.model.evidence import of_distribution, read_facts
from lambdabuild.model.facts import Facts, facts_document, merge, parse_facts
from lambdabuild.model.plan import LayerPlan
from lambdabuild.model.sources import Sources
from lambdabuild.pipeline.fingerprints import Teller
from lambdabuild.pipeline.order import Order
from lambdabuild.steps.collect import read_modules

facts_of = lru_cache(maxsize=10_000)(read_facts)
"""Functions share modules."""
_KIND = "evidence"
_FORMAT = 2


def users_facts(layers: Iterable[LayerPlan], order: Order, cache: Cache, glance: Glance) -> dict[str, Facts]:
    """By layer, what the code of the functions tells that attach it, whichever of them this run makes: so that the
    layer is always the same. A function whose code cannot be had is passed over; the run that makes it tells why."""
    layers = tuple(layers)
    every = dict.fromkeys(sources for layer in layers for sources in layer.users)
    if not every:
        return {}
    inputs = f"{_FORMAT} {__version__} {order.project} {order.output.resolve()}"
    key = sha256(inputs.encode(errors="surrogateescape")).hexdigest()
    text = cache.find_text(_KIND, key)
    known, teller = _parse(text), Teller()
    told = {sources: _facts(sources, teller.tell(sources), order, known, glance) for sources in every}
    new = json.dumps(known)
    if new != text:
        cache.store_text(_KIND, key, new)
    return {layer.name: merge(told[sources] for sources in layer.users) for layer in layers}


def _parse(text: str | None) -> dict[str, Any]:
    try:
        return dict(json.loads(text or "{}"))
    except (TypeError, ValueError):
        return {}


def _facts(sources: Sources, asked: object, order: Order, known: dict[str, Any], glance: Glance) -> Facts:
    """Of one function; ``known`` is brought up to date."""
    earlier = known.pop(sources.owner, None)
    facts = _earlier_facts(earlier, asked, glance)
    if facts is not None:
        known[sources.owner] = earlier
        return facts
    facts = Facts()
    with suppress(LambdaBuildError, Changed), recording() as ledger:
        modules = read_modules(order.project, sources, output=order.output)
        facts = of_distribution(merge(facts_of(path, content) for path, content in modules), ())
        known[sources.owner] = {"asked": asked, "read": ledger.take(), "facts": facts_document(facts)}
    return facts


def _earlier_facts(earlier: Any, asked: object, glance: Glance) -> Facts | None:
    """What was told before, when the same is asked and nothing that was read has changed."""
    try:
        if earlier["asked"] != asked or find_change(earlier["read"], glance) is not None:
            return None
        facts = parse_facts(earlier["facts"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    adopt(earlier["read"])
    return facts
