"""From a plan to trees: what does not stand from earlier builds is resolved, collected and made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import date
from typing import TYPE_CHECKING

from lambdabuild.model.limits import Finding, judged
from lambdabuild.model.lint import strictly
from lambdabuild.model.plan import Plan
from lambdabuild.model.runtimes import check_lifecycle
from lambdabuild.model.said import Said, together
from lambdabuild.model.target import Target
from lambdabuild.model.tree import Tree, source_tree
from lambdabuild.model.typed import quote
from lambdabuild.pipeline.acquire import Resolutions, find_empty, find_needy, resolve_needs
from lambdabuild.pipeline.collecting import Collector
from lambdabuild.pipeline.fingerprints import fingerprints_of
from lambdabuild.pipeline.order import Machines, Order
from lambdabuild.pipeline.outline import find_alike
from lambdabuild.pipeline.reuse import Earlier, Memory
from lambdabuild.pipeline.users import users_facts
from lambdabuild.values import dataclass

if TYPE_CHECKING:
    from lambdabuild.model.slimming import Kept
    from lambdabuild.steps.install import Installed
    from lambdabuild.steps.strip import Stripped


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What is made with the distributions at hand."""

    trees: Mapping[str, Tree] = field(default_factory=dict)
    """By artifact."""
    attached: Mapping[str, Tree] = field(default_factory=dict)
    """Those of the layers, by file, also of such as are only attached."""
    installed: Mapping[Target, Installed] = field(default_factory=dict)
    stripped: Mapping[Target, Stripped] = field(default_factory=dict)
    """For the targets whose shared objects are stripped."""
    kept: Mapping[str, tuple[Kept, ...]] = field(default_factory=dict)
    """What slimming would have left out and evidence kept, by artifact."""
    interpreters: Mapping[str, str] = field(default_factory=dict)
    """The full version of the interpreter that made the bytecode, by artifact, where there is any."""
    said: Mapping[str, Said] = field(default_factory=dict)
    """What the checks have to say, by artifact."""


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
    digests: Mapping[str, str]
    """Of the content of layers, those that stand among them."""
    needy: frozenset[str]
    """The artifacts that something was installed for."""
    collector: Collector
    """What was read of the project for what is to be made, and for the layers that one of them needs."""
    made: Made
    alike: Mapping[str, Earlier]
    """What is to be made as it was, but for its code."""
    trees: Mapping[str, Tree]
    """Of what is to be made, by artifact."""
    said: Mapping[str, Said]
    """What the checks have to say, by artifact of the whole plan."""
    findings: tuple[Finding, ...]
    """The same together."""


def prepare(order: Order, machines: Machines, memory: Memory | None = None) -> Prepared:
    """Resolve, install, collect and assemble what does not stand from earlier builds.

    Raises PolicyError for what breaks a limit.
    """
    memory = memory or Memory()
    resolutions = resolve_needs(order, machines)
    whole = order.plan.without(find_empty(order.plan, resolutions))
    users = users_facts(whole.layers, order, machines.cache, memory.glance)
    fingerprints = fingerprints_of(whole, resolutions, users, order, machines)
    collector = Collector(order, machines.listen)
    standing, fallen = memory.find_standing(fingerprints), frozenset[str]()
    while True:
        standing -= fallen
        plan = whole.lacking(standing)
        alike = find_alike(plan.functions, standing, fingerprints, memory, collector.collect)
        made, rest = Made(), plan.lacking(alike)
        if rest.made:
            from lambdabuild.pipeline.making import make  # with all that reads distributions

            made = make(rest, whole, resolutions, users, collector=collector, order=order, machines=machines)
        digests = {file: tree.content_digest for file, tree in made.attached.items()}
        fallen = memory.find_fallen(standing, digests)
        if not fallen:
            break
    said = {**{file: memory.earlier[file].said for file in (*standing, *alike)}, **made.said}
    found = together(said[one.file] for one in whole.made)
    found = judged(strictly(found) if order.config.strict else found, tolerant=order.tolerant)
    return Prepared(
        plan=plan,
        whole=whole,
        distributions=len({(target, pin) for (_, target), one in resolutions.items() for pin in one.pins}),
        fingerprints=fingerprints,
        digests={**{file: memory.earlier[file].artifact.content_digest for file in standing}, **digests},
        needy=find_needy(plan, resolutions),
        collector=collector,
        made=made,
        alike=alike,
        trees={**made.trees, **{file: source_tree(collector.codes[file].collected.members) for file in alike}},
        said=said,
        findings=(
            *_unused(whole, order.config.passed),
            *_misspelt(order, resolutions),
            *_deprecations(whole, order.today),
            *found,
        ),
    )


def _unused(plan: Plan, passed: tuple[str, ...]) -> Iterator[Finding]:
    """What lies there as if it were to be used: folders beside those of functions, and files of dependencies."""
    for message in passed if plan.functions else ():
        yield Finding(severity="warning", code="folder-passed", message=message)
    for message in dict.fromkeys(one.unused for one in plan.functions if one.unused is not None):
        yield Finding(severity="warning", code="requirements-unused", message=message)


def _misspelt(order: Order, resolutions: Resolutions) -> Iterator[Finding]:
    """What is to have the network while it is built, and is called otherwise. What a build requires has names, too."""
    names = {pin.name for resolution in resolutions.values() for pin in resolution.pins}
    for name, near in order.config.build.misspelt(names):
        message = f"build.network names {quote(name)}, which is no distribution of this build"
        yield Finding(severity="warning", code="network-unused", message=message, hint=f"did you mean {quote(near)}?")


def _deprecations(plan: Plan, today: date) -> Iterator[Finding]:
    for runtime in dict.fromkeys(target.runtime for target in plan.targets):
        yield from check_lifecycle(runtime, today)
