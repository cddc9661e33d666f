"""Which shared libraries an image has: asked of a container of it, in a second."""

from __future__ import annotations

from importlib.resources import files

from lambdabuild.builders.container import running
from lambdabuild.builders.engine import Engine, python_of
from lambdabuild.builders.failures import last_lines
from lambdabuild.errors import MachineError
from lambdabuild.model.events import Listener
from lambdabuild.model.target import Target


def list_libraries(engine: Engine, target: Target, *, listen: Listener) -> frozenset[str]:
    """File names of the libraries that the loader finds in the image for the target."""
    image = str(engine.ensure(target, listen).id)
    python = python_of(target)
    program = (files("lambdabuild.resources") / "programs" / "libraries.py").read_text(encoding="utf-8")
    with running(engine.client, image, python=python) as container:
        ran = container.run([python, "-I", "-c", program], environ={}, doing="listing the libraries of the image")
    if ran.returncode != 0:
        raise MachineError(f"the image {image} does not tell which libraries it has:\n{last_lines(ran.stderr)}")
    return frozenset(ran.stdout.splitlines())
