"""``[tool.lambdabuild.functions.NAME]``: a function, its sources and its dependencies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Literal

from lambdabuild.model.configdependencies import (
    BOTO3,
    DEPENDENCY_KEYS,
    DependencyConfig,
    check_dependencies,
    find_pylock_problem,
    parse_requirements,
)
from lambdabuild.model.configvalues import (
    find_architecture_problem,
    find_artifact_name_problem,
    find_handler_syntax_problem,
    find_name_problem,
    find_path,
    find_path_problem,
    find_pattern_problem,
    find_python,
)
from lambdabuild.model.functionenv import find_variable_name_problem, find_variable_problem
from lambdabuild.model.typed import Table, quote
from lambdabuild.values import dataclass

Sources = Literal["all", "reachable"]
SOURCES: tuple[Sources, ...] = ("all", "reachable")

FUNCTION_KEYS = (
    *("handler", "source", "folder", "sources", "include", "exclude", "keep", "gitignore"),
    *("layers", "python", "architecture", "verify"),
    *DEPENDENCY_KEYS,
)
VERIFY_KEYS = ("env",)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionConfig(DependencyConfig):
    """A function; ``folder`` and ``source`` exclude each other."""

    name: str
    handler: str
    """``package.module.function``, or ``dir/module.function``, which without ``folder`` is a single file."""
    source: str | None = None
    """A directory of the project, a relative POSIX path; ``"."`` is the project itself. None: unset."""
    folder: str | None = None
    """A directory of which all is packaged, as ``source`` is written; also what stands before ``::``. None: unset."""
    sources: Sources | None = None
    """None: unset, that is the project's where it is for such a function."""
    include: tuple[str, ...] = ()
    """When not empty: only files that one of these patterns names."""
    exclude: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    gitignore: bool | None = None
    """Whether what git ignores is left out. None: unset, that is the project's."""
    layers: tuple[str, ...] | None = None
    """None: unset, that is all configured layers, or the default layer."""
    python: str | None = None
    """The runtime's language version. None: unset, that is the project's."""
    architecture: str | None = None
    verify_env: tuple[tuple[str, str], ...] = ()
    """Names and values: what the environment has while the function is tried, besides Lambda's own."""
    described: bool = False
    """Whether only the command line tells of it, and no table."""

    @property
    def has_choice(self) -> bool:
        """Whether it is a module of the project, of which not all need be packaged; not a folder or a single file."""
        return self.folder is None and (self.source is not None or "/" not in self.handler)


def parse_function(name: str, table: Table, pythons: Sequence[str]) -> FunctionConfig:
    """One function; its problems are noted in the table."""
    if problem := find_artifact_name_problem(name):
        table.note(problem)
    table.note_unknown(FUNCTION_KEYS)
    if "handler" not in table.values:
        table.note('missing; write handler = "package.module.function"', "handler")
    written = table.find_text("handler", find_long_handler_problem) or ""
    short_folder, handler = split_folder(written)
    folder = find_path(table, "folder", find_path_problem)
    function = FunctionConfig(
        name=name,
        handler=handler,
        source=find_path(table, "source", find_path_problem),
        folder=short_folder or folder,
        sources=table.find_choice("sources", SOURCES),
        include=table.texts("include", find_pattern_problem),
        exclude=table.texts("exclude", find_pattern_problem),
        keep=table.texts("keep", find_pattern_problem),
        gitignore=table.find_flag("gitignore"),
        layers=table.texts("layers") if "layers" in table.values else None,
        python=find_python(table, pythons),
        architecture=table.find_text("architecture", find_architecture_problem),
        verify_env=_parse_verify_env(table.table("verify")),
        groups=table.texts("groups", find_name_problem),
        only_groups=table.texts("only-groups", find_name_problem),
        extras=table.texts("extras", find_name_problem),
        package=table.find_text("package", find_name_problem),
        requirements=parse_requirements(table),
        pylock=find_path(table, "pylock", find_pylock_problem),
        boto3=table.find_choice("boto3", BOTO3),
    )
    check_dependencies(table)
    _check_folder(table, short_folder)
    _check_sources(table, function)
    return function


def _parse_verify_env(verify: Table) -> tuple[tuple[str, str], ...]:
    verify.note_unknown(VERIFY_KEYS)
    env = verify.table("env")
    found = []
    for name in env.values:
        value = env.find_text(name, find_variable_problem)
        if problem := find_variable_name_problem(name):
            env.note(problem, name)
        elif value is not None:
            found.append((name, value))
    return tuple(sorted(found))


def split_folder(handler: str) -> tuple[str | None, str]:
    """``folder::module.function`` in two; any other handler is alone."""
    folder, separator, rest = handler.partition("::")
    return (str(PurePosixPath(folder)), rest) if separator else (None, handler)


def find_long_handler_problem(handler: str) -> str | None:
    """As any handler, or with the function's folder: ``folder::module.function``."""
    folder, separator, rest = handler.partition("::")
    if separator:
        if folder and not find_handler_syntax_problem(rest):
            return find_path_problem(folder)
        meant = f"{folder.removesuffix('.py')}.{rest}"
        if not find_handler_syntax_problem(meant):
            return f"{quote(handler)} is not a handler; did you mean {quote(meant)}?"
        return f'{quote(handler)} is not a handler; write "folder::module.function"'
    folder, separator, rest = handler.partition(":")
    if separator and folder and not find_handler_syntax_problem(rest):
        return f"{quote(handler)} is not a handler; did you mean {quote(f'{folder}::{rest}')}?"
    return find_handler_syntax_problem(handler)


def _check_folder(table: Table, short_folder: str | None) -> None:
    """The folder is told once, and nothing else is told of where the sources are."""
    if short_folder is not None:
        for key in ("folder", "source"):
            if key in table.values:
                table.note(f"cannot stand beside a handler that names its folder, {quote(short_folder)}", key)
    elif "folder" in table.values and "source" in table.values:
        table.note("cannot stand beside source; folder alone says what is packaged", "folder")


def _check_sources(table: Table, function: FunctionConfig) -> None:
    """Imports are followed from a module of the project, not in what is packaged whole or alone anyway."""
    if function.sources != "reachable":
        return
    if function.folder is not None:
        table.note(f"{quote('reachable')} is not for a folder, of which all files are packaged", "sources")
    elif "/" in function.handler and "source" not in table.values:
        table.note(
            f"{quote('reachable')} is not for a single file, which is packaged alone; "
            'write handler = "package.module.function", or say with source where its imports are looked for',
            "sources",
        )
