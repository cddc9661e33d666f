"""The docker builder: the Lambda image on a Docker Engine, near or far, where wheels are installed and built."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from lambdabuild.builders.base import Image, Kind, Laid, Outcome, Provide, Transformation, WheelBuild
from lambdabuild.builders.container import engine_errors
from lambdabuild.builders.engine import Engine
from lambdabuild.builders.failures import KeepLog, no_log
from lambdabuild.builders.handover import FetchUv, Handover
from lambdabuild.builders.images import ensure_builder_image
from lambdabuild.builders.laying import lay_down
from lambdabuild.builders.libraries import list_libraries
from lambdabuild.builders.ownership import remove_orphans, remove_own
from lambdabuild.builders.recipe import recipe_digest
from lambdabuild.builders.transforms import program_digest
from lambdabuild.builders.workshop import transformed
from lambdabuild.errors import MachineError
from lambdabuild.model.events import Listener
from lambdabuild.model.forwarding import forwarded_without_credentials
from lambdabuild.model.target import Target
from lambdabuild.wheels.wheelfile import WheelFile


class DockerBuilder:
    """Works in containers of the Lambda image."""

    name = "docker"

    def __init__(
        self,
        *,
        engine: Engine,
        uv: Path,
        environ: Mapping[str, str],
        recipe: Mapping[str, bytes],
        scratch: Callable[[], AbstractContextManager[Path]],
        fetch_uv: FetchUv | None = None,
        output: Path | None = None,
        keep_log: KeepLog = no_log,
    ) -> None:
        """``recipe`` holds the builder image's files; ``scratch`` makes temporary folders; in ``output`` is what builds
        made, which is not part of any source tree; ``fetch_uv`` is asked where this machine's uv does not run in
        containers."""
        self._output = output
        self._engine = engine
        self._environ = environ
        self._recipe = recipe
        self._keep_log = keep_log
        self._scratch = scratch
        self._handover = Handover(engine=engine, uv=uv, environ=environ, fetch_uv=fetch_uv)

    @property
    def place(self) -> str:
        return self._engine.place

    def make_ready(self) -> None:
        with suppress(MachineError):
            _ = self._engine.client

    def image(self, target: Target, *, listen: Listener) -> Image | None:
        # Wheels are unpacked on the engine's own architecture for any target, without emulation.
        return self._engine.describe(self._engine.native(target), listen)

    def lay_down(
        self, rooms: Sequence[Sequence[WheelFile]], target: Target, *, listen: Listener
    ) -> Sequence[Laid] | None:
        self._remove_orphans()
        return lay_down(
            rooms, target, engine=self._engine, handover=self._handover, scratch=self._scratch, listen=listen
        )

    def build(self, order: WheelBuild, *, provide: Provide, folder: Path, listen: Listener) -> Path:
        from lambdabuild.builders.building import build_wheel  # with what reads sources

        self._remove_orphans()
        need = f"{order.pin} must be built from source for {order.target}"
        image = self._builder_image(order.target, listen, need=need, other="choose a version that has a wheel")
        return build_wheel(
            order,
            engine=self._engine,
            image=image,
            handover=self._handover,
            environ=self._environ,
            output=self._output,
            keep_log=self._keep_log,
            provide=provide,
            folder=folder,
            listen=listen,
        )

    def _remove_orphans(self) -> None:
        with engine_errors("removing what killed builds left"):
            remove_orphans(self._engine.client)

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
        self._remove_orphans()
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
