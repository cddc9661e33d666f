"""What the artifacts of a plan are to be, as digests that are equal in every process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass, replace
from datetime import date
from typing import Any

from lambdabuild import __version__
from lambdabuild.environment import READER
from lambdabuild.model.facts import Facts, facts_document
from lambdabuild.model.plan import FunctionPlan, LayerPlan, Plan
from lambdabuild.pipeline.acquire import Resolutions
from lambdabuild.pipeline.order import Machines, Order
from lambdabuild.steps.resolve import Resolution
from lambdabuild.zipformat import COMPRESSOR

_FORMAT = 5


def fingerprints_of(
    plan: Plan, resolutions: Resolutions, users: Mapping[str, Facts], order: Order, machines: Machines
) -> dict[str, str]:
    """A digest, by file, of what each archive of a plan is to be, as far as its sources do not tell.

    ``users`` is what the code of its functions tells, by layer. The layers that a function attaches count with what is
    asked of them; what came of that is for the caller to compare.
    """
    teller = Teller()
    ground = [
        *(_FORMAT, __version__, READER, _tools(order, machines), str(order.project)),
        *(order.tolerant, order.config.strict, teller.tell(order.config.build), order.verify == "never"),
    ]
    resolved = {key: _digest([teller.tell(one.direct), _pins(one)]) for key, one in resolutions.items()}
    asked = {
        layer.name: _digest([teller.tell(replace(layer, users=())), resolved[layer.needs, layer.target]])
        for layer in plan.all_layers
    }

    def of_function(function: FunctionPlan) -> str:
        own = teller.tell(replace(function, attached=(), bundled=()))
        layers = [
            asked[one.name] if isinstance(one, LayerPlan) else teller.tell(one)
            for one in (*function.attached, *function.bundled)
        ]
        return _digest([ground, own, resolved[function.needs, function.target], layers])

    return {
        **{
            layer.file: _digest([ground, asked[layer.name], facts_document(users.get(layer.name, Facts()))])
            for layer in plan.layers
        },
        **{function.file: of_function(function) for function in plan.functions},
    }


class Teller:
    """Tells values for JSON so that equal ones are told alike in every process, each object once."""

    def __init__(self) -> None:
        self._told: dict[int, tuple[object, Any]] = {}
        """By identity, with the object, so that no other one takes it."""

    def tell(self, value: object) -> Any:
        """Raises TypeError for a kind of value that is in no plan."""
        if value is None or isinstance(value, (str, int)):
            return value
        if isinstance(value, (tuple, list)):
            return [self.tell(one) for one in value]
        if id(value) not in self._told:
            self._told[id(value)] = value, self._tell_whole(value)
        return self._told[id(value)][1]

    def _tell_whole(self, value: object) -> Any:
        if is_dataclass(value):
            return [type(value).__name__, *(self.tell(getattr(value, field.name)) for field in fields(value))]
        if isinstance(value, AbstractSet):
            return sorted((self.tell(one) for one in value), key=json.dumps)
        if isinstance(value, Mapping):
            return sorted(([self.tell(name), self.tell(one)] for name, one in value.items()), key=json.dumps)
        if isinstance(value, date):
            return value.isoformat()
        raise TypeError(f"{type(value).__name__} cannot be told")


def _pins(resolution: Resolution) -> list[list[str | None]]:
    return [[pin.kind, pin.name, pin.version, pin.commit or pin.sha256, pin.subdirectory] for pin in resolution.pins]


def _tools(order: Order, machines: Machines) -> str:
    """What the bytes of an archive depend on besides its members' content and modes."""
    return f"{COMPRESSOR}, uv {machines.resolver.uv_version}, {machines.builder.place}, epoch {order.epoch}"


def _digest(inputs: object) -> str:
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()
