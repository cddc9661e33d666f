"""What ``[tool.lambdabuild]`` says, as frozen values; all its mistakes at once. See ``docs/configuration.md``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field
from types import MappingProxyType

from lambdabuild.errors import ConfigError
from lambdabuild.model.choices import BUILDERS, UPLOADS, Upload
from lambdabuild.model.configbuild import BuildConfig, parse_build
from lambdabuild.model.configdependencies import BOTO3, Boto3
from lambdabuild.model.configfunction import FUNCTION_KEYS, SOURCES, FunctionConfig, Sources
from lambdabuild.model.configlayer import LAYER_KEYS, LAYOUTS, ExternalLayer, LayerConfig, Layout, parse_layer
from lambdabuild.model.configmany import Folders, ListFolders, parse_functions
from lambdabuild.model.configvalues import (
    find_architecture_problem,
    find_image_problem,
    find_name_problem,
    find_output_problem,
    find_pattern_problem,
    find_python,
    find_requires_python_problem,
)
from lambdabuild.model.limits import MAX_LAYERS
from lambdabuild.model.treatment import BYTECODE, COMPRESSION, MODES, Slimming, Transforms
from lambdabuild.model.typed import Table, find_near, quote, quote_all
from lambdabuild.values import dataclass

__all__ = (
    "DEFAULT_ARCHITECTURE",
    "DEFAULT_LAYER",
    "DEFAULT_OUTPUT",
    "FUNCTION_KEYS",
    "LAYER_KEYS",
    "PROJECT_KEYS",
    "ExternalLayer",
    "FunctionConfig",
    "LayerConfig",
    "ProjectConfig",
    "parse_config",
)

DEFAULT_ARCHITECTURE = "x86_64"
DEFAULT_OUTPUT = "dist/lambda"
DEFAULT_LAYER = "layer"
"""The layer of a project that configures none: the project's own dependencies."""

PROJECT_KEYS = (
    *("python", "architecture", "output", "builder", "image", "upload"),
    *("dist-info", "tests", "strip-symbols", "bytecode", "compression", "strict"),
    *("gitignore", "include", "exclude", "keep", "sources", "boto3", "layout"),
    *("build", "layers", "functions"),
)
RENAMED = {"direct-upload": f"upload, which is {quote('direct')} or {quote('s3')}"}
"""What keys of earlier versions are written as now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectConfig:
    """A project and its ``[tool.lambdabuild]``; layers and functions in the order of the file."""

    name: str = ""
    """Empty without a ``[project]`` table."""
    own_file: bool = False
    """Whether it stands in a ``lambdabuild.toml``."""
    requires_python: str | None = None
    python: str | None = None
    """The runtime's language version, ``"3.13"``. None: unset."""
    architecture: str = DEFAULT_ARCHITECTURE
    output: str = DEFAULT_OUTPUT
    builder: str | None = None
    """One of ``BUILDERS``. None: unset."""
    image: str | None = None
    """An image reference in which ``{python}`` and ``{architecture}`` are yet to be filled in. None: unset."""
    upload: Upload | None = None
    """How the archives come to Lambda. None: unset."""
    gitignore: bool = True
    """Whether what git ignores is left out of sources."""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    sources: Sources = "all"
    """Of functions that are modules of the project, unless they say it themselves."""
    boto3: Boto3 | None = None
    """Of layers and functions that do not say it themselves. None: unset."""
    layout: Layout = "python"
    """Of layers that do not say it themselves."""
    slimming: Slimming = Slimming()
    transforms: Transforms = Transforms()
    build: BuildConfig = BuildConfig()
    strict: bool = False
    """Whether what the path lint warns of is an error."""
    layers: Mapping[str, LayerConfig] = field(default_factory=lambda: MappingProxyType({}))
    functions: Mapping[str, FunctionConfig] = field(default_factory=lambda: MappingProxyType({}))
    passed: tuple[str, ...] = ()
    """What is said of folders that a pattern of functions names, and that are none."""

    def header(self, key: str) -> str:
        """Where a table of the configuration stands, for hints."""
        return f"[{key}] in lambdabuild.toml" if self.own_file else f"[tool.lambdabuild.{key}] in pyproject.toml"


def parse_config(
    document: Mapping[str, object],
    *,
    pythons: Sequence[str],
    path: str = "pyproject.toml",
    own: Mapping[str, object] | None = None,
    own_path: str = "lambdabuild.toml",
    list_folders: ListFolders = lambda pattern, module: Folders(),
) -> ProjectConfig:
    """The configuration in a parsed ``pyproject.toml``, for runtimes of the language versions ``pythons``.

    ``own`` is a parsed ``lambdabuild.toml``, which stands in for ``[tool.lambdabuild]``; ``list_folders`` tells what
    there is for a pattern of functions. Raises ConfigError with every problem, each one line that begins with the path
    and the key.
    """
    problems: list[str] = []
    root = Table(values=document, path=path, problems=problems)
    name, requires_python = _parse_project(root)
    table = root.table("tool").table("lambdabuild")
    if own is not None:
        values = {key: value for key, value in own.items() if key != "tool"}
        table = Table(values=values, path=own_path, problems=problems)
        if "tool" in own:
            table.note("the keys of [tool.lambdabuild] stand at the top of this file; leave the header out", "tool")
    table.note_unknown(PROJECT_KEYS, renamed=RENAMED)
    python = find_python(table, pythons)
    architecture = table.find_text("architecture", find_architecture_problem)
    output = table.find_text("output", find_output_problem)
    builder = table.find_choice("builder", BUILDERS)
    image = table.find_text("image", find_image_problem)
    upload = table.find_choice("upload", UPLOADS)
    gitignore = table.find_flag("gitignore") is not False
    include, exclude, keep = (table.texts(key, find_pattern_problem) for key in ("include", "exclude", "keep"))
    sources = table.find_choice("sources", SOURCES) or "all"
    boto3 = table.find_choice("boto3", BOTO3)
    layout = table.find_choice("layout", LAYOUTS) or "python"
    slimming = Slimming(
        dist_info=table.find_choice("dist-info", MODES) or "auto", tests=table.find_choice("tests", MODES) or "auto"
    )
    transforms = Transforms(
        strip_symbols=table.find_flag("strip-symbols") or False,
        bytecode=table.find_choice("bytecode", BYTECODE) or "strip",
        compression=table.find_choice("compression", COMPRESSION) or "fast",
    )
    strict = table.find_flag("strict") or False
    build = parse_build(table.table("build"))
    layers = {name: parse_layer(name, layer, pythons) for name, layer in table.tables("layers").items()}
    functions = parse_functions(table, pythons, list_folders)
    _check_layers_of_functions(table, functions.by_name)
    _check_archives(table, layers, tuple(functions.by_name))
    if problems:
        raise ConfigError(tuple(problems))
    return ProjectConfig(
        name=name,
        own_file=own is not None,
        requires_python=requires_python,
        python=python,
        architecture=architecture or DEFAULT_ARCHITECTURE,
        output=output or DEFAULT_OUTPUT,
        builder=builder,
        image=image,
        upload=upload,
        gitignore=gitignore,
        include=include,
        exclude=exclude,
        keep=keep,
        sources=sources,
        boto3=boto3,
        layout=layout,
        slimming=slimming,
        transforms=transforms,
        build=build,
        strict=strict,
        layers=MappingProxyType(layers),
        functions=MappingProxyType(functions.by_name),
        passed=functions.passed,
    )


def _parse_project(root: Table) -> tuple[str, str | None]:
    if "project" not in root.values:
        return "", None
    project = root.table("project")
    if "name" not in project.values and isinstance(root.values["project"], Mapping):
        project.note("missing; a [project] table needs a name", "name")
    name = project.find_text("name", find_name_problem)
    return name or "", project.find_text("requires-python", find_requires_python_problem)


def _check_layers_of_functions(table: Table, functions: Mapping[str, FunctionConfig]) -> None:
    """Each names known layers, once, and not more than Lambda allows."""
    layers = table.values.get("layers", {})
    if not isinstance(layers, Mapping):
        return  # noted already
    known = tuple(layers) or (DEFAULT_LAYER,)
    for function in functions.values():
        keys = ("functions", function.name, "layers")
        if function.layers is None:
            if len(known) > MAX_LAYERS:
                table.note(f"unset, which means all {len(known)} layers; a function has at most {MAX_LAYERS}", *keys)
            continue
        if len(function.layers) > MAX_LAYERS:
            table.note(f"{len(function.layers)} layers; a function has at most {MAX_LAYERS}", *keys)
        for name, count in Counter(function.layers).items():
            if name not in known:
                near = find_near(name, known)
                advice = f"did you mean {quote(near)}?" if near else f"known layers: {quote_all(known)}"
                table.note(f"there is no layer {quote(name)}; {advice}", *keys)
            elif count > 1:
                table.note(f"{quote(name)} is listed {count} times", *keys)


def _check_archives(table: Table, layers: Mapping[str, LayerConfig], functions: tuple[str, ...]) -> None:
    """No two archives have one file name, also where file names ignore case; an external layer has no archive."""
    built = [name for name, layer in layers.items() if layer.external is None]
    archives = [(name, f"layer {quote(name)}", ("layers", name)) for name in built]
    if not layers:
        archives = [(DEFAULT_LAYER, "the default layer", ("layers", DEFAULT_LAYER))]
    # Of functions whose own names collide, only the first has its fat archive looked at: one problem is enough.
    fat = {name.lower(): name for name in functions[::-1]}
    archives += [(f"{name}-fat", f"the fat function {quote(name)}", ("functions", name)) for name in fat.values()]
    archives += [(name, f"function {quote(name)}", ("functions", name)) for name in functions]
    owners: dict[str, tuple[str, str]] = {}
    for archive, owner, keys in archives:
        first, first_owner = owners.setdefault(archive.lower(), (archive, owner))
        if first_owner != owner:
            caseless = "" if first == archive else ", where file names ignore case"
            table.note(f"{archive}.zip would also be the archive of {first_owner}{caseless}; rename one", *keys)
