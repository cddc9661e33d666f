"""What the project has of what a function's archive lacks, and how it comes into it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from lambdabuild.errors import LambdaBuildError
from lambdabuild.model.handler import split_handler
from lambdabuild.model.hints import Advice
from lambdabuild.model.needs import Locked, LockFile, Needs, Script
from lambdabuild.model.plan import FunctionPlan
from lambdabuild.model.removal import keep_line, keep_pattern
from lambdabuild.model.typed import key_path, quote
from lambdabuild.pipeline.order import Order
from lambdabuild.sourcefiles import each_module, judge_file, survey
from lambdabuild.steps.collect import find_handler


def advice_for(function: FunctionPlan, order: Order) -> Advice:
    """Of a function; nothing is looked at before it is asked for."""
    return Advice(
        module=partial(_of_module, function, order),
        file=partial(_of_file, function, order),
        dependencies=_where_to_add(function, order),
    )


def _of_module(function: FunctionPlan, order: Order, module: str) -> str | None:
    path = module.replace(".", "/")
    return _of_any(function, order, [f"{path}.py", f"{path}/__init__.py", path], module=module)


def _of_file(function: FunctionPlan, order: Order, path: str) -> str | None:
    return _of_any(function, order, [path], module=None)


def _of_any(function: FunctionPlan, order: Order, paths: list[str], *, module: str | None) -> str | None:
    """A hint about the first of these paths, relative to the archive's root, that there is in the project."""
    project, sources = order.project, function.sources
    try:
        handler = find_handler(project, sources, function.target)
    except LambdaBuildError:
        return None
    inside = split_handler(sources.handler)[0].split("/")
    lies_at = handler.parent if handler.name == "__init__.py" else handler.with_suffix("")
    base = lies_at.parents[len(inside) - 1]
    table = f"[{key_path(('tool', 'lambdabuild', 'functions', function.name))}]"
    found = _first(base, paths)
    if found is not None:
        return _of_root(function, order, base, found, table=table + _handler_for(function, order))
    found = _first(lies_at.parent, paths) if lies_at.parent != base else None
    if found is not None:
        shown, whole = found.relative_to(project).as_posix(), sources.source is not None or sources.folder is not None
        if whole:
            dotted = ".".join((*lies_at.parent.relative_to(base).parts, module or ""))
            return f"{shown} is not at the root of the archive: import it as {dotted}" if module else None
        name = f"{lies_at.parent.relative_to(project).as_posix()}::{inside[-1]}.{split_handler(sources.handler)[1]}"
        packages = f"handler = {quote(name)} in {table} packages its folder as the root"
        return f"{shown} is not at the root of the archive: {packages}"
    return _of_others(function, order, base, paths, module=module)


def _handler_for(function: FunctionPlan, order: Order) -> str:
    """What else a table needs that does not stand there yet."""
    own, sources = order.config.functions.get(function.name), function.sources
    if own is None or not own.described:
        return ""
    handler = sources.handler if sources.folder is None else f"{sources.folder}::{sources.handler}"
    return f" with handler = {quote(handler)}"


def _of_others(function: FunctionPlan, order: Order, base: Path, paths: list[str], *, module: str | None) -> str | None:
    """A module with a similar name, or in another folder."""
    if module is None:
        return None
    cased = next(_cased(base, paths[0]), None)
    if cased is not None:
        return f"did you mean {quote(cased)}? Lambda tells upper and lower case in names of modules apart"
    return _of_elsewhere(function, order, paths)


def _of_root(function: FunctionPlan, order: Order, base: Path, found: Path, *, table: str) -> str | None:
    """Something that lies where the archive's root is taken from, and is not in it."""
    project, sources = order.project, function.sources
    shown, relative = found.relative_to(project).as_posix(), found.relative_to(base).as_posix()
    whole = sources.source is not None or sources.folder is not None
    ground = survey(
        project,
        base,
        base,
        include=sources.include,
        exclude=sources.exclude,
        keep=sources.keep,
        gitignore=sources.gitignore,
    )
    standing = judge_file(ground, found)
    keep = keep_line([keep_pattern(relative)])
    reason = standing.dropped or "include, which does not name it"
    top = split_handler(sources.handler)[0].partition("/")[0]
    if whole or ("/" not in sources.handler and relative.partition("/")[0] == top):
        return None if standing.taken else f"{shown} is left out by {reason}: {keep} in {table} takes it"
    source = f'source = "{base.relative_to(project).as_posix()}"'
    and_keep = "" if standing.taken else f" and {keep}, since {reason} leaves it out,"
    return f"{shown} is not packaged: {source}{and_keep} in {table} packages what lies beside the handler"


def _of_elsewhere(function: FunctionPlan, order: Order, paths: list[str]) -> str | None:
    """A module in another folder of the project, which a layer can bring."""
    project = order.project
    wanted = tuple(f"/{path}" for path in paths[:2])
    output = order.output.resolve()
    for path in each_module(project):
        relative = path.relative_to(project).as_posix()
        if f"/{relative}".endswith(wanted) and not path.resolve().is_relative_to(output):
            code = relative.removesuffix("/__init__.py")
            parts = len(paths[0].split("/")) - 1
            for _ in range(parts):
                code = code.rpartition("/")[0]
            return f"{relative} is not packaged: {_layer_of_code(code, function, order)} brings it"
    return None


def _layer_of_code(code: str, function: FunctionPlan, order: Order) -> str:
    config = order.config
    text = f'[tool.lambdabuild.layers.code] with code = ["{code}"]'
    if not config.layers:
        text += ", beside [tool.lambdabuild.layers.layer] for the dependencies,"
    own = config.functions.get(function.name)
    if own is not None and own.layers is not None:
        text += ' and "code" among the function\'s layers,'
    return text


def _where_to_add(function: FunctionPlan, order: Order) -> str:
    """The place for one more dependency of the function, and the command that writes it there if there is one."""
    needs, own = function.needs, order.config.functions.get(function.name)
    told = _of_needs(needs)
    if told is not None:
        return told
    if own is not None and own.requirements is not None:
        return f"requirements in [{key_path(('tool', 'lambdabuild', 'functions', function.name))}]"
    return "the project's dependencies (uv add)"


def _of_needs(needs: Needs) -> str | None:
    if isinstance(needs, Locked):
        group = f" --group {needs.only_groups[0]}" if needs.only_groups else ""
        member = f" --package {needs.package}" if needs.package else ""
        return f"the dependencies (uv add{member}{group}), or to a layer"
    if isinstance(needs, Script):
        return f"the block of {needs.file} (uv add --script {needs.file})"
    if isinstance(needs, LockFile):
        return f"what {needs.file} is made from, and make it again"
    return needs.file


def _first(folder: Path, paths: list[str]) -> Path | None:
    """The first of these that is a file, or a folder with modules in it."""
    for name in paths:
        path = folder / name
        if _has_exactly(folder, name) and (path.is_file() or (path.is_dir() and any(each_module(path)))):
            return path
    return None


def _has_exactly(folder: Path, name: str) -> bool:
    """Whether it is there under this very name, also where the file system takes names in any case."""
    try:
        for part in name.split("/"):
            if part not in {entry.name for entry in folder.iterdir()}:
                return False
            folder /= part
    except OSError:
        return False
    return True


def _cased(base: Path, path: str) -> Iterator[str]:
    """The name of a module at the root that is this one but for its case."""
    top = path.partition("/")[0].removesuffix(".py")
    try:
        names = sorted(entry.name for entry in base.iterdir() if entry.suffix == ".py" or entry.is_dir())
    except OSError:
        return
    for name in names:
        stem = name.removesuffix(".py")
        if stem != top and stem.lower() == top.lower():
            yield stem
