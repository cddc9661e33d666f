"""What the artifacts of a plan need of others, resolved for their targets."""

from __future__ import annotations

from collections.abc import Mapping

from lambdabuild.errors import PolicyError
from lambdabuild.model.compatible import HINT, find_differences
from lambdabuild.model.events import Event
from lambdabuild.model.needs import Locked, Needs
from lambdabuild.model.plan import FunctionPlan, LayerPlan, Plan
from lambdabuild.model.target import Target
from lambdabuild.pipeline.order import Machines, Order
from lambdabuild.steps.resolve import Resolution

Resolutions = Mapping[tuple[Needs, Target], Resolution]


def resolve_needs(order: Order, machines: Machines) -> Resolutions:
    """What the needs of the plan come to; what several artifacts share is resolved once."""
    locked = dict.fromkeys(one.needs.folder for one in order.plan.artifacts if isinstance(one.needs, Locked))
    for folder in locked if order.lock else ():
        machines.listen(Event(phase="resolve", text="uv lock"))
        machines.resolver.lock(folder)
    machines.listen(Event(phase="resolve", text="reading the lock"))
    owners: dict[tuple[Needs, Target], str] = {}
    for layer in order.plan.all_layers:
        owners.setdefault((layer.needs, layer.target), f"layers.{layer.name}")
    for function in order.plan.functions:
        owners.setdefault((function.needs, function.target), f"functions.{function.name}")
    resolutions = {
        (needs, target): machines.resolver.resolve(needs, target, owner=owner)
        for (needs, target), owner in owners.items()
    }
    for layer in order.plan.all_layers:
        _check_compatible(layer, resolutions[layer.needs, layer.target], machines)
    return resolutions


def _check_compatible(layer: LayerPlan, own: Resolution, machines: Machines) -> None:
    """Raises PolicyError where another runtime that a layer is for would get other distributions."""
    for target in layer.others:
        pins = machines.resolver.resolve(layer.needs, target, owner=f"layers.{layer.name}").pins
        runtimes = (layer.target.runtime.name, target.runtime.name)
        differences = find_differences(own.pins, pins, runtimes=runtimes)
        if differences:
            raise PolicyError(
                f'the layer "{layer.name}" cannot be for {" and ".join(runtimes)}; what differs:\n  '
                + "\n  ".join(differences),
                hint=HINT,
            )


def find_empty(plan: Plan, resolutions: Resolutions) -> frozenset[str]:
    """The layers that nobody configured and nothing would be in."""
    return frozenset(
        layer.name
        for layer in plan.all_layers
        if layer.may_be_empty and not resolutions[layer.needs, layer.target].pins
    )


def find_needy(plan: Plan, resolutions: Resolutions) -> frozenset[str]:
    """The files of the artifacts that need distributions, themselves or in their layers."""

    def needs_some(one: LayerPlan | FunctionPlan) -> bool:
        layers = (*one.attached_layers, *one.bundled) if isinstance(one, FunctionPlan) else ()
        return any(resolutions[part.needs, part.target].pins for part in (one, *layers))

    return frozenset(one.file for one in plan.made if needs_some(one))
