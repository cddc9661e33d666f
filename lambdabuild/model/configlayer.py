"""``[tool.lambdabuild.layers.NAME]``: a layer that is built, or an external one that a project only uses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Literal

from lambdabuild.model.configdependencies import (
    BOTO3,
    DEPENDENCY_KEYS,
    LOCK_KEYS,
    DependencyConfig,
    check_dependencies,
    find_pylock_problem,
    parse_requirements,
)
from lambdabuild.model.configvalues import (
    find_architecture_problem,
    find_artifact_name_problem,
    find_inner_path_problem,
    find_name_problem,
    find_path,
    find_pattern_problem,
    find_python,
    python_check,
)
from lambdabuild.model.requirements import normalized
from lambdabuild.model.typed import Table, quote
from lambdabuild.values import dataclass

Layout = Literal["python", "site-packages"]
LAYOUTS: tuple[Layout, ...] = ("python", "site-packages")

LAYER_KEYS = (
    *DEPENDENCY_KEYS,
    *("code", "layout", "python", "architecture", "compatible-runtimes", "exclude", "keep"),
    *("arn", "unzipped-size", "distributions"),
)
EXTERNAL_KEYS = ("arn", "unzipped-size", "distributions", "python", "architecture")
"""All that is said of a layer that is not built here."""

# https://docs.aws.amazon.com/lambda/latest/api/API_LayerVersionsListItem.html
_ARN = re.compile(r"arn:[A-Za-z0-9-]+:lambda:[A-Za-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+")
_PINNED = re.compile(r"(?P<name>[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?) *== *(?P<version>[^\s=*]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalLayer:
    """A layer that others published: what it takes of the limit, and what functions need not bring."""

    arn: str
    unzipped_size: int
    """In bytes."""
    distributions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Normalized name and version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerConfig(DependencyConfig):
    """A layer; one with nothing but a name holds the project's own dependencies.

    With ``code`` and no key of dependencies it holds that code alone.
    """

    name: str
    code: tuple[str, ...] = ()
    """Directories and files of the project, relative POSIX paths without ``.`` parts."""
    layout: Layout | None = None
    """None: unset, that is the project's."""
    python: str | None = None
    """The runtime's language version. None: unset, that is the project's."""
    architecture: str | None = None
    compatible_runtimes: tuple[str, ...] = ()
    """Language versions of all runtimes that it is for. Empty: of its own alone."""
    exclude: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    external: ExternalLayer | None = None
    """When set, the layer is not built, and of the rest only ``python`` and ``architecture`` may be set."""


def parse_layer(name: str, table: Table, pythons: Sequence[str]) -> LayerConfig:
    """One layer; its problems are noted in the table."""
    if problem := find_artifact_name_problem(name):
        table.note(problem)
    table.note_unknown(LAYER_KEYS)
    layer = LayerConfig(
        name=name,
        groups=table.texts("groups", find_name_problem),
        only_groups=table.texts("only-groups", find_name_problem),
        extras=table.texts("extras", find_name_problem),
        package=table.find_text("package", find_name_problem),
        requirements=parse_requirements(table),
        pylock=find_path(table, "pylock", find_pylock_problem),
        boto3=table.find_choice("boto3", BOTO3),
        code=tuple(str(PurePosixPath(path)) for path in table.texts("code", find_inner_path_problem)),
        layout=table.find_choice("layout", LAYOUTS),
        python=find_python(table, pythons),
        architecture=table.find_text("architecture", find_architecture_problem),
        compatible_runtimes=_parse_runtimes(table, pythons),
        exclude=table.texts("exclude", find_pattern_problem),
        keep=table.texts("keep", find_pattern_problem),
        external=_parse_external(table),
    )
    if "arn" in table.values:
        for key in LAYER_KEYS:
            if key in table.values and key not in EXTERNAL_KEYS:
                table.note("cannot stand beside arn; an external layer is used as it is", key)
        return layer
    check_dependencies(table)
    requirements = table.values.get("requirements")
    content = any(table.values.get(key) for key in ("code", "pylock", *LOCK_KEYS))
    if (requirements is False or requirements == []) and not content:
        table.note("neither dependencies nor code; leave requirements out, or write code = [...]")
    _check_code_names(table, layer.code)
    if len(layer.compatible_runtimes) > 1 and layer.layout == "site-packages":
        table.note('cannot stand beside layout = "site-packages", which one runtime alone reads', "compatible-runtimes")
    return layer


def _parse_runtimes(table: Table, pythons: Sequence[str]) -> tuple[str, ...]:
    texts = table.texts("compatible-runtimes", python_check(pythons))
    found = tuple(dict.fromkeys(text.removeprefix("python") for text in texts))
    if len(found) < len(texts):
        table.note("names a runtime twice", "compatible-runtimes")
    return found


def find_arn_problem(arn: str) -> str | None:
    """Of a layer's version: without one, what the layer holds could change."""
    if _ARN.fullmatch(arn):
        return None
    return (
        f"{quote(arn)} is not the ARN of a layer's version; "
        "write it like arn:PARTITION:lambda:REGION:ACCOUNT:layer:NAME:VERSION"
    )


def find_pinned_problem(text: str) -> str | None:
    """Of a distribution that an external layer brings."""
    from packaging.version import InvalidVersion, Version  # for who has external layers

    match = _PINNED.fullmatch(text.strip(" "))
    try:
        Version(match["version"] if match else "")
    except InvalidVersion:
        return f"{quote(text)} is not one version of a distribution; write it like {quote('numpy==2.2.6')}"
    return None


def _parse_external(table: Table) -> ExternalLayer | None:
    arn = table.find_text("arn", find_arn_problem)
    size = table.find_integer("unzipped-size", least=1)
    distributions = _parse_distributions(table)
    if "arn" not in table.values:
        for key in ("unzipped-size", "distributions"):
            if key in table.values:
                table.note(f"says what an external layer holds; write arn = {quote('ARN')} too", key)
    elif "unzipped-size" not in table.values:
        table.note("missing; write the bytes that the external layer takes of Lambda's limit", "unzipped-size")
    return ExternalLayer(arn=arn, unzipped_size=size, distributions=distributions) if arn and size else None


def _parse_distributions(table: Table) -> Mapping[str, str]:
    distributions: dict[str, str] = {}
    for text in table.texts("distributions", find_pinned_problem):
        from packaging.version import Version

        written, _, version = text.partition("==")
        name = normalized(written.strip())
        if name in distributions:
            table.note(f"{name} is listed twice", "distributions")
        distributions[name] = str(Version(version))
    return MappingProxyType(distributions)


def _check_code_names(table: Table, paths: Sequence[str]) -> None:
    owners: dict[str, str] = {}
    for path in paths:
        basename = PurePosixPath(path).name
        if basename in owners:
            table.note(f"{quote(owners[basename])} and {quote(path)} would both become {quote(basename)}", "code")
        owners.setdefault(basename, path)
