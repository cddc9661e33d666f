"""From a plan to trees: resolve, install, collect, assemble."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from lambdabuild.ledger import Ledger
from lambdabuild.model.events import Event
from lambdabuild.model.facts import Facts
from lambdabuild.model.limits import Finding, judged
from lambdabuild.model.lint import Remark, strictly
from lambdabuild.model.plan import FunctionPlan, Plan
from lambdabuild.model.runtimes import check_lifecycle
from lambdabuild.model.said import Said, together
from lambdabuild.model.slimming import Kept
from lambdabuild.model.sources import IgnoreRule
from lambdabuild.model.target import Target
from lambdabuild.model.tree import Tree
from lambdabuild.model.typed import quote
from lambdabuild.pipeline.acquire import Resolutions, find_empty, find_needy, install_needs, resolve_needs
from lambdabuild.pipeline.advice import advice_for
from lambdabuild.pipeline.collecting import Collector
from lambdabuild.pipeline.fingerprints import fingerprints_of
from lambdabuild.pipeline.order import Machines, Order
from lambdabuild.pipeline.reuse import Memory
from lambdabuild.pipeline.users import users_facts
from lambdabuild.steps.assemble import Assembled, assemble
from lambdabuild.steps.audit import audit, libraries_of
from lambdabuild.steps.bytecode import Compiled, compile_bytecode
from lambdabuild.steps.install import Installed
from lambdabuild.steps.lint import lint
from lambdabuild.steps.strip import Stripped


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A plan with everything that its archives are written from."""

    plan: Plan
    """Of what is to be made."""
    whole: Plan
    """With what stands from earlier builds, and needs not be made."""
    distributions: int
    """How many the whole plan needs, each counted once for a target."""
    fingerprints: Mapping[str, str]
    """By artifact of the whole plan."""
    ledgers: Mapping[str, Ledger]
    """What was read of the project, by artifact that is to be made, and by layer that one of them needs."""
    attached: Mapping[str, Tree]
    """Those of the layers, by file, also of such as are only attached."""
    digests: Mapping[str, str]
    """Of the content of these, and of the layers that stand."""
    installed: Mapping[Target, Installed]
    needy: frozenset[str]
    """The artifacts that something was installed for."""
    trees: Mapping[str, Tree]
    said: Mapping[str, Said]
    """What the checks have to say, by artifact of the whole plan."""
    findings: tuple[Finding, ...]
    """The same together."""
    left_out: Mapping[str, tuple[str, ...]]
    stripped: Mapping[Target, Stripped]
    """For the targets whose shared objects are stripped."""
    kept: Mapping[str, tuple[Kept, ...]]
    """What slimming would have left out and evidence kept, by artifact."""
    interpreters: Mapping[str, str]
    """The full version of the interpreter that made the bytecode, by artifact, where there is any."""
    ignore_rules: Mapping[str, IgnoreRule | None]
    """What decided on which sources are ignored, by artifact that is to be made."""


def prepare(order: Order, machines: Machines, memory: Memory | None = None) -> Prepared:
    """Resolve, install, collect and assemble what does not stand from earlier builds.

    Raises PolicyError for what breaks a limit.
    """
    memory = memory or Memory()
    resolutions = resolve_needs(order, machines)
    whole = order.plan.without(find_empty(order.plan, resolutions))
    users = users_facts(whole.layers, order, machines.cache, memory.glance)
    fingerprints = fingerprints_of(whole, resolutions, users, order, machines)
    standing = memory.find_standing(fingerprints)
    made = _make(whole, standing, resolutions, users, order=order, machines=machines)
    while fallen := memory.find_fallen(standing, made.digests):
        standing -= fallen
        made = _make(whole, standing, resolutions, users, order=order, machines=machines)
    said = {
        one.file: memory.earlier[one.file].said if one.file in standing else made.said[one.file] for one in whole.made
    }
    found = together(said.values())
    found = judged(strictly(found) if order.config.strict else found, tolerant=order.tolerant)
    return Prepared(
        plan=made.plan,
        whole=whole,
        distributions=len({(target, pin) for (_, target), one in resolutions.items() for pin in one.pins}),
        fingerprints=fingerprints,
        ledgers=made.ledgers,
        attached=made.attached,
        digests={file: memory.earlier[file].artifact.content_digest for file in standing} | made.digests,
        installed=made.installed,
        needy=find_needy(made.plan, resolutions),
        trees=made.assembled.trees,
        said=said,
        findings=(
            *_unused(whole, order.config.passed),
            *_misspelt(order, resolutions),
            *_deprecations(whole, order.today),
            *_built_elsewhere(made.installed),
            *found,
        ),
        left_out=made.left_out,
        kept=made.assembled.kept,
        stripped=made.stripped,
        interpreters=made.interpreters,
        ignore_rules=made.ignore_rules,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """What is the same in ``Prepared``, before it is known whether the others stand."""

    plan: Plan
    ledgers: Mapping[str, Ledger]
    installed: Mapping[Target, Installed]
    stripped: Mapping[Target, Stripped]
    assembled: Assembled
    attached: Mapping[str, Tree]
    digests: dict[str, str]
    interpreters: Mapping[str, str]
    said: Mapping[str, Said]
    """By artifact that is to be made."""
    left_out: Mapping[str, tuple[str, ...]]
    ignore_rules: Mapping[str, IgnoreRule | None]


def _make(
    whole: Plan,
    standing: Collection[str],
    resolutions: Resolutions,
    users: Mapping[str, Facts],
    *,
    order: Order,
    machines: Machines,
) -> _Made:
    """Make everything of the plan but what stands ready to be written."""
    plan = whole.lacking(standing)
    installed, stripped = install_needs(plan, resolutions, machines)
    machines.listen(Event(phase="collect", text="collecting sources"))
    collector = Collector(order, resolutions, installed)
    compiled = Compiled(trees={}, interpreters={}, findings={})

    def finish(trees: Mapping[str, Tree]) -> Mapping[str, Tree]:
        nonlocal compiled
        compiled = compile_bytecode(
            plan.artifacts, trees, builder=machines.builder, cache=machines.cache, listen=machines.listen
        )
        return compiled.trees

    layers, functions = collector.layers(plan, users), collector.functions(plan)
    assembled = assemble(plan, layers, functions, finish=finish)
    said = _check(plan, assembled, compiled, installed, whole=whole, order=order, machines=machines)
    attached = {one.file: assembled.layers[one.name] for one in plan.all_layers if one.name in assembled.layers}
    return _Made(
        plan=plan,
        ledgers=collector.ledgers,
        installed=installed,
        stripped=stripped,
        assembled=assembled,
        attached=attached,
        digests={file: tree.content_digest for file, tree in attached.items()},
        interpreters=compiled.interpreters,
        said=said,
        ignore_rules={
            **{one.file: layers[one.name].ignore_rule for one in plan.layers},
            **{one.file: functions[one.name].ignore_rule for one in plan.functions},
        },
        left_out={one.file: functions[one.name].left_out for one in plan.functions if functions[one.name].left_out},
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


def _unused(plan: Plan, passed: tuple[str, ...]) -> Iterator[Finding]:
    """What lies there as if it were to be used: folders beside those of functions, and files of dependencies."""
    for message in passed if plan.functions else ():
        yield Finding(severity="warning", code="folder-passed", message=message)
    for message in dict.fromkeys(one.unused for one in plan.functions if one.unused is not None):
        yield Finding(severity="warning", code="requirements-unused", message=message)


def _built_elsewhere(installed: Mapping[Target, Installed]) -> Iterator[Finding]:
    for pin, wheel in (item for one in installed.values() for item in one.built.items()):
        if wheel.image is not None:
            message = f"{pin} is the wheel that was built from source in {wheel.image.reference} ({wheel.image.digest})"
            yield Finding(severity="note", code="built-elsewhere", message=message)


def _misspelt(order: Order, resolutions: Resolutions) -> Iterator[Finding]:
    """What is to have the network while it is built, and is called otherwise. What a build requires has names, too."""
    names = {pin.name for resolution in resolutions.values() for pin in resolution.pins}
    for name, near in order.config.build.misspelt(names):
        message = f"build.network names {quote(name)}, which is no distribution of this build"
        yield Finding(severity="warning", code="network-unused", message=message, hint=f"did you mean {quote(near)}?")


def _deprecations(plan: Plan, today: date) -> Iterator[Finding]:
    for runtime in dict.fromkeys(target.runtime for target in plan.targets):
        yield from check_lifecycle(runtime, today)
