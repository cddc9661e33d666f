"""From a plan to trees: resolve, install, collect, assemble."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from lambdabuild.model.events import Event
from lambdabuild.model.limits import Finding, judged
from lambdabuild.model.needs import Needs
from lambdabuild.model.plan import FunctionPlan, LayerPlan, Plan
from lambdabuild.model.runtimes import check_deprecation
from lambdabuild.model.target import Target
from lambdabuild.model.tree import Tree
from lambdabuild.pipeline.order import Machines, Order
from lambdabuild.steps.assemble import Content, assemble
from lambdabuild.steps.collect import collect_code, collect_sources
from lambdabuild.steps.install import Installed, install
from lambdabuild.steps.resolve import Resolution


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A plan with everything that its archives are written from."""

    plan: Plan
    installed: Mapping[Target, Installed]
    trees: Mapping[str, Tree]
    findings: tuple[Finding, ...]
    left_out: Mapping[str, tuple[str, ...]]


def prepare(order: Order, machines: Machines) -> Prepared:
    """Resolve, install, collect and assemble; raises PolicyError for what breaks a limit."""
    resolutions = _resolve(order, machines)
    plan = order.plan.without(_empty(order.plan, resolutions))
    installed = {target: _install(target, resolutions, machines) for target in plan.targets}
    machines.listen(Event(phase="collect", text="collecting sources"))
    layers = {layer.name: _layer_content(layer, order, resolutions, installed) for layer in plan.all_layers}
    functions = {one.name: _function_content(one, order, resolutions, installed) for one in plan.functions}
    assembled = assemble(plan, layers, functions)
    findings = [*_deprecations(plan, order.today), *judged(assembled.findings, tolerant=order.tolerant)]
    left_out = {
        function.file: content.left_out for function in plan.functions if (content := functions[function.name]).left_out
    }
    return Prepared(plan=plan, installed=installed, trees=assembled.trees, findings=tuple(findings), left_out=left_out)


_Resolutions = Mapping[tuple[Needs, Target], Resolution]


def _resolve(order: Order, machines: Machines) -> _Resolutions:
    """What the needs of the plan come to; what several artifacts share is resolved once."""
    if order.lock:
        machines.listen(Event(phase="resolve", text="uv lock"))
        machines.resolver.lock()
    machines.listen(Event(phase="resolve", text="reading the lock"))
    owners: dict[tuple[Needs, Target], str] = {}
    for layer in order.plan.all_layers:
        owners.setdefault((layer.needs, layer.target), f"layers.{layer.name}")
    for function in order.plan.functions:
        owners.setdefault((function.needs, function.target), f"functions.{function.name}")
    return {
        (needs, target): machines.resolver.resolve(needs, target, owner=owner)
        for (needs, target), owner in owners.items()
    }


def _empty(plan: Plan, resolutions: _Resolutions) -> frozenset[str]:
    """The layers that nobody configured and nothing would be in."""
    return frozenset(
        layer.name
        for layer in plan.all_layers
        if layer.may_be_empty and not resolutions[layer.needs, layer.target].pins
    )


def _install(target: Target, resolutions: _Resolutions, machines: Machines) -> Installed:
    pins = {pin for (_, of), resolution in resolutions.items() if of == target for pin in resolution.pins}
    return install(
        sorted(pins, key=lambda pin: (pin.name, pin.version or "")),
        target,
        builder=machines.builder,
        cache=machines.cache,
        uv_version=machines.uv_version,
        listen=machines.listen,
    )


def _layer_content(
    layer: LayerPlan, order: Order, resolutions: _Resolutions, installed: Mapping[Target, Installed]
) -> Content:
    resolution = resolutions[layer.needs, layer.target]
    return Content(
        segments=tuple(installed[layer.target].segments[pin] for pin in resolution.pins),
        direct=resolution.direct,
        code=collect_code(
            order.project,
            layer.code,
            owner=f"layers.{layer.name}",
            exclude=layer.exclude,
            keep=layer.keep,
            gitignore=layer.gitignore,
            output=order.output,
        ),
    )


def _function_content(
    function: FunctionPlan, order: Order, resolutions: _Resolutions, installed: Mapping[Target, Installed]
) -> Content:
    resolution = resolutions[function.needs, function.target]
    collected = collect_sources(order.project, function.sources, output=order.output)
    return Content(
        segments=tuple(installed[function.target].segments[pin] for pin in resolution.pins),
        direct=resolution.direct,
        code=collected.members,
        left_out=collected.left_out,
    )


def _deprecations(plan: Plan, today: date) -> Iterator[Finding]:
    for runtime in dict.fromkeys(target.runtime for target in plan.targets):
        yield from check_deprecation(runtime, today)
