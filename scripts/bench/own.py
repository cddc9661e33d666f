"""lambdabuild itself, in the states that the cases name."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from scripts.bench.measure import read, run
from scripts.bench.projects import VERSIONS, Edited, Project, Snapshot, lock_with
from scripts.bench.race import Contender, nothing
from scripts.bench.workplace import Workplace, tool

_NO_VERIFY = "--no-verify"


def command(project: Project, verb: str, *argv: str, builder: str, verified: bool = False) -> list[str]:
    """The command; the others verify nothing, so it does not either unless it is asked to."""
    options = ["--project", str(project.folder), "--builder", builder]
    return [tool("lambdabuild"), verb, *argv, *options, *_unverified(verb, verified)]


def contender(
    place: Workplace,
    project: Project,
    argv: Sequence[str],
    *,
    name: str,
    label: str,
    prepare: Callable[[], None] = nothing,
    archives: Sequence[str] = ("layer",),
) -> Contender:
    """lambdabuild on this project, with a cache of the project's own."""
    return Contender(
        name=name,
        label=label,
        short=name if name == "lambdabuild" else f"lambdabuild, {name}",
        argv=argv,
        cwd=project.folder,
        environ={**place.environ, "LAMBDABUILD_CACHE_DIR": str(project.cache)},
        prepare=prepare,
        archives=[project.output / f"{archive}.zip" for archive in archives],
    )


def build(place: Workplace, project: Project, argv: Sequence[str]) -> None:
    """Build outside of what is timed; raises Failed."""
    environ = {**place.environ, "LAMBDABUILD_CACHE_DIR": str(project.cache)}
    run(argv, cwd=project.folder, environ=environ, log=place.folder / "set-up.log", timeout=900, measured=False)


def cold(place: Workplace, project: Project, *, builder: str, verified: bool = False) -> Contender:
    """The layer from an empty segment cache, every file downloaded already."""
    return contender(
        place,
        project,
        command(project, "layer", builder=builder, verified=verified),
        name="verified" if verified else "lambdabuild",
        label=f"lambdabuild layer, {builder} builder" + (", verified" if verified else ""),
        prepare=project.forget,
    )


def unchanged(place: Workplace, project: Project, *, builder: str) -> Contender:
    """The layer once more, with every default: nothing is to be done, and nothing to be left out."""
    argv = command(project, "layer", builder=builder, verified=True)
    build(place, project, argv)
    return contender(place, project, argv, name="lambdabuild", label="lambdabuild layer, unchanged")


def dependency_changed(place: Workplace, project: Project, *, builder: str) -> Contender:
    """The layer after one small distribution got another version that was never built."""
    argv = command(project, "layer", builder=builder)
    new, old = (lock_with(place, project.folder, version) for version in reversed(VERSIONS))
    build(place, project, argv)
    built = Snapshot([project.cache, project.output])
    built.save()
    lock = project.folder / "uv.lock"
    # Its file is downloaded, as every other: what is timed is the install.
    lock.write_bytes(new)
    build(place, project, argv)

    def prepare() -> None:
        assert new != old
        built.restore()
        lock.write_bytes(new)

    return contender(
        place, project, argv, name="lambdabuild", label="lambdabuild layer, one dependency changed", prepare=prepare
    )


def code_edited(place: Workplace, project: Project, source: str, *, builder: str) -> Contender:
    """All slim zips after an edit in the package that they share."""
    argv = command(project, "package", builder=builder)
    build(place, project, argv)
    return contender(
        place,
        project,
        argv,
        name="lambdabuild",
        label=f"lambdabuild package, code edited, {len(project.functions)} slim zips",
        prepare=Edited(project.folder / source).edit,
        archives=project.functions,
    )


def fat(place: Workplace, project: Project, *, builder: str) -> Contender:
    """All fat zips, none of them there, after the layer was built."""
    build(place, project, command(project, "layer", builder=builder))
    built = Snapshot([project.cache, project.output])
    built.save()
    return contender(
        place,
        project,
        command(project, "package", "--fat", builder=builder),
        name="lambdabuild",
        label=f"lambdabuild package --fat, {len(project.functions)} fat zips",
        prepare=built.restore,
        archives=[f"{name}-fat" for name in project.functions],
    )


def everything(place: Workplace, project: Project, *, builder: str) -> Contender:
    """Layer, slim zips and fat zips from an empty segment cache."""
    commands = [command(project, "package", *argv, builder=builder) for argv in ([], ["--fat"])]
    return contender(
        place,
        project,
        ["sh", "-c", " && ".join(map(shlex.join, commands))],
        name="lambdabuild",
        label=f"lambdabuild package, then package --fat, {builder} builder",
        prepare=project.forget,
        archives=["layer", *project.functions, *(f"{name}-fat" for name in project.functions)],
    )


def _unverified(verb: str, verified: bool) -> list[str]:
    return [_NO_VERIFY] if not verified and _NO_VERIFY in _options(verb) else []


@cache
def _options(verb: str) -> str:
    return read([tool("lambdabuild"), verb, "--help"])


def verifies() -> bool:
    """Whether this lambdabuild verifies what it builds."""
    return _NO_VERIFY in _options("layer")


def folder_of(place: Workplace, name: str) -> Path:
    """An empty folder for what a contender works on."""
    folder = place.folder / name
    folder.mkdir(parents=True)
    return folder
