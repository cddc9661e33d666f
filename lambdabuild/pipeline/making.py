"""Trees of what does not stand: installed, assembled and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lambdabuild.model.facts import Facts
from lambdabuild.model.lint import Remark
from lambdabuild.model.plan import FunctionPlan, LayerPlan, Plan
from lambdabuild.model.said import Said
from lambdabuild.model.target import Target
from lambdabuild.model.tree import Tree
from lambdabuild.pipeline.acquire import Resolutions
from lambdabuild.pipeline.advice import advice_for
from lambdabuild.pipeline.collecting import Collector
from lambdabuild.pipeline.installing import install_needs
from lambdabuild.pipeline.order import Machines, Order
from lambdabuild.pipeline.prepare import Made
from lambdabuild.steps.assemble import Assembled, Content, assemble
from lambdabuild.steps.audit import audit, libraries_of
from lambdabuild.steps.bytecode import Compiled, compile_bytecode
from lambdabuild.steps.install import Installed
from lambdabuild.steps.lint import lint
from lambdabuild.steps.metadata import with_top_level


@dataclass(frozen=True, slots=True, kw_only=True)
class _Makings:
    """What contents are made from."""

    collector: Collector
    resolutions: Resolutions
    installed: Mapping[Target, Installed]

    def content(self, one: LayerPlan | FunctionPlan, users: Facts = Facts()) -> Content:
        """``users`` is what the code of a layer's functions tells, for layers that become archives of their own."""
        resolution, installed = self.resolutions[one.needs, one.target], self.installed[one.target].segments
        code = self.collector.collect(one)
        return Content(
            segments=with_top_level((installed[pin] for pin in resolution.pins), one.slimming),
            direct=resolution.direct,
            code=code.collected.members,
            users=users,
            findings=code.findings,
        )


def make(
    plan: Plan,
    whole: Plan,
    resolutions: Resolutions,
    users: Mapping[str, Facts],
    *,
    collector: Collector,
    order: Order,
    machines: Machines,
) -> Made:
    """Everything of a plan ready to be written; ``whole`` is the plan with what stands."""
    installed, stripped = install_needs(plan, resolutions, machines)
    makings = _Makings(collector=collector, resolutions=resolutions, installed=installed)
    compiled = Compiled(trees={}, interpreters={}, findings={})

    def finish(trees: Mapping[str, Tree]) -> Mapping[str, Tree]:
        nonlocal compiled
        compiled = compile_bytecode(
            plan.artifacts, trees, builder=machines.builder, cache=machines.cache, listen=machines.listen
        )
        return compiled.trees

    layers = {one.name: makings.content(one, users.get(one.name, Facts())) for one in plan.all_layers}
    functions = {one.name: makings.content(one) for one in plan.functions}
    assembled = assemble(plan, layers, functions, finish=finish)
    return Made(
        installed=installed,
        stripped=stripped,
        trees=assembled.trees,
        attached={one.file: assembled.layers[one.name] for one in plan.all_layers if one.name in assembled.layers},
        kept=assembled.kept,
        interpreters=compiled.interpreters,
        said=_check(plan, assembled, compiled, installed, whole=whole, order=order, machines=machines),
    )


def _check(
    plan: Plan,
    assembled: Assembled,
    compiled: Compiled,
    installed: Mapping[Target, Installed],
    *,
    whole: Plan,
    order: Order,
    machines: Machines,
) -> dict[str, Said]:
    """What the checks have to say of each artifact of the plan."""
    remarks: dict[str, list[Remark]] = {}

    def find_hint(function: FunctionPlan, module: str) -> str | None:
        return advice_for(function, order).module(module)

    for remark in lint(plan, assembled.trees, assembled.layers, find_hint=find_hint):
        remarks.setdefault(remark.artifact, []).append(remark)
    images = {target: one.image for target, one in installed.items()}
    complaints = audit(
        plan,
        assembled.trees,
        assembled.layers,
        {target: one.segments.values() for target, one in installed.items()},
        libraries=libraries_of(images, builder=machines.builder, cache=machines.cache, listen=machines.listen),
        runtimes=machines.resolver.runtimes,
        used={layer.name for function in whole.functions for layer in function.attached_layers},
        built=() if order.config.build.repair else set(_built(installed)),
    )
    return {
        one.file: Said(
            findings=(*assembled.findings[one.file], *compiled.findings.get(one.file, ())),
            remarks=tuple(remarks.get(one.file, ())),
            complaints=complaints.get(one.file, {}),
        )
        for one in plan.made
    }


def _built(installed: Mapping[Target, Installed]) -> Iterator[str]:
    """The owners of files that come out of builds, not out of wheels of an index."""
    for one in installed.values():
        for pin, segment in one.segments.items():
            if pin.kind != "wheel":
                yield f"{segment.name} {segment.version}"
