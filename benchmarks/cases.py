"""The cases, and what is to be reached in each."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from benchmarks import classic, sam, uvguide
from benchmarks.measure import Failed
from benchmarks.monorepo import Monorepo, write
from benchmarks.own import Own
from benchmarks.projects import Edited, Project, copy_example, folder_of, make_small, read_project, uv
from benchmarks.race import Contender, Race, nothing
from benchmarks.results import Comparison
from benchmarks.workplace import Workplace

SOURCE = "src/spectra/jobs.py"
"""The file of the example that is edited; all its functions have it."""
MEMORY = 150_000_000
"""Bytes that building a layer of 200 MB may take."""
SIZES = (10, 100, 500, 2000)
"""Functions of the monorepos, which differ in nothing else."""

Makes = Sequence[tuple[str, Callable[[], Contender]]]
"""Contenders that are still to be made, by what each is called where that fails."""


def layer(place: Workplace) -> Race:
    """The layer from downloads alone."""
    project = copy_example(place, "layer")
    makes = [
        ("classic recipe", lambda: classic.layer(place, project, folder_of(place, "layer/pip"))),
        ("classic recipe, uv", lambda: classic.layer(place, project, folder_of(place, "layer/uv"), installer="uv")),
        ("sam build", lambda: sam.container_layer(place, project, folder_of(place, "layer/sam"))),
        *_both(place, "layer", Own.layer),
    ]
    return _race(
        "layer",
        "Layer, nothing built before",
        makes,
        Comparison(ours="lambdabuild", theirs="classic", at_least=9),
        Comparison(ours="lambdabuild", theirs="classic-uv"),
        Comparison(ours="lambdabuild", theirs="sam", at_least=10),
        Comparison(ours="lambdabuild", figure="memory", at_most=MEMORY),
        Comparison(ours="proof", theirs="classic", at_least=4),
        Comparison(ours="proof", theirs="classic-uv"),
        Comparison(ours="proof", theirs="sam"),
    )


def dependency(place: Workplace) -> Race:
    """The layer, of which one small distribution changed."""
    project = copy_example(place, "dependency")
    makes = [
        ("classic recipe", lambda: classic.layer(place, project, folder_of(place, "dependency/pip"))),
        *_both(place, "dependency", Own.dependency_changed),
    ]
    bounds = _against("classic", at_least=14)
    return _race("dependency", "Layer, one dependency changed", makes, *bounds)


def unchanged(place: Workplace) -> Race:
    """The layer, of which nothing changed."""
    project = copy_example(place, "unchanged")
    makes = [
        ("classic recipe", lambda: classic.layer(place, project, folder_of(place, "unchanged/pip"))),
        ("lambdabuild", lambda: _own(place, "unchanged/own", proof=True).unchanged()),
    ]
    bound = Comparison(ours="proof", theirs="classic", at_least=60)
    return _race("unchanged", "Layer, nothing changed", makes, bound)


def floor(place: Workplace) -> Race:
    """The unchanged layer beside a Python that imports click and ends."""
    least = Contender(
        name="floor",
        label='python -c "import click"',
        short="python",
        argv=[sys.executable, "-c", "import click"],
        cwd=place.folder,
        environ=place.environ,
    )
    makes = [("python", lambda: least), ("lambdabuild", lambda: _own(place, "floor", proof=True).unchanged())]
    bound = Comparison(ours="proof", theirs="floor", at_most=1.8)
    return _race("floor", "Layer, nothing changed, and the least that Python takes", makes, bound, repeat=4)


def code(place: Workplace) -> Race:
    """The slim zips after an edit."""
    project = copy_example(place, "code")
    makes = [
        ("sam build --cached", lambda: sam.cached_functions(place, project, folder_of(place, "code/sam"), SOURCE)),
        *_both(place, "code", lambda own: own.code_edited(SOURCE)),
    ]
    return _race("code", "Three slim zips, code edited", makes, *_against("sam", at_least=4), repeat=2)


def fat(place: Workplace) -> Race:
    """The fat zips after the layer; zip gets the trees that lambdabuild makes."""

    def zips() -> Contender:
        own = _own(place, "fat/trees")
        archives = own.build(own.fat())
        label = f"{len(archives)} times zip -qr of the same trees"
        return classic.zips(place, archives, folder_of(place, "fat/zip"), label=label)

    makes = [("zip", zips), *_both(place, "fat", Own.fat)]
    return _race("fat", "Three fat zips, the layer built before", makes, *_against("zip", at_least=30))


def everything(place: Workplace) -> Race:
    """Layer, slim zips and fat zips, from downloads alone."""
    project = copy_example(place, "all")
    also = [*project.functions, *(f"{name}-fat" for name in project.functions)]
    then = " && ".join(_zipped_too(project, name) for name in project.functions)
    recipe = ("classic recipe", lambda: classic.layer(place, project, folder_of(place, "all/pip"), then, also))
    makes = [recipe, *_both(place, "all", Own.everything)]
    title = "Layer, three slim zips and three fat zips, nothing built before"
    return _race("all", title, makes, *_against("classic"))


def host(place: Workplace) -> Race:
    """The layer without a container."""
    project = copy_example(place, "host")
    makes = [
        ("uv's guide", lambda: uvguide.layer(place, project, folder_of(place, "host/uv"))),
        ("lambdabuild", lambda: _own(place, "host/own", builder="host").layer()),
    ]
    return _race(
        "host",
        "Layer without Docker, nothing built before",
        makes,
        Comparison(ours="lambdabuild", theirs="uv", at_least=6),
        Comparison(ours="lambdabuild", figure="memory", at_most=MEMORY),
    )


def small(place: Workplace) -> Race:
    """A layer of ten small wheels without a container."""
    project = make_small(place, "small")
    makes = [
        ("uv's guide", lambda: uvguide.layer(place, project, folder_of(place, "small/uv"))),
        ("lambdabuild", lambda: Own(place=place, project=project, builder="host").layer()),
    ]
    bound = Comparison(ours="lambdabuild", theirs="uv", at_least=4)
    return _race(
        "small",
        "Layer of pydantic and requests, ten wheels, without Docker, nothing built before",
        makes,
        bound,
        repeat=2,
    )


def size(place: Workplace) -> Race:
    """The layer's archive beside the best that zip makes of the same tree, and what the smaller one costs."""

    def best() -> Contender:
        own = _own(place, "size/tree", builder="host")
        archives = own.build(own.layer())
        label = "zip -9 -qrXD of the same tree"
        return classic.zips(place, archives, folder_of(place, "size/zip"), label=label, options="-9 -qrXD")

    makes = [
        ("zip -9", best),
        ("fast", lambda: _own(place, "size/fast", builder="host").layer()),
        ('compression = "small"', lambda: _own(place, "size/small", builder="host").small_layer()),
    ]
    return _race(
        "size",
        "Zipped size of the layer",
        makes,
        Comparison(ours="lambdabuild", theirs="zip", figure="size", at_most=1.015),
        Comparison(ours="small", theirs="zip", figure="size", at_most=0.985),
    )


def monorepos(place: Workplace) -> Iterator[Race]:
    """Whether the cost follows what changed: the same states of monorepos that differ in size alone."""
    made: list[tuple[Own, Monorepo]] = []
    for repo in (Monorepo(functions=functions) for functions in SIZES):
        folder = place.folder / f"monorepo-{repo.functions}"
        write(repo, folder / "project")
        uv(place, folder / "project", "lock", "--quiet")
        project = read_project(folder / "project", folder / "cache")
        made.append((Own(place=place, project=project, builder=_builder(place)), repo))
    for state, title, repeat in (
        ("first", "first build", 1),
        ("unchanged", "unchanged", 2),
        ("edited", "one edited", 2),
    ):
        makes = [(f"{repo.functions} functions", _monorepo(own, repo, state)) for own, repo in made]
        bounds = [Comparison(ours="n500", theirs="n10", at_most=3)] if state == "unchanged" else []
        yield _race(f"monorepo-{state}", f"Monorepo: {title}", makes, *bounds, repeat=repeat)


def _monorepo(own: Own, repo: Monorepo, state: str) -> Callable[[], Contender]:
    """From downloads alone, as the run before left it, or with one function edited."""
    edited = Edited(own.project.folder / repo.folder(repo.functions // 2) / "rules.py")
    prepare = {"first": own.project.forget, "unchanged": nothing, "edited": edited.edit}[state]
    made = own.contender("package", prepare=prepare, archives=[repo.group(0), repo.function(repo.functions - 1)])
    label = f"{repo.functions:,} functions"
    return lambda: replace(made, name=f"n{repo.functions}", label=label, short=f"lambdabuild, {label}")


CASES: Mapping[str, Callable[[Workplace], Race | Iterator[Race]]] = {
    "layer": layer,
    "dependency": dependency,
    "unchanged": unchanged,
    "floor": floor,
    "code": code,
    "fat": fat,
    "all": everything,
    "host": host,
    "small": small,
    "size": size,
    "monorepo": monorepos,
}
"""In the order of the page."""


def races(place: Workplace, names: Sequence[str]) -> Iterator[Race]:
    """The races of these cases, each set up when it is its turn; one that cannot be is there without contenders."""
    for name in names:
        try:
            made = CASES[name](place)
            yield from [made] if isinstance(made, Race) else made
        except Failed as error:
            print(f"{name}: {error}", file=sys.stderr)
            yield Race(name=name, title=name, contenders=[], missing={"lambdabuild": str(error)})


def _race(name: str, title: str, makes: Makes, *comparisons: Comparison, repeat: int = 1) -> Race:
    contenders: list[Contender] = []
    missing: dict[str, str] = {}
    for label, make in makes:
        try:
            contenders.append(make())
        except Failed as error:
            missing[label] = str(error)
            print(f"{label}: {error}", file=sys.stderr)
    return Race(name=name, title=title, contenders=contenders, comparisons=comparisons, missing=missing, repeat=repeat)


def _both(place: Workplace, name: str, make: Callable[[Own], Contender]) -> Makes:
    """lambdabuild without proof, as the others are, and with it, as it comes: where there is a container to try in."""
    makes = [("lambdabuild", lambda: make(_own(place, f"{name}/plain")))]
    if place.docker:
        makes.append(("lambdabuild, as it comes", lambda: make(_own(place, f"{name}/proof", proof=True))))
    return makes


def _own(place: Workplace, name: str, *, builder: str | None = None, proof: bool = False) -> Own:
    return Own(place=place, project=copy_example(place, name), builder=builder or _builder(place), proof=proof)


def _builder(place: Workplace) -> str:
    return "docker" if place.docker else "host"


def _against(theirs: str, *, at_least: float | None = None) -> Sequence[Comparison]:
    """What is to be reached without proof, and what is there with it."""
    return Comparison(ours="lambdabuild", theirs=theirs, at_least=at_least), Comparison(ours="proof", theirs=theirs)


def _zipped_too(project: Project, name: str) -> str:
    """Zips the sources alone, and once more with all dependencies."""
    source = shlex.quote(str(project.folder / "src"))
    return (
        f'here=$PWD && (cd {source} && zip -qr "$here/{name}.zip" .) && '
        f'(cd python && zip -qr "$here/{name}-fat.zip" .) && (cd {source} && zip -qr "$here/{name}-fat.zip" .)'
    )
