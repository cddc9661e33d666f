"""Whether the cost follows what changed: the same states of monorepos that differ in size alone."""

from __future__ import annotations

from collections.abc import Callable

from scripts.bench import own
from scripts.bench.monorepo import Monorepo, write
from scripts.bench.projects import Edited, Project, read_project, uv
from scripts.bench.race import Contender, Race, nothing
from scripts.bench.results import Comparison
from scripts.bench.workplace import Workplace

SIZES = (10, 100, 500)
GROUPS = 5
CHANGED = 5
"""Functions that are edited, of whatever number there is."""


def races(place: Workplace, *, builder: str) -> list[Race]:
    """The first build, an unchanged one, and one with a few functions edited."""
    return [
        _race(place, "first", "Monorepo: first build", _first, builder=builder),
        _race(place, "unchanged", "Monorepo: unchanged", _unchanged, builder=builder, repeat=2, at_most=3),
        _race(place, "changed", f"Monorepo: {CHANGED} functions edited", _changed, builder=builder, repeat=2),
    ]


_Prepared = Callable[[Workplace, Project, Monorepo, list[str]], Callable[[], None]]


def _race(
    place: Workplace,
    state: str,
    title: str,
    prepared: _Prepared,
    *,
    builder: str,
    repeat: int = 1,
    at_most: float | None = None,
) -> Race:
    repos = [Monorepo(functions=size, groups=GROUPS) for size in SIZES]
    contenders = [_contender(place, state, repo, prepared, builder) for repo in repos]
    bound = Comparison(ours=contenders[-1].name, theirs=contenders[0].name, at_most=at_most)
    return Race(
        name=f"scale-{state}",
        title=title,
        contenders=contenders,
        comparisons=[bound] if at_most else [],
        repeat=repeat,
    )


def _contender(place: Workplace, state: str, repo: Monorepo, prepared: _Prepared, builder: str) -> Contender:
    folder = place.folder / f"scale-{state}-{repo.functions}"
    write(repo, folder / "project")
    uv(place, folder / "project", "lock", "--quiet")
    project = read_project(folder / "project", folder / "cache")
    argv = own.command(project, "package", builder=builder)
    return own.contender(
        place,
        project,
        argv,
        name=f"n{repo.functions}",
        label=f"{repo.functions} functions",
        prepare=prepared(place, project, repo, argv),
        archives=[repo.group(0), repo.function(repo.functions - 1)],
    )


def _first(place: Workplace, project: Project, repo: Monorepo, argv: list[str]) -> Callable[[], None]:
    return project.forget


def _unchanged(place: Workplace, project: Project, repo: Monorepo, argv: list[str]) -> Callable[[], None]:
    own.build(place, project, argv)
    return nothing


def _changed(place: Workplace, project: Project, repo: Monorepo, argv: list[str]) -> Callable[[], None]:
    own.build(place, project, argv)
    step = repo.functions // CHANGED
    edited = [Edited(project.folder / repo.folder(number * step) / "rules.py") for number in range(CHANGED)]

    def edit() -> None:
        for one in edited:
            one.edit()

    return edit
