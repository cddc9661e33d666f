"""Application code: which files of the project go into an artifact, and whether the handler is among them."""

from __future__ import annotations

import difflib
import glob
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from lambdabuild.errors import UsageError
from lambdabuild.handlerhint import find_hint
from lambdabuild.ignoredcode import refuse_lost
from lambdabuild.ledger import note
from lambdabuild.model.handler import find_handler_problem, find_syntax_problem, split_handler
from lambdabuild.model.limits import Finding
from lambdabuild.model.paths import check_path
from lambdabuild.model.reachable import SUFFIX, data_of, reach
from lambdabuild.model.removal import keep_line, keep_pattern
from lambdabuild.model.segment import Member
from lambdabuild.model.sources import Collected, IgnoreRule, Sources
from lambdabuild.model.target import Target
from lambdabuild.sourcefiles import Ground, Ignored, SourceFile, check_link, each_file, judge_file, survey
from lambdabuild.values import dataclass
from lambdabuild.zipformat import pack

_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_READ_WITH = f"it was read with Python {_PYTHON}; code for a newer one needs lambdabuild to run on that"


def find_handler(project: Path, sources: Sources, target: Target) -> Path:
    """The file of the handler's module.

    Raises UsageError when there is no such module, when its source does not define the handler's attribute, and when
    patterns leave it out of the archive. Of a module that only a newer Python can read nothing is known.
    """
    place = _locate(project, sources)
    if place.packaged != place.handler:
        _survey(project, sources, place)
    if place.handler.suffix != SUFFIX:
        return place.handler
    source, attribute = _read(place.handler), split_handler(sources.handler)[1]
    syntax = find_syntax_problem(source)
    problem = syntax or find_handler_problem(source, attribute)
    if problem is not None and not (syntax and _is_newer(target)):
        raise UsageError(f"{_key(sources)}: {_shown(place.handler, project)}: {problem}")
    return place.handler


def unread_note(file: str, project: Path, sources: Sources, target: Target) -> tuple[Finding, ...]:
    """A note of a handler that the Python at hand cannot read, though the runtime's may."""
    handler = _locate(project, sources).handler
    looked_at = handler.suffix == SUFFIX and _is_newer(target)
    problem = find_syntax_problem(_read(handler)) if looked_at else None
    if problem is None:
        return ()
    message = (
        f"{file}: {_shown(handler, project)}: {problem} for Python {_PYTHON}, which runs lambdabuild; "
        f"{target.runtime.name} is newer and may read it, so the handler was not looked for in it"
    )
    return (Finding(severity="note", code="not-read", message=message),)


def _is_newer(target: Target) -> bool:
    return tuple(map(int, target.runtime.python.split("."))) > sys.version_info[:2]


def collect_sources(project: Path, sources: Sources, *, output: Path) -> Collected:
    """A function's own code, at the root of its archive.

    With a ``source`` or ``folder`` all of that folder; else with a handler of a path (``functions/simple.handler``)
    that file; else the handler's top-level package or module. Raises UsageError when the handler is not there,
    PolicyError for what may not be packaged.
    """
    selected = _select(project, sources, output=output)
    return Collected(
        members=tuple(_member(path, relative) for path, relative in selected.files),
        left_out=selected.left_out,
        ignore_rule=selected.ignore_rule,
        ignored=tuple(one.path for one in selected.ignored),
    )


def read_modules(project: Path, sources: Sources, *, output: Path) -> Iterator[tuple[str, bytes]]:
    """Path and content of the modules among what ``collect_sources`` takes, which is not packed for it.

    Raises as that does.
    """
    files = _select(project, sources, output=output).files
    yield from ((relative, _read(path)) for path, relative in files if relative.endswith(SUFFIX))


def collect_code(
    project: Path,
    code: tuple[str, ...],
    *,
    owner: str,
    exclude: tuple[str, ...],
    keep: tuple[str, ...],
    gitignore: bool,
    output: Path,
) -> Collected:
    """A layer's ``code``: each path under its own name. Raises UsageError for one that is missing."""
    files: list[tuple[Path, str]] = []
    ignored: list[Ignored] = []
    rule: IgnoreRule | None = None
    for number, name in enumerate(code):
        path = project / name
        if path.is_dir():
            ground = survey(project, path.parent, path, exclude=exclude, keep=keep, gitignore=gitignore)
            files += ((file.path, file.relative) for file in each_file(ground, output=output, ignored=ignored))
            rule = ground.ignore_rule
        elif path.is_file():
            files.append(_lone(path, project, project=project, name=path.name))
        else:
            raise UsageError(
                f'{owner}.code[{number}] = "{name}": {path} does not exist',
                hint="code lists folders and files relative to pyproject.toml",
            )
    modules = {relative: path for path, relative in files if relative.endswith(SUFFIX)}
    refuse_lost(owner, modules, modules, ignored, read=_read, place=_places(project, code))
    return Collected(
        members=tuple(_member(path, relative) for path, relative in files),
        ignore_rule=rule,
        ignored=tuple(one.path for one in ignored),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Selected:
    files: tuple[tuple[Path, str], ...]
    """With their paths in the archive."""
    left_out: tuple[str, ...] = ()
    """The modules that the handler does not reach."""
    ignore_rule: IgnoreRule | None = None
    ignored: tuple[Ignored, ...] = ()


def _select(project: Path, sources: Sources, *, output: Path) -> _Selected:
    """The files of a function."""
    place = _locate(project, sources)
    if place.packaged == place.handler:
        return _Selected(files=(_lone(place.handler, place.base, project=project),))
    ground = _survey(project, sources, place)
    ignored: list[Ignored] = []
    files = tuple(each_file(ground, output=output, ignored=ignored))
    handler = place.handler.relative_to(place.base).as_posix()
    modules = {file.relative: file.path for file in files if file.relative.endswith(SUFFIX)}
    refuse_lost(sources.owner, modules.keys() & {handler}, modules, ignored, read=_read, place=place.base.joinpath)
    taken = _reachable(files, place, sources) if sources.reachable else files
    left_out = modules.keys() - {file.relative for file in taken}
    return _Selected(
        files=tuple((file.path, file.relative) for file in taken),
        left_out=tuple(sorted(left_out)),
        ignore_rule=ground.ignore_rule,
        ignored=tuple(ignored),
    )


def _places(project: Path, code: Iterable[str]) -> Callable[[str], Path]:
    """Where in the project a path of a layer's code lies."""
    roots = {Path(name).name: project / name for name in code}

    def place(path: str) -> Path:
        first, _, rest = path.partition("/")
        return roots.get(first, project / first) / rest

    return place


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    base: Path
    """The folder that becomes the archive's root."""
    packaged: Path
    """What of it is packaged: all, a folder in it, or the file of the handler's module."""
    handler: Path


def _locate(project: Path, sources: Sources) -> _Place:
    """Where the handler's module is; raises UsageError when it is nowhere."""
    module = split_handler(sources.handler)[0]
    whole = sources.source if sources.source is not None else sources.folder
    if whole is not None:
        roots = [
            _find_folder(project, whole, key=f"{sources.owner}.{'folder' if sources.source is None else 'source'}")
        ]
    elif "/" in sources.handler:
        roots = [project]
    else:
        note(project / "src")
        roots = [root for root in (project / "src", project) if root.is_dir()]
    for root in roots:
        for handler in _forms(root, module):
            note(handler)
            if handler.is_file():
                return _Place(base=root, packaged=_packaged(root, handler, sources), handler=handler)
    hint = find_hint(project, roots, sources)
    raise UsageError(f"{_key(sources)}: there is no module {module}.py in {_either(roots, project)}", hint=hint)


def _forms(root: Path, module: str) -> Iterator[Path]:
    """Where a module may lie, in the order in which Python looks; the last two have no source."""
    place = root / module
    yield place / "__init__.py"
    yield place.with_name(f"{place.name}.py")
    yield from sorted(place.parent.glob(f"{glob.escape(place.name)}.*so"))
    yield place.with_name(f"{place.name}.pyc")


def _packaged(root: Path, handler: Path, sources: Sources) -> Path:
    if sources.source is not None or sources.folder is not None:
        return root
    if "/" in sources.handler:
        return handler.parent if handler.name == "__init__.py" else handler
    return root / handler.relative_to(root).parts[0]


def _survey(project: Path, sources: Sources, place: _Place) -> Ground:
    """What decides on a function's files; raises UsageError when that leaves out the handler's module."""
    ground = survey(
        project,
        place.base,
        place.packaged,
        include=sources.include,
        exclude=sources.exclude,
        keep=sources.keep,
        gitignore=sources.gitignore,
    )
    standing = judge_file(ground, place.handler)
    if not standing.taken:
        path = place.handler.relative_to(place.base).as_posix()
        reason = standing.dropped or "include, which does not name it"
        raise UsageError(
            f"{_key(sources)}: {_shown(place.handler, project)} is left out by {reason}",
            hint=f"{keep_line([keep_pattern(path)])} takes it all the same",
        )
    return ground


def _reachable(files: Iterable[SourceFile], place: _Place, sources: Sources) -> tuple[SourceFile, ...]:
    """The modules that the handler's imports reach and those that are kept, each with the data of its package."""
    by_path = {file.relative: file for file in files}
    kept = {path for path, file in by_path.items() if file.kept}
    handler = place.handler.relative_to(place.base).as_posix()
    if not handler.endswith(SUFFIX):
        raise UsageError(
            f'{sources.owner}.sources = "reachable": {handler} has no source that tells what it imports',
            hint='leave out sources = "reachable": then all of the package goes in',
        )
    starts = {path for path in kept if path.endswith(SUFFIX)} | {handler}
    try:
        reached = reach(starts, by_path, lambda path: _read(by_path[path].path))
    except SyntaxError as error:
        line = f":{error.lineno}" if error.lineno else ""
        raise UsageError(
            f'{sources.owner}.sources = "reachable": {error.filename}{line}: {error.msg}', hint=_READ_WITH
        ) from error
    taken = reached | kept | data_of(reached, by_path)
    return tuple(file for path, file in by_path.items() if path in taken)


def _lone(path: Path, base: Path, *, project: Path, name: str | None = None) -> tuple[Path, str]:
    """A file that is asked for by name: patterns do not matter to it."""
    if path.is_symlink():
        check_link(path, (base.resolve(),), inside=project)
    return path, name or path.relative_to(base).as_posix()


def _member(path: Path, relative: str) -> Member:
    check_path(relative)
    content = _read(path)
    executable = path.stat().st_mode & 0o100
    return pack(relative, 0o755 if executable else 0o644, content)


def _read(path: Path) -> bytes:
    note(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def _find_folder(project: Path, name: str, *, key: str) -> Path:
    folder = project / name
    if folder.is_dir():
        return folder
    above = next(above for above in folder.parents if above.is_dir())
    first, *rest = folder.relative_to(above).parts
    beside = next(os.walk(above), ("", [], []))[1]
    near = (above.joinpath(one, *rest) for one in difflib.get_close_matches(first, sorted(beside), n=3))
    meant = [path.relative_to(project).as_posix() for path in near if path.is_dir()]
    hint = (
        f'did you mean "{meant[0]}"?'
        if meant
        else "name the folder of the handler's module, as seen from pyproject.toml"
    )
    raise UsageError(f'{key} = "{name}": {folder} is not a folder', hint=hint)


def _key(sources: Sources) -> str:
    return f'{sources.owner}.handler = "{sources.handler}"'


def _either(roots: Iterable[Path], project: Path) -> str:
    return " or ".join(_shown(root, project) for root in roots)


def _shown(path: Path, project: Path) -> str:
    return path.relative_to(project).as_posix() if path != project else str(project)
