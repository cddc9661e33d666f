"""The project's files below a folder: those that the patterns and the ignore files take, symbolic links followed."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from lambdabuild.errors import PolicyError, UsageError
from lambdabuild.ledger import note
from lambdabuild.model.patterns import Pattern, PatternList, Rules, Standing, parse_ignore_file, source_rules
from lambdabuild.model.sources import IgnoreRule
from lambdabuild.repository import Tracked, find_top, find_tracked
from lambdabuild.values import dataclass

GITIGNORE = ".gitignore"
LAMBDAIGNORE = ".lambdaignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A folder that is packaged, and what decides on the files in it."""

    project: Path
    base: Path
    """The folder that becomes the archive's root."""
    folder: Path
    """That folder or one in it; whatever git ignores, it is packaged, because it is asked for by name."""
    rules: Rules
    """As they hold above ``folder``."""
    gitignore: bool
    tracked: Tracked | None
    """What git tracks, and so does not ignore; None where only the .gitignore files are there to tell."""

    @property
    def ignore_rule(self) -> IgnoreRule | None:
        """What decides on what is ignored."""
        if not self.gitignore:
            return None
        return "gitignore" if self.tracked is None else "git"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """A file or folder that a .gitignore leaves out."""

    path: str
    """In the archive; of a folder with a slash at its end."""
    pattern: Pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A regular file that the rules take."""

    path: Path
    relative: str
    """In the archive."""
    kept: bool
    """Whether a ``keep`` pattern names it."""


def survey(
    project: Path,
    base: Path,
    folder: Path,
    *,
    exclude: tuple[str, ...],
    keep: tuple[str, ...],
    gitignore: bool,
    include: tuple[str, ...] = (),
) -> Ground:
    """Read what decides on a folder's files: the .lambdaignore files of the project, the archive's root and the folder,
    and the .gitignore files above the folder, up to the repository's top.

    What git tracks it does not ignore, whatever these files say. What it ignores on one machine only
    (``.git/info/exclude``, ``core.excludesFile``) is not looked at. Raises
    UsageError for a .lambdaignore that cannot be read or has a line that is no pattern.
    """
    dropped = []
    for place in dict.fromkeys((project, base, folder)):
        found = _read_patterns(place / LAMBDAIGNORE, project)
        if found is not None:
            patterns, problems = found
            if problems:
                raise UsageError("\n".join(problems), hint="its lines are patterns as in a .gitignore")
            dropped.append(patterns)
    ignored = [_read_gitignore(above, project) for above in _folders_above(project, folder)] if gitignore else []
    rules = source_rules(
        exclude,
        keep,
        include=include,
        ignored=tuple(patterns for patterns in ignored if patterns.patterns),
        dropped=tuple(dropped),
        base=_slashed(base),
    )
    tracked = find_tracked(project) if gitignore else None
    return Ground(project=project, base=base, folder=folder, rules=rules, gitignore=gitignore, tracked=tracked)


def judge_file(ground: Ground, path: Path) -> Standing:
    """What the rules say of one file below the ground's folder."""
    rules, standing, folder, real = ground.rules, _start(ground), ground.folder, ground.folder.resolve()
    for name in path.relative_to(folder).parts:
        if ground.gitignore:
            rules = rules.also_ignoring(_read_gitignore(folder, ground.project))
        folder /= name
        standing = _judge(ground, rules, standing, str(folder), real / name, folder=folder != path)
        real = folder.resolve()
    return standing


def each_file(ground: Ground, *, output: Path, ignored: list[Ignored]) -> Iterator[SourceFile]:
    """The files in a fixed order, without those of the output folder; what git ignores is noted in ``ignored``.

    Symbolic links to files and folders are followed as long as they stay inside the project and do not loop; else, and
    where something is no regular file, PolicyError tells the path. Nothing that is left out is looked at.
    """
    real, real_output = ground.folder.resolve(), output.resolve()
    if real_output == real:
        raise UsageError(
            f"the output folder {output} is a folder that is packaged",
            hint="choose another with --output, so that no archive holds archives",
        )
    relative = "".join(f"{name}/" for name in ground.folder.relative_to(ground.base).parts)
    at = _Folder(
        path=_slashed(ground.folder), relative=relative, rules=ground.rules, standing=_start(ground), above=(real,)
    )
    if not relative or at.rules.leads_on(at.standing, str(ground.folder)):
        yield from _walk(at, ground, real_output, ignored)


def each_module(folder: Path) -> Iterator[Path]:
    """The Python files below a folder, no links to folders followed, for a look at what there is."""
    rules = source_rules()
    for name, folders, files in os.walk(folder):
        folders[:] = sorted(below for below in folders if rules.judge(rules.top(), below, folder=True).taken)
        modules = (Path(name, file) for file in files if file.endswith(".py"))
        yield from (module for module in modules if module.is_file())  # a pipe would be waited for


def check_link(path: Path, above: tuple[Path, ...], *, inside: Path) -> Path:
    """Where a symbolic link leads: into the folder ``inside``, or the first of the real folders ``above`` the link, and
    to none of these."""
    target = os.readlink(path)  # noqa: PTH115  (as it is written, for the message)
    project = inside.resolve()
    problem = f"leaves the project, {project}"
    try:
        real = path.resolve(strict=True)
    except (FileNotFoundError, NotADirectoryError):
        problem = "dangles"
    except (OSError, RuntimeError) as error:  # a loop is a RuntimeError before Python 3.13
        if isinstance(error, OSError) and error.errno != errno.ELOOP:
            raise UsageError(f"{path} cannot be read: {error.strerror}") from error
        problem = "loops"
    else:
        if any(folder.is_relative_to(real) for folder in above):
            problem = "loops"
        elif real.is_relative_to(project) or real.is_relative_to(above[0]):
            return real
    raise PolicyError(
        f"{path} -> {target}: the symbolic link {problem}", hint="replace the link by a copy, or exclude it"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folder:
    path: str
    """With a slash at its end, as ``relative``."""
    relative: str
    rules: Rules
    standing: Standing
    above: tuple[Path, ...]
    """The real folders that lead here, the outermost first, this one last."""


def _walk(at: _Folder, ground: Ground, output: Path, ignored: list[Ignored]) -> Iterator[SourceFile]:
    items = _listing(at.path)
    rules = at.rules
    if ground.gitignore and any(item.name == GITIGNORE for item in items):
        rules = rules.also_ignoring(_read_gitignore(Path(at.path), ground.project))
    modules = {item.name for item in items if item.name.endswith(".py")}
    for item in items:
        is_folder = _is_folder(item)
        path, real = Path(item.path), at.above[-1] / item.name
        standing = _judge(ground, rules, at.standing, item.path, real, folder=is_folder)
        if item.name.endswith(".pyc") and item.name[:-1] in modules and not standing.kept:
            continue  # a cache; without its source it is the module
        relative = at.relative + item.name
        leads_on = is_folder and standing.ignored and ground.tracked is not None and str(real) in ground.tracked.folders
        if standing.ignored and standing.dropped is not None and not (standing.kept or leads_on):
            ignored.append(Ignored(path=f"{relative}/" if is_folder else relative, pattern=standing.dropped))
        if not leads_on and not (rules.leads_on(standing, item.path) if is_folder else standing.taken):
            continue
        if item.is_symlink():
            if standing.dropped and not standing.kept:
                continue  # a folder in which something may be kept, but not through a link
            real = check_link(path, at.above, inside=ground.project)
        if (is_folder or item.is_symlink()) and real.is_relative_to(output):
            continue
        if is_folder:
            inner = replace(
                at,
                path=f"{item.path}/",
                relative=f"{relative}/",
                rules=rules,
                standing=standing,
                above=(*at.above, real),
            )
            yield from _walk(inner, ground, output, ignored)
        elif item.is_file():
            yield SourceFile(path=path, relative=relative, kept=standing.kept)
        else:
            raise PolicyError(
                f"{path} is not a regular file but a pipe, socket or device, which no archive holds",
                hint="remove it, or exclude it",
            )


def _judge(ground: Ground, rules: Rules, above: Standing, path: str, real: Path, *, folder: bool) -> Standing:
    """What holds for a file or folder, ``real`` being its path without links above it."""
    standing = rules.judge(above, path, folder=folder)
    if standing.ignored and ground.tracked is not None and str(real) in ground.tracked.files:
        return rules.judge(above, path, folder=folder, tracked=True)
    return standing


def _start(ground: Ground) -> Standing:
    """What holds for the ground's folder itself."""
    rules, standing, folder = replace(ground.rules, ignored=()), ground.rules.top(), ground.base
    for name in ground.folder.relative_to(ground.base).parts:
        folder /= name
        standing = rules.judge(standing, str(folder), folder=True)
    return standing


def _listing(folder: str) -> list[os.DirEntry[str]]:
    note(folder)
    try:
        with os.scandir(folder) as items:
            return sorted(items, key=lambda item: os.fsencode(item.name))
    except OSError as error:
        raise UsageError(f"{Path(folder)} cannot be read: {error.strerror}") from error


def _is_folder(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_dir()
    except OSError:  # a link that loops
        return False


def _folders_above(project: Path, folder: Path) -> list[Path]:
    """From the top of the repository that the project is in, or else from the project, to above the folder."""
    top = find_top(project) or project
    return [above for above in reversed(folder.parents) if above.is_relative_to(top)]


def _read_gitignore(folder: Path, project: Path) -> PatternList:
    """The patterns of a folder's .gitignore, if it has one."""
    found = _read_patterns(folder / GITIGNORE, project)
    return found[0] if found is not None else PatternList()


def _read_patterns(path: Path, project: Path) -> tuple[PatternList, tuple[str, ...]] | None:
    note(path)
    try:
        if not path.is_file():
            return None
        text = path.read_bytes().decode(errors="surrogateescape")
    except OSError as error:
        closed = path if os.access(path.parent, os.X_OK) else path.parent
        raise UsageError(f"{closed} cannot be read: {error.strerror}") from error
    name = path.relative_to(project).as_posix() if path.is_relative_to(project) else str(path)
    return parse_ignore_file(text, name=name, folder=str(path.parent).rstrip("/"))


def _slashed(folder: Path) -> str:
    return str(folder).rstrip("/") + "/"
