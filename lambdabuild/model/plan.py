"""From configuration and request to what is to be made. After planning no option is left to look at."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet

from lambdabuild.errors import UsageError
from lambdabuild.model.config import DEFAULT_LAYER, FunctionConfig, LayerConfig, ProjectConfig
from lambdabuild.model.requirements import Selection
from lambdabuild.model.target import Runtime, Target, find_runtime

DEFAULT_FUNCTION = "function"
"""The name of a function that only ``--handler`` describes."""
_NEWEST_PATCH = 99


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPlan:
    """A layer: the distributions of a selection and code of the project, below ``python/``."""

    name: str
    selection: Selection
    code: tuple[str, ...]
    exclude: tuple[str, ...]
    keep: tuple[str, ...]

    @property
    def file(self) -> str:
        return f"{self.name}.zip"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionPlan:
    """A function's archive; ``bundled`` layers are inside it (fat), the others are attached to it (slim)."""

    name: str
    handler: str
    source: str | None
    attached: tuple[LayerPlan, ...]
    bundled: tuple[LayerPlan, ...]
    exclude: tuple[str, ...]
    keep: tuple[str, ...]

    @property
    def file(self) -> str:
        return f"{self.name}-fat.zip" if self.bundled else f"{self.name}.zip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that one run makes, for one target."""

    target: Target
    layers: tuple[LayerPlan, ...]
    functions: tuple[FunctionPlan, ...]

    @property
    def separate_layers(self) -> tuple[LayerPlan, ...]:
        """The layers that are made and those that functions are attached to, each once."""
        return _each_once((*self.layers, *(layer for function in self.functions for layer in function.attached)))

    @property
    def all_layers(self) -> tuple[LayerPlan, ...]:
        """Those and the ones whose content goes into a function."""
        bundled = (layer for function in self.functions for layer in function.bundled)
        return _each_once((*self.separate_layers, *bundled))


def plan_layers(config: ProjectConfig, target: Target, names: Collection[str]) -> Plan:
    """The named layers, or all of them. Raises UsageError for a name that is not configured."""
    layers = _layers(config)
    wanted = _chosen(names, layers, "layer")
    return Plan(target=target, layers=tuple(layers[name] for name in wanted), functions=())


def plan_slim(config: ProjectConfig, target: Target, names: Collection[str]) -> Plan:
    """The named functions, or all of them, each slim, and the layers that they use."""
    layers = _layers(config)
    functions = tuple(
        _function(config, function, attached=_used(function, layers), bundled=())
        for function in _functions(config, names)
    )
    used = _each_once(layer for function in functions for layer in function.attached)
    return Plan(target=target, layers=used, functions=functions)


def plan_fat(config: ProjectConfig, target: Target, names: Collection[str]) -> Plan:
    """The named functions, or all of them, each with the content of its layers inside."""
    layers = _layers(config)
    functions = tuple(
        _function(config, function, attached=(), bundled=_used(function, layers))
        for function in _functions(config, names)
    )
    return Plan(target=target, layers=(), functions=functions)


def _each_once(layers: Iterable[LayerPlan]) -> tuple[LayerPlan, ...]:
    return tuple({layer.name: layer for layer in layers}.values())


def choose_runtime(
    runtimes: Sequence[Runtime], *, asked: str | None, version_file: str | None, requires_python: str | None
) -> Runtime:
    """The runtime to build for: what was asked for, else ``.python-version``, else the newest that is allowed.

    Raises UsageError when Lambda has no such runtime or the project's requires-python excludes it.
    """
    allowed = SpecifierSet(requires_python or "")
    fitting = [runtime for runtime in runtimes if _allows(allowed, runtime)]
    if asked is None and version_file is not None and find_runtime(fitting, version_file) is not None:
        asked = version_file
    if asked is None:
        if not fitting:
            raise UsageError(
                f'requires-python = "{requires_python}" allows none of Lambda\'s runtimes ({_pythons(runtimes)})',
                hint="widen requires-python in pyproject.toml",
            )
        return fitting[-1]
    runtime = find_runtime(runtimes, asked)
    if runtime is None:
        raise UsageError(f"Lambda has no Python {asked} runtime", hint=f"choose one of {_pythons(runtimes)}")
    if runtime not in fitting:
        raise UsageError(
            f'python {runtime.python} is excluded by requires-python = "{requires_python}"',
            hint=f"choose one of {_pythons(fitting)}" if fitting else "widen requires-python in pyproject.toml",
        )
    return runtime


def _allows(requires_python: SpecifierSet, runtime: Runtime) -> bool:
    """Whether some patch release of the runtime's Python is allowed; Lambda runs the newest ones."""
    return any(requires_python.contains(f"{runtime.python}.{patch}") for patch in range(_NEWEST_PATCH))


def _pythons(runtimes: Iterable[Runtime]) -> str:
    return ", ".join(runtime.python for runtime in runtimes)


def _layers(config: ProjectConfig) -> dict[str, LayerPlan]:
    configured = config.layers or {DEFAULT_LAYER: LayerConfig(name=DEFAULT_LAYER)}
    return {
        name: LayerPlan(
            name=name,
            selection=Selection(extras=layer.extras, groups=layer.groups, only_groups=layer.only_groups),
            code=layer.code,
            exclude=(*config.exclude, *layer.exclude),
            keep=(*config.keep, *layer.keep),
        )
        for name, layer in configured.items()
    }


def _functions(config: ProjectConfig, names: Collection[str]) -> list[FunctionConfig]:
    if not config.functions:
        raise UsageError(
            "no function is configured",
            hint="name one on the command line: lambdabuild package --handler package.module.function\n"
            "        or in pyproject.toml: [tool.lambdabuild.functions.NAME] with handler = "
            '"package.module.function"',
        )
    return [config.functions[name] for name in _chosen(names, config.functions, "function")]


def _function(
    config: ProjectConfig,
    function: FunctionConfig,
    *,
    attached: tuple[LayerPlan, ...],
    bundled: tuple[LayerPlan, ...],
) -> FunctionPlan:
    return FunctionPlan(
        name=function.name,
        handler=function.handler,
        source=function.source,
        attached=attached,
        bundled=bundled,
        exclude=(*config.exclude, *function.exclude),
        keep=(*config.keep, *function.keep),
    )


def _used(function: FunctionConfig, layers: dict[str, LayerPlan]) -> tuple[LayerPlan, ...]:
    names = tuple(layers) if function.layers is None else function.layers
    return tuple(layers[name] for name in names)


def _chosen(names: Collection[str], known: Collection[str], kind: str) -> list[str]:
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
        raise UsageError("\n".join(problems), hint=f"see [tool.lambdabuild.{kind}s] in pyproject.toml")
    return [name for name in known if not names or name in names]
