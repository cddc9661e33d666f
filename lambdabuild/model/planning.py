"""From configuration and request to a plan. After planning no option is left to look at."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from lambdabuild.errors import UsageError
from lambdabuild.model.config import DEFAULT_LAYER, FunctionConfig, LayerConfig, ProjectConfig
from lambdabuild.model.configdependencies import Boto3
from lambdabuild.model.needs import NOTHING, Found, Locked, LockFile, Needs, Required
from lambdabuild.model.plan import ExternalPlan, FunctionPlan, LayerPlan, Plan, each_once
from lambdabuild.model.report import Kind
from lambdabuild.model.runtimes import Targets
from lambdabuild.model.sources import Sources
from lambdabuild.model.target import Target
from lambdabuild.model.treatment import SdkChoice

DEFAULT_FUNCTION = "function"
"""The name of a function that only ``--handler`` describes."""


def plan_layers(config: ProjectConfig, targets: Targets, names: Collection[str], found: Found) -> Plan:
    """The named layers, or all of them. Raises UsageError for a name that is not configured, or not made here."""
    layers = _layers(config, targets, found)
    wanted = [layers[name] for name in _chosen(config, names, layers, "layer")]
    for layer in wanted:
        if isinstance(layer, ExternalPlan) and names:
            raise UsageError(f'the layer "{layer.name}" is {layer.arn}, which is published and not built here')
    made = tuple(replace(layer, may_be_empty=False) for layer in wanted if isinstance(layer, LayerPlan))
    if not made:
        raise UsageError("there is no layer to build: all that are configured are published already")
    if not config.layers and found.project is None:
        raise _nothing_told("the layer", config)
    return Plan(layers=made, functions=())


def plan_slim(config: ProjectConfig, targets: Targets, names: Collection[str], found: Found) -> Plan:
    """The named functions, or all of them, each slim, and the layers that they use."""
    functions = _functions(config, targets, names, found, kind="function")
    used = each_once(layer for function in functions for layer in function.attached_layers)
    return Plan(layers=used, functions=functions)


def plan_fat(config: ProjectConfig, targets: Targets, names: Collection[str], found: Found) -> Plan:
    """The named functions, or all of them, each with the content of its layers inside."""
    return Plan(layers=(), functions=_functions(config, targets, names, found, kind="fat-function"))


def _layers(config: ProjectConfig, targets: Targets, found: Found) -> dict[str, LayerPlan | ExternalPlan]:
    configured = config.layers or {DEFAULT_LAYER: LayerConfig(name=DEFAULT_LAYER)}
    return {
        name: _layer(config, layer, targets, found) if layer.external is None else _external(layer)
        for name, layer in configured.items()
    }


def _external(layer: LayerConfig) -> ExternalPlan:
    assert layer.external is not None
    return ExternalPlan(
        name=layer.name,
        arn=layer.external.arn,
        unzipped_size=layer.external.unzipped_size,
        distributions=layer.external.distributions,
        python=layer.python,
        architecture=layer.architecture,
    )


def _layer(config: ProjectConfig, layer: LayerConfig, targets: Targets, found: Found) -> LayerPlan:
    target = targets.of(layer.python, layer.architecture, owner=f"layers.{layer.name}")
    needs = _configured_needs(layer) or (NOTHING if layer.code else found.project)
    if needs is None and config.layers:
        raise _nothing_told(f"layers.{layer.name}", config)
    site_packages = f"python/lib/{target.runtime.name}/site-packages/"
    return LayerPlan(
        name=layer.name,
        target=target,
        others=_other_targets(config, layer, target, targets),
        needs=needs or NOTHING,
        code=layer.code,
        root=site_packages if (layer.layout or config.layout) == "site-packages" else "python/",
        sdk="runtime" if (layer.boto3 or config.boto3) == "runtime" else "bundle",
        may_be_empty=not config.layers,
        exclude=(*config.exclude, *layer.exclude),
        keep=(*config.keep, *layer.keep),
        gitignore=config.gitignore,
        slimming=config.slimming,
        transforms=config.transforms,
        users=tuple(_sources(config, one) for one in config.functions.values() if _may_use(config, one, layer.name)),
    )


def _other_targets(config: ProjectConfig, layer: LayerConfig, own: Target, targets: Targets) -> tuple[Target, ...]:
    """Those that a layer is for beside the one that it is built for."""
    owner = f"layers.{layer.name}"
    others = targets.others(own, layer.compatible_runtimes, owner=owner)
    if others and (layer.layout or config.layout) == "site-packages":
        raise UsageError(
            f'{owner}.compatible-runtimes: cannot stand beside layout = "site-packages", which one runtime alone reads',
            hint=f'{owner}.layout = "python"',
        )
    if others and config.transforms.bytecode == "compile":
        raise UsageError(
            f'{owner}.compatible-runtimes: cannot stand beside bytecode = "compile", which one runtime alone reads',
            hint='leave out bytecode = "compile", or make a layer for each runtime',
        )
    return others


def _nothing_told(what: str, config: ProjectConfig) -> UsageError:
    return UsageError(
        f"nothing tells what {what} needs: there is no [project] in pyproject.toml and no requirements.txt",
        hint='write requirements.txt, or requirements = ["NAME", …] below '
        + config.header(what if "." in what else "layers.NAME"),
    )


def _configured_needs(artifact: LayerConfig | FunctionConfig) -> Needs | None:
    if isinstance(artifact.requirements, str):
        return Required(file=artifact.requirements)
    if artifact.requirements is not None:
        return Required(lines=artifact.requirements)
    if artifact.pylock is not None:
        return LockFile(file=artifact.pylock)
    locked = Locked(
        package=artifact.package,
        extras=artifact.extras,
        groups=artifact.groups,
        only_groups=artifact.only_groups,
    )
    return locked if locked != Locked() else None


def _functions(
    config: ProjectConfig, targets: Targets, names: Collection[str], found: Found, *, kind: Kind
) -> tuple[FunctionPlan, ...]:
    if not config.functions:
        raise UsageError(
            "no function is configured",
            hint="name one on the command line: lambdabuild package --handler package.module.function\n"
            f'        or write {config.header("functions.NAME")} with handler = "package.module.function"',
        )
    layers = _layers(config, targets, found)
    wanted = (config.functions[name] for name in _chosen(config, names, config.functions, "function"))
    return tuple(_function(config, one, targets, layers, found, kind=kind) for one in wanted)


def _function(
    config: ProjectConfig,
    function: FunctionConfig,
    targets: Targets,
    layers: Mapping[str, LayerPlan | ExternalPlan],
    found: Found,
    *,
    kind: Kind,
) -> FunctionPlan:
    configured = _configured_needs(function)
    needs = configured or found.functions.get(function.name) or Locked()
    used = _used(config, function, needs, layers)
    plan = FunctionPlan(
        name=function.name,
        kind=kind,
        target=targets.of(function.python, function.architecture, owner=f"functions.{function.name}"),
        sources=_sources(config, function),
        needs=needs,
        attached=used if kind == "function" else (),
        bundled=() if kind == "function" else tuple(layer for layer in used if isinstance(layer, LayerPlan)),
        sdk=_sdk(function.boto3 or config.boto3, used, kind),
        exclude=(*config.exclude, *function.exclude),
        keep=(*config.keep, *function.keep),
        slimming=config.slimming,
        transforms=config.transforms,
        unused=found.unused.get(function.name) if configured is None else None,
    )
    for layer in used:
        if not layer.fits(plan.target):
            raise UsageError(
                f'the function "{plan.name}" is for {plan.target}, its layer "{layer.name}" for '
                f"{layer.described_target}",
                hint="a function and its layers share runtime and architecture: set python and architecture of one "
                "of the two",
            )
    return plan


def _sdk(boto3: Boto3 | None, used: Iterable[LayerPlan | ExternalPlan], kind: Kind) -> SdkChoice:
    """Whether the runtime's boto3 serves: as is said, else in a fat zip, or as the function's layers have it."""
    if boto3 is not None:
        return "runtime" if boto3 == "runtime" else "bundle"
    if any(isinstance(layer, LayerPlan) and layer.sdk == "runtime" for layer in used):
        return "runtime"
    return "unrequired" if kind == "fat-function" else "bundle"


def _sources(config: ProjectConfig, function: FunctionConfig) -> Sources:
    return Sources(
        owner=f"functions.{function.name}",
        handler=function.handler,
        source=function.source,
        folder=function.folder,
        reachable=(function.sources or (config.sources if function.has_choice else "all")) == "reachable",
        include=(*config.include, *function.include),
        exclude=(*config.exclude, *function.exclude),
        keep=(*config.keep, *function.keep),
        gitignore=config.gitignore if function.gitignore is None else function.gitignore,
    )


def _used(
    config: ProjectConfig,
    function: FunctionConfig,
    needs: Needs,
    layers: Mapping[str, LayerPlan | ExternalPlan],
) -> tuple[LayerPlan | ExternalPlan, ...]:
    """The layers of a function: those it names, else all that are configured, else the one of the project's
    dependencies when that is where its own come from."""
    if function.layers is not None:
        return tuple(layers[name] for name in function.layers)
    if config.layers or (isinstance(needs, Locked) and needs.folder is None):
        return tuple(layers.values())
    return ()


def _may_use(config: ProjectConfig, function: FunctionConfig, layer: str) -> bool:
    """Whether a function attaches a layer, unless what is found beside its handler says otherwise."""
    if function.layers is not None:
        return layer in function.layers
    return bool(config.layers) or isinstance(_configured_needs(function) or Locked(), Locked)


def _chosen(config: ProjectConfig, names: Collection[str], known: Collection[str], kind: str) -> list[str]:
    """The names, each once, in the order of the configuration; all of them when none is given."""
    problems = []
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            problems.append(
                f'no {kind} "{name}" is configured; '
                + (f'did you mean "{near[0]}"?' if near else f"the {kind}s are {', '.join(known)}")
            )
    if problems:
        raise UsageError("\n".join(problems), hint=f"see {config.header(f'{kind}s')}")
    return [name for name in known if not names or name in names]
