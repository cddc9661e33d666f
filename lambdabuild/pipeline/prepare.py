"""From a plan to trees: resolve, install, collect, assemble."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date

from lambdabuild.errors import LambdaBuildError
from lambdabuild.ledger import Ledger, recording
from lambdabuild.model.events import Event
from lambdabuild.model.evidence import read_facts
from lambdabuild.model.facts import Facts, merge
from lambdabuild.model.limits import Finding, judged
from lambdabuild.model.lint import strictly
from lambdabuild.model.needs import Needs
from lambdabuild.model.plan import FunctionPlan, LayerPlan, Plan
from lambdabuild.model.requirements import Pin
from lambdabuild.model.runtimes import check_deprecation
from lambdabuild.model.slimming import Kept
from lambdabuild.model.target import Target
from lambdabuild.model.tree import Tree
from lambdabuild.pipeline.order import Machines, Order
from lambdabuild.pipeline.reuse import NONE, Earlier, fingerprint_of
from lambdabuild.pipeline.sidebyside import for_each
from lambdabuild.steps.assemble import Assembled, Content, assemble
from lambdabuild.steps.audit import audit, libraries_of
from lambdabuild.steps.bytecode import Compiled, compile_bytecode
from lambdabuild.steps.collect import collect_code, collect_sources, find_handler, read_modules
from lambdabuild.steps.install import Installed, install
from lambdabuild.steps.lint import lint
from lambdabuild.steps.resolve import Resolution
from lambdabuild.steps.strip import Stripped, strip_symbols

_Resolutions = Mapping[tuple[Needs, Target], Resolution]


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
    """What was read of the project, by artifact that is to be made."""
    attached: Mapping[str, Tree]
    """Those of the layers, by file, also of such as are only attached."""
    installed: Mapping[Target, Installed]
    trees: Mapping[str, Tree]
    findings: tuple[Finding, ...]
    left_out: Mapping[str, tuple[str, ...]]
    stripped: Mapping[Target, Stripped]
    """For the targets whose shared objects are stripped."""
    kept: Mapping[str, tuple[Kept, ...]]
    """What slimming would have left out and evidence kept, by artifact."""
    interpreters: Mapping[str, str]
    """The full version of the interpreter that made the bytecode, by artifact, where there is any."""


def prepare(order: Order, machines: Machines, earlier: Mapping[str, Earlier] = NONE) -> Prepared:
    """Resolve, install, collect and assemble what does not stand from earlier builds.

    Raises PolicyError for what breaks a limit.
    """
    unread = {file: one for file, one in earlier.items() if one.has_same_sources()}
    resolutions = _resolve(order, machines)
    whole = order.plan.without(_empty(order.plan, resolutions))
    fingerprints = {one.file: fingerprint_of(one, _pins(one, resolutions), order, machines) for one in whole.artifacts}
    standing = {file for file, one in unread.items() if one.fingerprint == fingerprints.get(file) and one.stands()}
    prepared = _prepare(whole, standing, resolutions, fingerprints, order=order, machines=machines)
    changed = {
        file
        for file, tree in prepared.attached.items()
        if file not in earlier or earlier[file].artifact.content_digest != tree.content_digest
    }
    affected = {one.file for one in whole.functions if changed & {layer.file for layer in _layers_of(one)}}
    if affected & standing:
        prepared = _prepare(whole, standing - affected, resolutions, fingerprints, order=order, machines=machines)
    return prepared


def _prepare(
    whole: Plan,
    standing: Collection[str],
    resolutions: _Resolutions,
    fingerprints: Mapping[str, str],
    *,
    order: Order,
    machines: Machines,
) -> Prepared:
    """Make everything of the plan but what stands ready to be written."""
    plan = whole.lacking(standing)
    ledgers: dict[str, Ledger] = {}
    installed = for_each(
        plan.targets, lambda target: _install(target, resolutions, machines), cancel=machines.builder.cancel
    )
    stripped = {target: _strip(target, one, machines) for target, one in installed.items() if _strips(plan, target)}
    installed |= {target: replace(installed[target], segments=one.segments) for target, one in stripped.items()}
    machines.listen(Event(phase="collect", text="collecting sources"))
    with _reading_code():
        layers, functions = {}, {}
    for layer in plan.all_layers:
        with recording() as ledgers[layer.file]:
            layers[layer.name] = _layer_content(layer, order, resolutions, installed)
    for function in plan.functions:
        with recording() as ledgers[function.file]:
            find_handler(order.project, function.sources)
            functions[function.name] = _function_content(function, order, resolutions, installed)
    compiled = Compiled(trees={}, interpreters={}, findings=())

    def finish(trees: Mapping[str, Tree]) -> Mapping[str, Tree]:
        nonlocal compiled
        compiled = _compile(plan, trees, machines)
        return compiled.trees

    with _reading_code():
        assembled = assemble(plan, layers, functions, finish=finish)
    found = [*assembled.findings, *compiled.findings, *lint(plan, assembled.trees, assembled.layers)]
    found = strictly(found) if order.config.strict else found
    with _reading_code():
        found += _audit(plan, assembled, installed, machines)
    findings = [*_deprecations(whole, order.today), *judged(found, tolerant=order.tolerant)]
    left_out = {
        function.file: content.left_out for function in plan.functions if (content := functions[function.name]).left_out
    }
    return Prepared(
        plan=plan,
        whole=whole,
        distributions=len({(target, pin) for (_, target), one in resolutions.items() for pin in one.pins}),
        fingerprints=fingerprints,
        ledgers=ledgers,
        attached={one.file: assembled.layers[one.name] for one in plan.all_layers if one.name in assembled.layers},
        installed=installed,
        trees=assembled.trees,
        findings=tuple(findings),
        left_out=left_out,
        kept=assembled.kept,
        stripped=stripped,
        interpreters=compiled.interpreters,
    )


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


def _pins(artifact: LayerPlan | FunctionPlan, resolutions: _Resolutions) -> dict[str, tuple[Pin, ...]]:
    """The distributions of an artifact, and of the layers that it uses."""
    owners = (artifact, *_layers_of(artifact))
    return {one.file: resolutions[one.needs, one.target].pins for one in owners}


def _layers_of(artifact: LayerPlan | FunctionPlan) -> tuple[LayerPlan, ...]:
    return (*artifact.attached_layers, *artifact.bundled) if isinstance(artifact, FunctionPlan) else ()


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
        refresh=machines.resolver.upgrade,
    )


def _strips(plan: Plan, target: Target) -> bool:
    return any(one.target == target and one.transforms.strip_symbols for one in plan.artifacts)


def _strip(target: Target, installed: Installed, machines: Machines) -> Stripped:
    return strip_symbols(
        installed.segments, target, builder=machines.builder, cache=machines.cache, listen=machines.listen
    )


def _compile(plan: Plan, trees: Mapping[str, Tree], machines: Machines) -> Compiled:
    return compile_bytecode(
        plan.artifacts, trees, builder=machines.builder, cache=machines.cache, listen=machines.listen
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
        users=_users_facts(layer, order),
    )


@contextmanager
def _reading_code() -> Iterator[None]:
    """Python warns of what it reads, such as invalid escape sequences: those are for who runs that code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _users_facts(layer: LayerPlan, order: Order) -> Facts:
    """What the code of the functions tells that attach a layer, whichever of them this run makes: so that the layer is
    always the same. A function whose code cannot be had is passed over; the run that makes it tells why."""
    facts = []
    for sources in layer.users:
        with suppress(LambdaBuildError):
            facts += [read_facts(*module) for module in read_modules(order.project, sources, output=order.output)]
    return merge(facts)


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


def _audit(
    plan: Plan, assembled: Assembled, installed: Mapping[Target, Installed], machines: Machines
) -> list[Finding]:
    images = {target: one.image for target, one in installed.items()}
    return audit(
        plan,
        assembled.trees,
        assembled.layers,
        {target: one.segments.values() for target, one in installed.items()},
        libraries=libraries_of(images, builder=machines.builder, cache=machines.cache, listen=machines.listen),
        runtimes=machines.resolver.runtimes,
    )


def _deprecations(plan: Plan, today: date) -> Iterator[Finding]:
    for runtime in dict.fromkeys(target.runtime for target in plan.targets):
        yield from check_deprecation(runtime, today)
