"""Application code: which files of the project go into an artifact, and whether the handler is among them."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from pathlib import Path

from lambdabuild.errors import PolicyError, UsageError
from lambdabuild.model.handler import find_handler_problem, split_handler
from lambdabuild.model.paths import check_path
from lambdabuild.model.patterns import Rules, source_rules
from lambdabuild.model.plan import FunctionPlan, LayerPlan
from lambdabuild.model.segment import Member
from lambdabuild.zipformat import pack


def collect_function(project: Path, function: FunctionPlan, *, output: Path) -> tuple[Member, ...]:
    """The members of a function's own code, at the root of its archive.

    With a ``source`` all of that folder; without one the handler's top-level package or module, looked for in
    ``src`` and then in the project. Raises UsageError when the handler is not there.
    """
    rules = source_rules(function.exclude, function.keep)
    root = find_root(project, function)
    if function.source is not None:
        return tuple(_members(root, rules, skip=output))
    top = split_handler(function.handler)[0].partition("/")[0]
    folder = root / top
    if folder.is_dir():
        return tuple(_members(folder, rules, prefix=f"{top}/", skip=output))
    return (_member(root / f"{top}.py", f"{top}.py"),)


def find_root(project: Path, function: FunctionPlan) -> Path:
    """The folder that becomes /var/task, where the handler was found; raises UsageError when it is in none."""
    key = f'functions.{function.name}.handler = "{function.handler}"'
    if function.source is not None:
        roots = [project / function.source]
        if not roots[0].is_dir():
            raise UsageError(
                f'functions.{function.name}.source = "{function.source}": {roots[0]} is not a folder',
                hint="source is the folder, relative to pyproject.toml, in which the handler's module lies",
            )
    else:
        roots = [root for root in (project / "src", project) if root.is_dir()]
    module, attribute = split_handler(function.handler)
    for root in roots:
        for path in (root / f"{module}.py", root / module / "__init__.py"):
            if path.is_file():
                problem = find_handler_problem(path.read_text(encoding="utf-8"), attribute)
                if problem is not None:
                    raise UsageError(f"{key}: {_shown(path, project)}: {problem}")
                return root
    raise UsageError(f"{key}: there is no module {module}.py in {_all(roots, project)}", hint=_near(roots, module))


def collect_code(project: Path, layer: LayerPlan, *, output: Path) -> tuple[Member, ...]:
    """The members of a layer's ``code``: each path under its own name. Raises UsageError for one that is missing."""
    rules = source_rules(layer.exclude, layer.keep)
    members: list[Member] = []
    for number, code in enumerate(layer.code):
        path = project / code
        if path.is_dir():
            members += _members(path, rules, prefix=f"{path.name}/", skip=output)
        elif path.is_file():
            members.append(_member(path, path.name))
        else:
            raise UsageError(
                f'layers.{layer.name}.code[{number}] = "{code}": {path} does not exist',
                hint="code lists folders and files relative to pyproject.toml",
            )
    return tuple(members)


def _members(root: Path, rules: Rules, *, prefix: str = "", skip: Path) -> Iterator[Member]:
    for path, relative in _walk(root, prefix, rules, (root.resolve(),)):
        if rules.takes(relative) and not path.resolve().is_relative_to(skip.resolve()):
            yield _member(path, relative)


def _walk(folder: Path, prefix: str, rules: Rules, above: tuple[Path, ...]) -> Iterator[tuple[Path, str]]:
    """Files below a folder in a fixed order, symbolic links followed as long as they stay inside and do not loop.

    ``above`` are the real folders that lead here, the outermost first.
    """
    for item in sorted(os.scandir(folder), key=lambda item: os.fsencode(item.name)):
        path, relative = Path(item.path), prefix + item.name
        if item.is_dir() and not rules.may_hold_kept(relative):
            continue
        if item.is_symlink() and rules.takes(relative):
            _check_link(path, above)
        if item.is_dir():
            yield from _walk(path, f"{relative}/", rules, (*above, path.resolve()))
        elif item.is_file():
            yield path, relative


def _check_link(path: Path, above: tuple[Path, ...]) -> None:
    target = os.readlink(path)  # noqa: PTH115  (as it is written, for the message)
    hint = "replace the link by a copy, or exclude it"
    try:
        real = path.resolve(strict=True)
    except FileNotFoundError as error:
        raise PolicyError(f"{path} -> {target}: the symbolic link dangles", hint=hint) from error
    except (OSError, RuntimeError) as error:  # ELOOP; a RuntimeError before Python 3.13
        raise PolicyError(f"{path} -> {target}: the symbolic link loops", hint=hint) from error
    if not real.is_relative_to(above[0]):
        raise PolicyError(f"{path} -> {target}: the symbolic link leaves {above[0]}", hint=hint)
    if real in above:
        raise PolicyError(f"{path} -> {target}: the symbolic link loops", hint=hint)


def _member(path: Path, relative: str) -> Member:
    check_path(relative)
    try:
        executable = path.stat().st_mode & 0o100
        return pack(relative, 0o755 if executable else 0o644, path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def _near(roots: list[Path], module: str) -> str:
    """A hint that names the module most like the one that was asked for."""
    found = {
        path.relative_to(root).with_suffix("").as_posix(): path
        for root in roots
        for path in root.rglob("*.py")
        if ".venv" not in path.parts
    }
    near = difflib.get_close_matches(module, sorted(found), n=1)
    if near:
        return f"did you mean {near[0].replace('/', '.')}?"
    return "a handler is package.module.function, relative to source"


def _all(roots: list[Path], project: Path) -> str:
    return " or ".join(_shown(root, project) for root in roots)


def _shown(path: Path, project: Path) -> str:
    return path.relative_to(project).as_posix() if path != project else str(project)
