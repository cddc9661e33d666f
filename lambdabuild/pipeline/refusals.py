"""What verification refused, kept by content so that the same content is refused again; and what it has proven.

Only what follows from content is kept. A refusal holds for an artifact with its layers in their order, whatever their
files are called and wherever they lie; the image that it was found in is noted with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lambdabuild.cache import Cache
from lambdabuild.ledger import note
from lambdabuild.model.config import ProjectConfig
from lambdabuild.model.limits import Finding
from lambdabuild.model.report import Artifact
from lambdabuild.model.trials import parts_of, target_of
from lambdabuild.values import dataclass

if TYPE_CHECKING:
    from lambdabuild.model.verification import Row

VERIFICATION_FORMAT = 3
"""Raised whenever the same archives would be tried in another way."""

_REFUSALS = "refusals"
_PROOFS = "proofs"
_PROVEN = "proven"

Environs = Mapping[str, Mapping[str, str]]
"""By function: what its environment has while it is tried, besides Lambda's own."""


def environs_of(config: ProjectConfig) -> Environs:
    """As the configuration has them."""
    return {function.name: dict(function.verify_env) for function in config.functions.values()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An import that was refused."""

    row: Row
    message: str
    """Without the name of the archive."""
    hint: str | None

    def finding(self, file: str) -> Finding:
        return Finding(severity="error", code="import-failed", message=f"{file}: {self.message}", hint=self.hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """What was refused of one artifact with its layers."""

    image: str
    """The digest of the image that it was tried in."""
    rows: tuple[Row, ...]
    """Everything that was tried."""
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stacking:
    """An artifact, and the layers below it in their order; for a layer these are those it is tried with."""

    artifact: Artifact
    layers: tuple[Artifact, ...]
    environ: Mapping[str, str]
    """Of the function; nothing for a layer."""

    @property
    def content(self) -> str:
        """A digest of the archives, hex."""
        return self._digest([self.artifact.sha256, [layer.sha256 for layer in self.layers]])

    @property
    def parts(self) -> str:
        """A digest of the distributions that it consists of, whatever the project's own code is, hex."""
        every = (self.artifact, *self.layers)
        return self._digest([[asdict(share) for share in artifact.distributions] for artifact in every])

    def _digest(self, of: object) -> str:
        first = self.artifact
        inputs = [VERIFICATION_FORMAT, first.kind, first.runtime, first.architecture, first.handler, dict(self.environ)]
        return hashlib.sha256(json.dumps([inputs, of], sort_keys=True).encode()).hexdigest()


def stackings(artifacts: Sequence[Artifact], environs: Environs) -> Iterator[Stacking]:
    """Every function with its layers, and every layer as each function has it, or by itself where none does.

    Functions of which a layer is not among the artifacts, or is of others, are left out.
    """
    used: set[Artifact] = set()
    for function in artifacts:
        if function.kind == "layer" or function.external_layers:
            continue
        layers = {one.name: one for one in artifacts if one.kind == "layer" and target_of(one) == target_of(function)}
        if not layers.keys() >= set(function.layers):
            continue
        stack = tuple(layers[name] for name in function.layers)
        used |= set(stack)
        yield Stacking(artifact=function, layers=stack, environ=environs.get(function.name, {}))
        yield from (Stacking(artifact=layer, layers=stack, environ={}) for layer in stack)
    for layer in artifacts:
        if layer.kind == "layer" and layer not in used:
            yield Stacking(artifact=layer, layers=parts_of(layer, artifacts), environ={})


def find_refused(stacking: Stacking, cache: Cache) -> Refused | None:
    """What is kept of a refusal; None where there is none, or it cannot be read."""
    text = cache.find_text(_REFUSALS, stacking.content)
    try:
        return _parse(json.loads(text)) if text else None
    except (KeyError, TypeError, ValueError):
        return None


def keep_refused(stacking: Stacking, refused: Refused | None, cache: Cache) -> None:
    """Keep what was refused, or that nothing is any more."""
    if refused is not None:
        cache.store_text(_REFUSALS, stacking.content, json.dumps(_document(refused)))
    elif find_refused(stacking, cache) is not None:
        cache.store_text(_REFUSALS, stacking.content, "")


def is_proven(stacking: Stacking, cache: Cache) -> bool:
    """Whether all went well when these distributions were last tried together."""
    return cache.find_text(_PROOFS, stacking.parts) == _PROVEN


def keep_proven(stacking: Stacking, cache: Cache, *, proven: bool) -> None:
    if proven != is_proven(stacking, cache):
        cache.store_text(_PROOFS, stacking.parts, _PROVEN if proven else "")


def note_refusals(every: Iterable[Stacking], cache: Cache) -> None:
    """Say that refusals were looked for: a build is not unchanged when there is one by now."""
    for stacking in every:
        note(cache.version / _REFUSALS / stacking.content)


def _document(refused: Refused) -> dict[str, Any]:
    from lambdabuild.model.verification import rows_document  # where something was refused

    return {
        "image": refused.image,
        "rows": rows_document(refused.rows),
        "refusals": [
            {"row": rows_document([one.row])[0], "message": one.message, "hint": one.hint} for one in refused.refusals
        ],
    }


def _parse(document: Mapping[str, Any]) -> Refused:
    from lambdabuild.model.verification import parse_rows

    return Refused(
        image=document["image"],
        rows=parse_rows(document["rows"]),
        refusals=tuple(
            Refusal(row=parse_rows([one["row"]])[0], message=one["message"], hint=one["hint"])
            for one in document["refusals"]
        ),
    )
