"""``[tool.lambdabuild.functions]``: functions that have a table each, and those that one table describes together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import PurePosixPath

from lambdabuild.model.configdependencies import SOURCE_KEYS
from lambdabuild.model.configfunction import FUNCTION_KEYS, FunctionConfig, parse_function, split_folder
from lambdabuild.model.configvalues import find_artifact_name_problem, find_handler_syntax_problem, find_path_problem
from lambdabuild.model.handler import split_handler
from lambdabuild.model.typed import Table, quote
from lambdabuild.values import dataclass

ANY = "*"
"""The name of the table that describes many functions."""
DEFAULT_HANDLER = "app.handler"
_MOST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """What there is for a pattern, as paths relative to the project."""

    found: tuple[str, ...] = ()
    """Folders with the handler's module."""
    passed: tuple[str, ...] = ()
    """Folders with other modules."""
    near: str | None = None
    """The pattern that was probably meant by one that names nothing."""


ListFolders = Callable[[str, str], Folders]
"""Gives the folders for a pattern and the path of a module, without suffix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Functions:
    """All functions, those with a table first, and the folders that were passed over."""

    by_name: dict[str, FunctionConfig] = field(default_factory=dict)
    passed: tuple[str, ...] = ()
    """Messages."""


def parse_functions(parent: Table, pythons: Sequence[str], list_folders: ListFolders) -> Functions:
    """The functions of a table of tables; problems are noted in it."""
    tables = parent.tables("functions")
    many = tables.pop(ANY, None)
    for name, table in tables.items():
        if "from" in table.values:
            table.note(f"is for [{'.'.join((*parent.keys, 'functions'))}.{quote(ANY)}], which describes many", "from")
            tables[name] = _with(table, {key: value for key, value in table.values.items() if key != "from"})
    if many is None:
        return Functions(by_name={name: parse_function(name, table, pythons) for name, table in tables.items()})
    noted = len(many.problems)
    pattern, template = _parse_template(many, pythons)
    listed = list_folders(pattern, split_handler(str(template["handler"]))[0]) if len(many.problems) == noted else None
    folders = _choose(many, listed, tables) if listed is not None else {}
    by_name = {}
    for name, table in tables.items():
        merges = name in folders or ("handler" not in table.values and listed is None)
        values = _merged(template, table.values, folders.get(name, ".")) if merges else table.values
        by_name[name] = parse_function(name, _with(table, values), pythons)
    for name, folder in folders.items():
        if name not in by_name:
            values = {**template, "folder": folder}
            by_name[name] = parse_function(name, _with(many, values, keys=(*many.keys[:-1], name)), pythons)
    module = f"{split_handler(str(template['handler']))[0]}.py"
    passed = [folder for folder in listed.passed if folder not in folders.values()] if listed is not None else []
    claimed = {one.folder for one in by_name.values()}
    return Functions(
        by_name=by_name,
        passed=tuple(f"{one} has no {module}, so it is no function" for one in passed if one not in claimed),
    )


def _parse_template(many: Table, pythons: Sequence[str]) -> tuple[str, dict[str, object]]:
    """The pattern, and what each of its folders is to say of itself, with its handler."""
    many.note_unknown(("from", *FUNCTION_KEYS))
    if "from" not in many.values:
        many.note(f"missing; write from = {quote('functions/*')}", "from")
    pattern = many.find_text("from", find_from_problem) or ""
    for key in ("folder", "source"):
        if key in many.values:
            many.note("cannot stand beside from, which names the folders", key)
    handler = many.find_text("handler", find_handler_syntax_problem) or DEFAULT_HANDLER
    own = ("from", "folder", "source", "handler")
    values = {key: value for key, value in many.values.items() if key not in own and key in FUNCTION_KEYS}
    template = {**values, "handler": handler}
    parse_function("any", _with(many, {**template, "folder": "."}), pythons)
    return pattern, template


def find_from_problem(pattern: str) -> str | None:
    """A pattern of folders in the project."""
    problem = find_path_problem(pattern)
    if problem is None and "**" in pattern:
        return f"{quote(pattern)} has ** in it; a * stands for one folder, as in {quote('services/*/functions/*')}"
    if problem is None and pattern.endswith(".py"):
        return f"{quote(pattern)} names files; each function is a folder, as in {quote('functions/*')}"
    return problem


def _choose(many: Table, listed: Folders, tables: Mapping[str, Table]) -> dict[str, str]:
    """The folders that become functions, by name: those that no function with a table of its own is made of."""
    claimed = {folder for table in tables.values() if (folder := _own_folder(table)) is not None}
    if not listed.found:
        many.note(_nothing_found(str(many.values.get("from")), listed), "from")
    folders: dict[str, str] = {}
    for folder in sorted((*listed.found, *listed.passed)):
        name = PurePosixPath(folder).name
        if folder in listed.passed and "handler" not in (tables[name].values if name in tables else ()):
            continue
        way_out = f"give it a table with a name of its own and folder = {quote(folder)}"
        if not folder.isprintable():
            way_out = "rename it"  # bytes that are no UTF-8, which no table can name
        if folder in claimed:
            continue
        if find_artifact_name_problem(name):
            many.note(f"{quote(folder)}: {find_artifact_name_problem(name)}; {way_out}", "from")
        elif name in folders:
            many.note(f"{quote(folders[name])} and {quote(folder)} would both be {quote(name)}; {way_out}", "from")
        elif name in tables and _own_folder(tables[name]) is not None:
            many.note(f"{quote(folder)} would be {quote(name)}, which has a folder of its own; {way_out}", "from")
        else:
            folders[name] = folder
    return folders


def _nothing_found(pattern: str, listed: Folders) -> str:
    if listed.near is not None:
        return f"{quote(pattern)} names no folder; did you mean {quote(listed.near)}?"
    if not listed.passed:
        return f"{quote(pattern)} names no folder with a handler's module in it"
    shown = ", ".join(listed.passed[:_MOST]) + ", …" * (len(listed.passed) > _MOST)
    return f"{quote(pattern)} names no folder with the handler's module; these have others: {shown}"


def _own_folder(table: Table) -> str | None:
    """What the table of one function says of its folder; empty where it says something else of its sources."""
    folder, handler = table.values.get("folder"), table.values.get("handler")
    short = split_folder(handler)[0] if isinstance(handler, str) else None
    if isinstance(folder, str) or short is not None:
        return short or str(PurePosixPath(str(folder)))
    return "" if "source" in table.values or (isinstance(handler, str) and "/" in handler) else None


def _merged(template: Mapping[str, object], own: Mapping[str, object], folder: str) -> dict[str, object]:
    """What is said of many, with what one says of itself in its place; dependencies come from one place."""
    kept = template
    if any(key in own for key in SOURCE_KEYS):
        kept = {key: value for key, value in template.items() if key not in SOURCE_KEYS}
    return {**kept, **own, "folder": folder}


def _with(table: Table, values: Mapping[str, object], *, keys: tuple[str, ...] | None = None) -> Table:
    return Table(values=values, path=table.path, problems=table.problems, keys=table.keys if keys is None else keys)
