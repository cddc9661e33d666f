"""Wheels installed in a container of the Lambda image, without network and without credentials, and listed there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from importlib.resources import files
from pathlib import Path

from lambdabuild import uv
from lambdabuild.builders.base import Laid, counted
from lambdabuild.builders.container import WORK, Container, running
from lambdabuild.builders.engine import Engine, python_of
from lambdabuild.builders.execution import Ran
from lambdabuild.builders.handover import Handover
from lambdabuild.builders.trees import folder_entries
from lambdabuild.builders.wheelhouse import Wheelhouse, loans
from lambdabuild.errors import MachineError
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.segment import launcher_for_runtime
from lambdabuild.model.target import Target
from lambdabuild.wheels.installed import LaidFile, parse_listing
from lambdabuild.wheels.wheelfile import WheelFile

_GROWTH = 6
"""How many times its size a wheel takes unpacked, and uv's cache with it; three to four is usual."""
_MOST = 1 / 4
"""The share of the engine's memory up to which wheels are unpacked in memory, not on its disk."""
_LISTING = (files("lambdabuild.resources") / "programs" / "listing.py").read_text(encoding="utf-8")


def lay_down(
    rooms: Sequence[Sequence[WheelFile]],
    target: Target,
    *,
    engine: Engine,
    handover: Handover,
    scratch: Callable[[], AbstractContextManager[Path]],
    listen: Listener,
) -> tuple[Laid, ...]:
    """Install wheels, each room in a folder of its own, and tell what lies there.

    Raises BuildError where uv does not take a wheel, MachineError where the engine fails.
    """
    image = engine.ensure(engine.native(target), listen)
    python = python_of(target)
    wheels = [wheel for room in rooms for wheel in room]
    in_memory = sum(_GROWTH * wheel.path.stat().st_size for wheel in wheels) < engine.memory * _MOST
    with (
        scratch() as folder,
        running(
            engine.client,
            str(image.id),
            python=python,
            in_memory=in_memory,
            lend=loans(engine, handover, folder),
        ) as container,
    ):
        listen(Event(phase="install", text=f"installing {counted(len(wheels))} for {target} in the image"))
        inside = handover.uv(container, handover.settings(f"{WORK}/uv-cache"))
        wheelhouse = Wheelhouse(container, folder)
        listings = []
        for number, room in enumerate(rooms):
            tree = f"{WORK}/tree-{number}"
            container.put(WORK, folder_entries(f"tree-{number}"))

            def install(paths: list[str], tree: str = tree) -> Ran:
                argv = uv.wheels_command(paths, tree, target, python=python)
                return inside.run(argv, doing="installing in the container")

            ran = wheelhouse.run(str(number), room, install)
            if ran.returncode != 0:
                raise uv.failure("installing in the container", ran.stderr)
            listings.append(_listed(container, tree, target))
        return tuple(listings)


def _listed(container: Container, tree: str, target: Target) -> Mapping[str, LaidFile]:
    ran = container.run([container.python, "-I", "-c", _LISTING, tree], environ={}, doing="listing what was installed")
    try:
        return parse_listing(ran.stdout, partial(launcher_for_runtime, python=target.runtime.python))
    except (TypeError, ValueError) as error:
        raise MachineError(
            f"what was installed could not be listed (exit status {ran.returncode}): {ran.stderr}"
        ) from error
