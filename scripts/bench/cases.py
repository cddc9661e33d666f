"""The cases, and what is to be reached in each."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

from scripts.bench import classic, own, sam, scale, uvguide
from scripts.bench.measure import Failed
from scripts.bench.projects import Project, copy_example
from scripts.bench.race import Contender, Race
from scripts.bench.results import Comparison
from scripts.bench.workplace import Workplace

SOURCE = "src/spectra/jobs.py"
"""The file of the example that is edited; all its functions have it."""
MEMORY = 400_000_000
"""Bytes that building a layer of 200 MB may take."""

Make = Callable[[], Contender]


def layer(place: Workplace) -> Race:
    """The layer from downloads alone."""
    project = copy_example(place, "layer")
    made: list[tuple[str, Make]] = [
        ("classic", lambda: classic.layer(place, project, name="layer")),
        ("sam build", lambda: sam.container_layer(place, project, own.folder_of(place, "layer/sam"))),
        ("lambdabuild", lambda: own.cold(place, project, builder="docker")),
    ]
    if own.verifies():
        again = copy_example(place, "layer-verified")
        made.append(("lambdabuild, verified", lambda: own.cold(place, again, builder="docker", verified=True)))
    comparisons = [
        Comparison(ours="lambdabuild", theirs="classic", at_least=6),
        Comparison(ours="lambdabuild", theirs="sam", at_least=8),
        Comparison(ours="lambdabuild", figure="memory", at_most=MEMORY),
    ]
    if own.verifies():
        comparisons.append(Comparison(ours="verified", theirs="classic"))
    return _race("layer", "Layer, nothing built before", made, comparisons)


def dependency(place: Workplace) -> Race:
    """The layer, of which one small distribution changed."""
    project = copy_example(place, "dependency")
    made = [
        ("classic", lambda: classic.layer(place, project, name="dependency")),
        ("lambdabuild", lambda: own.dependency_changed(place, project, builder="docker")),
    ]
    comparisons = [Comparison(ours="lambdabuild", theirs="classic", at_least=10)]
    return _race("dependency", "Layer, one dependency changed", made, comparisons)


def unchanged(place: Workplace) -> Race:
    """The layer, of which nothing changed."""
    project = copy_example(place, "unchanged")
    made = [
        ("classic", lambda: classic.layer(place, project, name="unchanged")),
        ("lambdabuild", lambda: own.unchanged(place, project, builder=_builder(place))),
    ]
    comparisons = [Comparison(ours="lambdabuild", theirs="classic", at_least=60)]
    return _race("unchanged", "Layer, nothing changed", made, comparisons)


def floor(place: Workplace) -> Race:
    """The unchanged layer beside a Python that imports click and ends."""
    project = copy_example(place, "floor")
    ours = own.unchanged(place, project, builder=_builder(place))
    least = Contender(
        name="floor",
        label='python -c "import click"',
        short="python",
        argv=[sys.executable, "-c", "import click"],
        cwd=place.folder,
        environ=place.environ,
    )
    comparisons = [Comparison(ours="lambdabuild", theirs="floor", at_most=2.5)]
    made = [("python", lambda: least), ("lambdabuild", lambda: ours)]
    return _race("floor", "Layer, nothing changed, and the least that Python takes", made, comparisons, repeat=4)


def code(place: Workplace) -> Race:
    """The slim zips after an edit."""
    project = copy_example(place, "code")
    made = [
        ("sam build --cached", lambda: sam.cached_functions(place, project, own.folder_of(place, "code/sam"), SOURCE)),
        ("lambdabuild", lambda: own.code_edited(place, project, SOURCE, builder=_builder(place))),
    ]
    comparisons = [Comparison(ours="lambdabuild", theirs="sam", at_least=10)]
    return _race("code", "Three slim zips, code edited", made, comparisons, repeat=2)


def fat(place: Workplace) -> Race:
    """The fat zips after the layer."""
    project = copy_example(place, "fat")
    ours = own.fat(place, project, builder=_builder(place))
    own.build(place, project, ours.argv)
    count = len(project.functions)
    folder = own.folder_of(place, "fat/zip")
    made = [
        ("zip", lambda: classic.zips(place, ours.archives, folder, label=f"{count} times zip -qr of the same trees")),
        ("lambdabuild", lambda: ours),
    ]
    comparisons = [Comparison(ours="lambdabuild", theirs="zip", at_least=20)]
    return _race("fat", "Three fat zips, the layer built before", made, comparisons)


def host(place: Workplace) -> Race:
    """The layer without a container."""
    project = copy_example(place, "host")
    made = [
        ("uv's guide", lambda: uvguide.layer(place, project, own.folder_of(place, "host/uv"))),
        ("lambdabuild", lambda: own.cold(place, project, builder="host")),
    ]
    comparisons = [Comparison(ours="lambdabuild", theirs="uv", at_least=4)]
    return _race("host", "Layer without Docker, nothing built before", made, comparisons)


def everything(place: Workplace) -> Race:
    """Layer, slim zips and fat zips, from downloads alone."""
    project = copy_example(place, "all")
    also = [*project.functions, *(f"{name}-fat" for name in project.functions)]
    then = " && ".join(_zipped_too(project, name) for name in project.functions)
    made = [
        ("classic", lambda: classic.layer(place, project, name="all", then=then, also=also)),
        ("lambdabuild", lambda: own.everything(place, project, builder=_builder(place))),
    ]
    comparisons = [Comparison(ours="lambdabuild", theirs="classic")]
    return _race("all", "Layer, three slim zips and three fat zips, nothing built before", made, comparisons)


def size(place: Workplace) -> Race:
    """The layer's archive beside the best of zip; one round, sizes do not vary."""
    project = copy_example(place, "size")
    ours = own.unchanged(place, project, builder=_builder(place))
    folder = own.folder_of(place, "size/zip")
    best = classic.zips(place, ours.archives, folder, label="zip -9 -qrXD of the same tree", options="-9 -qrXD")
    comparisons = [Comparison(ours="lambdabuild", theirs="zip", figure="size", at_most=1)]
    made = [("zip -9", lambda: best), ("lambdabuild", lambda: ours)]
    return _race("size", "Zipped size of the layer", made, comparisons, single=True)


def scales(place: Workplace) -> Iterator[Race]:
    """The monorepos."""
    return iter(scale.races(place, builder=_builder(place)))


CASES: Mapping[str, Callable[[Workplace], Race | Iterator[Race]]] = {
    "layer": layer,
    "dependency": dependency,
    "unchanged": unchanged,
    "floor": floor,
    "code": code,
    "fat": fat,
    "all": everything,
    "host": host,
    "size": size,
    "scale": scales,
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


def _race(
    name: str,
    title: str,
    made: Sequence[tuple[str, Make]],
    comparisons: Sequence[Comparison],
    *,
    repeat: int = 1,
    single: bool = False,
) -> Race:
    contenders: list[Contender] = []
    missing: dict[str, str] = {}
    for label, make in made:
        try:
            contenders.append(make())
        except Failed as error:
            missing[label] = str(error)
            print(f"{label}: {error}", file=sys.stderr)
    return Race(
        name=name,
        title=title,
        contenders=contenders,
        comparisons=comparisons,
        missing=missing,
        repeat=repeat,
        single=single,
    )


def _builder(place: Workplace) -> str:
    return "docker" if place.docker else "host"


def _zipped_too(project: Project, name: str) -> str:
    """Zips the sources alone, and once more with all dependencies."""
    source = shlex.quote(str(project.folder / "src"))
    return (
        f'here=$PWD && (cd {source} && zip -qr "$here/{name}.zip" .) && '
        f'(cd python && zip -qr "$here/{name}-fat.zip" .) && (cd {source} && zip -qr "$here/{name}-fat.zip" .)'
    )
