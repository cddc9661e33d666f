"""Transformations in a container: files go in with a program, it runs, and its results come out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import docker

from lambdabuild.builders.base import Outcome, Transformation
from lambdabuild.builders.container import WORK, running
from lambdabuild.builders.engine import python_of
from lambdabuild.builders.failures import last_lines
from lambdabuild.builders.tar import read_installed
from lambdabuild.builders.transforms import DOING, ENVIRONMENT, RESULTS, Workplace
from lambdabuild.errors import BuildError

_PLACE = "transform"


@contextmanager
def transformed(client: docker.DockerClient, image: str, order: Transformation) -> Iterator[Outcome]:
    """What becomes of the files in a container of this image, which sees no credentials: it runs code of others."""
    python, workplace, folder = python_of(order.target), Workplace(order), f"{WORK}/{_PLACE}"
    in_memory = order.kind == "compile"  # many small files; shared objects may be gigabytes
    with running(client, image, python=python, in_memory=in_memory) as container:
        files = ((f"{_PLACE}/{name}", mode, content) for name, mode, content in workplace.inputs())
        container.put(WORK, chain([(f"{_PLACE}/", 0o700, b"")], files))
        ran = container.run(workplace.command(python, folder), environ=ENVIRONMENT, doing=DOING[order.kind])
        if ran.returncode != 0:
            container.check_memory(doing=DOING[order.kind])
            raise BuildError(f"{DOING[order.kind]} in the container failed:\n{last_lines(ran.stderr)}")
        made = read_installed(container.get(f"{folder}/{RESULTS}"), rooms=1)
        yield Outcome(version=ran.stdout.strip(), files=workplace.results(made))
