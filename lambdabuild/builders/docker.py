"""The docker builder: installs inside the Lambda image on a Docker Engine, near or far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from itertools import chain
from pathlib import Path

from lambdabuild.builders.base import (
    Image,
    Installation,
    InstalledFile,
    Kind,
    Outcome,
    ReadTree,
    Transformation,
)
from lambdabuild.builders.compiling import sources_built
from lambdabuild.builders.container import engine_errors
from lambdabuild.builders.engine import Engine
from lambdabuild.builders.failures import KeepLog, no_log
from lambdabuild.builders.handover import Handover
from lambdabuild.builders.images import ensure_builder_image
from lambdabuild.builders.installing import wheels_installed
from lambdabuild.builders.libraries import list_libraries
from lambdabuild.builders.ownership import remove_orphans, remove_own
from lambdabuild.builders.recipe import recipe_digest
from lambdabuild.builders.transforms import program_digest
from lambdabuild.builders.workshop import transformed
from lambdabuild.errors import MachineError
from lambdabuild.model.credentials import Credentials
from lambdabuild.model.events import Listener
from lambdabuild.model.forwarding import forwarded_without_credentials
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Target


class DockerBuilder:
    """Installs in containers of the Lambda image."""

    name = "docker"

    def __init__(
        self,
        *,
        engine: Engine,
        uv: Path,
        uv_version: str,
        environ: Mapping[str, str],
        recipe: Mapping[str, bytes],
        scratch: Callable[[], AbstractContextManager[Path]],
        credentials: Callable[[], Credentials] = Credentials,
        output: Path | None = None,
        keep_log: KeepLog = no_log,
    ) -> None:
        """``recipe`` holds the builder image's files; ``scratch`` makes temporary folders; in ``output`` is what builds
        made, which is not part of any source tree."""
        self._output = output
        self._engine = engine
        self._environ = environ
        self._recipe = recipe
        self._keep_log = keep_log
        self._scratch = scratch
        self._handover = Handover(engine=engine, uv=uv, environ=environ, credentials=credentials)

    @property
    def place(self) -> str:
        return self._engine.place

    def make_ready(self) -> None:
        with suppress(MachineError):
            _ = self._engine.client

    def image(self, target: Target, *, listen: Listener) -> Image | None:
        # Wheels are unpacked on the engine's own architecture for any target, without emulation.
        return self._engine.describe(self._engine.native(target), listen)

    @contextmanager
    def install(self, order: Installation, *, listen: Listener) -> Iterator[Iterator[InstalledFile]]:
        with engine_errors("removing what killed builds left"):
            remove_orphans(self._engine.client)
        wheels = {room: pins for room, pins in enumerate(order.rooms) if pins[0].kind == "wheel"}
        sources = {room: pins[0] for room, pins in enumerate(order.rooms) if pins[0].kind != "wheel"}
        with ExitStack() as stack:
            trees = []
            if wheels:
                trees.append(stack.enter_context(self._wheels_installed(wheels, order.target, listen=listen)))
            if sources:
                trees.append(stack.enter_context(self._sources_built(sources, order.target, listen=listen)))
            yield chain.from_iterable(read(len(order.rooms)) for read in trees)

    def _wheels_installed(
        self, wheels: Mapping[int, tuple[Pin, ...]], target: Target, *, listen: Listener
    ) -> AbstractContextManager[ReadTree]:
        return wheels_installed(
            wheels,
            target,
            engine=self._engine,
            handover=self._handover,
            environ=self._environ,
            scratch=self._scratch,
            listen=listen,
        )

    def _sources_built(
        self, sources: Mapping[int, Pin], target: Target, *, listen: Listener
    ) -> AbstractContextManager[ReadTree]:
        need = f"{', '.join(map(str, sources.values()))} must be built from source for {target}"
        image = self._builder_image(target, listen, need=need, other="choose versions that have wheels")
        return sources_built(
            sources,
            target,
            engine=self._engine,
            image=image,
            handover=self._handover,
            environ=self._environ,
            output=self._output,
            keep_log=self._keep_log,
            listen=listen,
        )

    def cancel(self) -> None:
        with suppress(MachineError), engine_errors("removing containers"):  # what it is called for is told instead
            remove_own(self._engine.client)

    def libraries(self, target: Target, *, listen: Listener) -> frozenset[str] | None:
        # Lambda's images of both architectures are made of the same packages.
        return list_libraries(self._engine, self._engine.native(target), listen=listen)

    def transformer(self, kind: Kind, target: Target, *, listen: Listener) -> str:
        if kind == "compile":
            # Bytecode has no architecture, so the engine's own makes it, without emulation.
            return f"{program_digest(kind)} in {self._engine.describe(self._engine.native(target), listen).digest}"
        self._image_with_binutils(target, listen)
        made = f"{self._engine.describe(target, listen).digest} with {recipe_digest(self._recipe)}"
        return f"{program_digest(kind)} in {made}"

    @contextmanager
    def transform(self, order: Transformation, *, listen: Listener) -> Iterator[Outcome]:
        with engine_errors("removing what killed builds left"):
            remove_orphans(self._engine.client)
        if order.kind == "compile":
            image = str(self._engine.ensure(self._engine.native(order.target), listen).id)
        else:
            image = self._image_with_binutils(order.target, listen)
        with transformed(self._engine.client, image, order) as outcome:
            yield outcome

    def _image_with_binutils(self, target: Target, listen: Listener) -> str:
        need = f"symbols for {target} are stripped by its own binutils"
        return self._builder_image(target, listen, need=need, other="leave out strip-symbols")

    def _builder_image(self, target: Target, listen: Listener, *, need: str, other: str) -> str:
        """The id of the image with a toolchain of the target's own architecture; ``need`` and ``other`` are for who has
        an engine that cannot run it: what it is needed for, and what goes without."""
        base = self._engine.ensure(target, listen)
        if not self._engine.runs(str(base.id), target):
            raise MachineError(
                f"{need}, and this engine ({self._engine.architecture}) runs no {target.architecture} programs",
                hint="build on an engine of that architecture (DOCKER_HOST), set up emulation (https://docs.docker.com/"
                f"build/building/multi-platform/#qemu), or {other}",
            )
        public = forwarded_without_credentials(self._environ)
        return ensure_builder_image(
            self._engine.client,
            base,
            target,
            recipe=self._recipe,
            ca_bundle=self._handover.ca_bundle or b"",
            proxies={name: value for name, value in public.items() if name.lower().endswith("_proxy")},
            listen=listen,
        )
