"""The Docker Engine that a run talks to: its connection, its architecture, and the Lambda images on it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

import docker

from lambdabuild.builders.base import Image, place_of
from lambdabuild.builders.container import engine_errors, running
from lambdabuild.builders.endpoint import Endpoint, find_endpoint, no_answer
from lambdabuild.builders.images import ensure_image, find_image, image_digest
from lambdabuild.errors import MachineError
from lambdabuild.model.events import Listener
from lambdabuild.model.target import Target

if TYPE_CHECKING:
    from docker.models.images import Image as DockerImage

_TIMEOUT = 600
"""Seconds without a byte from the engine, which is quiet while a command in the container is."""
ARCHITECTURES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}
"""Machines, as engines and kernels name them, in AWS's words."""


class Engine:
    """Connects when it is first needed; raises MachineError when no engine answers."""

    def __init__(
        self,
        *,
        image: str,
        environ: Mapping[str, str],
        note: Callable[[Mapping[str, str]], None] | None = None,
        timeout: int = _TIMEOUT,
    ) -> None:
        """``image`` is a reference with ``{python}`` and ``{architecture}``; ``note`` is called with the environment
        that tells of the engine, when it answers."""
        self._note = note
        self._timeout = timeout
        self._template = image
        self._environ = environ
        self._connecting = Lock()
        self._client: docker.DockerClient | MachineError | None = None

    @property
    def place(self) -> str:
        """Which engine and which images, as far as they are known without asking."""
        return place_of(self._template, self._environ)

    @cached_property
    def endpoint(self) -> Endpoint:
        """Where the engine is; raises ChoiceError when there is no such context."""
        return find_endpoint(self._environ)

    @property
    def client(self) -> docker.DockerClient:
        with self._connecting:
            if self._client is None:
                self._client = self._connect()
        if isinstance(self._client, MachineError):
            raise self._client
        return self._client

    def _connect(self) -> docker.DockerClient | MachineError:
        """A connection, or why there is none: asked once, since an engine that is gone can be long in not answering."""
        try:
            endpoint = self.endpoint
            client = docker.from_env(timeout=self._timeout, environment=dict(self._environ))
            client.ping()
        except MachineError as error:
            return error
        except Exception as error:  # docker-py has no one kind for what is wrong with certificates, contexts, ssh …
            return no_answer(endpoint, error)
        if self._note is not None:
            self._note(self._environ)
        return client

    @cached_property
    def architecture(self) -> str:
        """The engine's own architecture, in AWS's words."""
        with engine_errors("asking the engine for its architecture"):
            machine = str(self.client.version()["Arch"])
        return ARCHITECTURES.get(machine, machine)

    @cached_property
    def memory(self) -> int:
        """Bytes of memory of the engine's machine."""
        with engine_errors("asking the engine for its memory"):
            return int(self.client.info()["MemTotal"])

    @property
    def near(self) -> bool:
        """Whether it may run on this machine's own kernel, as far as that is known without trying."""
        return sys.platform == "linux" and self.endpoint.host.startswith("unix://")

    def native(self, target: Target) -> Target:
        """The runtime on the engine's own architecture, which runs without emulation."""
        return Target(runtime=target.runtime, architecture=self.architecture)

    def ensure(self, target: Target, listen: Listener) -> DockerImage:
        """The Lambda image for the target, pulled unless the engine has it."""
        return ensure_image(self.client, self._reference(target), target, listen)

    def has(self, target: Target) -> bool:
        """Whether the image for the target is there, without a pull."""
        return find_image(self.client, self._reference(target), target) is not None

    def describe(self, target: Target, listen: Listener) -> Image:
        """The Lambda image for the target, made ready, as it is told of in a manifest."""
        return Image(reference=self._reference(target), digest=image_digest(self.ensure(target, listen)))

    def runs(self, image: str, target: Target) -> bool:
        """Whether the engine runs programs of an image of another architecture than its own: it has emulation."""
        python = python_of(target)
        if target.architecture == self.architecture:
            return True
        with suppress(MachineError), running(self.client, image, python=python) as probe:
            return probe.run([python, "-c", ""], environ={}, doing="trying the image").returncode == 0
        return False

    def _reference(self, target: Target) -> str:
        return self._template.format(python=target.runtime.image_tag, architecture=target.architecture)


def python_of(target: Target) -> str:
    """The path of the interpreter in the Lambda image."""
    return f"/var/lang/bin/python{target.runtime.python}"
