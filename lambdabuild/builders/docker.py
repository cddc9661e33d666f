"""The docker builder: installs inside the Lambda image on a Docker Engine, near or far."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath

from lambdabuild import uv
from lambdabuild.builders.base import (
    FILES,
    Image,
    Installation,
    InstalledFile,
    Kind,
    Outcome,
    Transformation,
    counted,
    room_folder,
    room_pylock,
)
from lambdabuild.builders.container import CACHE, WORK, Container, engine_errors, running
from lambdabuild.builders.download import fetch
from lambdabuild.builders.engine import Engine, python_of
from lambdabuild.builders.handover import Handover
from lambdabuild.builders.images import ensure_builder_image, last_lines
from lambdabuild.builders.libraries import list_libraries
from lambdabuild.builders.ownership import remove_orphans, remove_own
from lambdabuild.builders.pipe import Pipe, Unreachable, opened, read_sent, sender
from lambdabuild.builders.secrets import tls_context
from lambdabuild.builders.tar import read_installed
from lambdabuild.builders.transforms import program_digest
from lambdabuild.builders.trees import TreeFile, build_environment, build_input, read_file
from lambdabuild.builders.workshop import transformed
from lambdabuild.errors import BuildError, MachineError
from lambdabuild.model.credentials import Credentials, redacted
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.forwarding import forwarded_without_credentials, without_indexes
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Target

log = logging.getLogger(__name__)

CACHE_VOLUME = "lambdabuild-uv-cache"
_TREE = f"{WORK}/tree"
_GROWTH = 6
"""How many times its size a wheel takes unpacked; three to four is usual."""
_LARGE = 50_000_000
_MOST = 1 / 4
"""The share of the engine's memory up to which wheels are unpacked in memory, not on its disk."""
_PIPE = "/lambdabuild/files"
_READING = "reading the installed tree"

ReadTree = Callable[..., Iterator[InstalledFile]]
"""Reads what an installation made, given the number of rooms."""


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
    ) -> None:
        """``recipe`` holds the builder image's files; ``scratch`` makes temporary folders."""
        self._engine = engine
        self._environ = environ
        self._recipe = recipe
        self._scratch = scratch
        self._handover = Handover(engine=engine, uv=uv, uv_version=uv_version, environ=environ, credentials=credentials)

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
                trees.append(stack.enter_context(self._wheels_installed(order.target, wheels, listen)))
            if sources:
                trees.append(stack.enter_context(self._sources_built(order.target, sources, listen)))
            yield chain.from_iterable(read(rooms=len(order.rooms)) for read in trees)

    @contextmanager
    def _wheels_installed(
        self, target: Target, rooms: Mapping[int, tuple[Pin, ...]], listen: Listener
    ) -> Iterator[ReadTree]:
        """Wheels in a container that may see credentials and runs no code of a distribution."""
        image = self._engine.ensure(self._engine.native(target), listen)
        python = python_of(target)
        in_memory = _unpacked(rooms.values()) < self._engine.memory * _MOST
        with ExitStack() as stack:
            pipe = stack.enter_context(opened(self._scratch)) if self._engine.near else None
            container = stack.enter_context(
                running(
                    self._engine.client,
                    str(image.id),
                    python=python,
                    cache=CACHE_VOLUME,
                    in_memory=in_memory,
                    lend={_PIPE: pipe.path} | self._handover.loans() if pipe is not None else {},
                )
            )
            count = counted(sum(map(len, rooms.values())))
            listen(Event(phase="install", text=f"installing {count} for {target} in the image"))
            locks = [
                (room_pylock(n), 0o400, uv.format_pylock(pins, folder=FILES).encode()) for n, pins in rooms.items()
            ]
            local = {pin for pins in rooms.values() for pin in pins if pin.path is not None}
            files = [(f"{FILES}/{pin.filename}", 0o400, read_file(pin)) for pin in local]
            folders = _folders(FILES, "tree", *(f"tree/{room_folder(n)}" for n in rooms))
            container.put(WORK, [*folders, *locks, *files, *self._handover.files()])
            environ = without_indexes(forwarded_without_credentials(self._environ))
            inside = self._handover.uv(container, environ | self._handover.settings(f"{CACHE}/uv"))
            run = partial(inside.run, doing="installing in the container")
            urls = [pin.url for pins in rooms.values() for pin in pins if pin.path is None]
            private = None
            for room in rooms:
                folder = f"{_TREE}/{room_folder(room)}"
                command = partial(uv.install_command, room_pylock(room), folder, target, python=python)
                if run(command(offline=True)).returncode == 0:
                    continue
                if private is None:
                    container.put(CACHE, _folders("uv"))  # a new volume has none, where that attempt fails
                    private = self._handover.put_credentials(container, urls)
                ran = run(command(offline=False), private=private)
                if ran.returncode != 0:
                    stderr = redacted(ran.stderr, self._handover.credentials.secrets(urls))
                    raise uv.failure("installing in the container", stderr)
            yield partial(_read_tree, container, pipe if container.lent else None)

    @contextmanager
    def _sources_built(self, target: Target, sources: Mapping[int, Pin], listen: Listener) -> Iterator[ReadTree]:
        """Builds in a container of the target's own architecture, which sees no credentials: it runs code of others."""
        public = forwarded_without_credentials(self._environ)
        need = f"{', '.join(map(str, sources.values()))} must be built from source for {target}"
        image = self._builder_image(target, listen, need=need, other="choose versions that have wheels")
        python = python_of(target)
        with running(self._engine.client, image, python=python, cache=None) as container:
            folders = _folders("tmp", "tree", *(f"tree/{room_folder(n)}" for n in sources))
            container.put(WORK, [*folders, *self._handover.files()])
            environ = (
                public
                | self._handover.settings(f"{WORK}/tmp/uv-cache")
                | {"TMPDIR": f"{WORK}/tmp", "HOME": f"{WORK}/tmp"}
            )
            inside = self._handover.uv(container, environ)
            fetch_file = partial(fetch, credentials=self._handover.credentials, tls=tls_context(self._environ))
            for room, pin in sources.items():
                listen(Event(phase="build", text=f"building {pin} from source"))
                source = build_input(pin, self._environ, fetch=fetch_file)
                container.put(WORK, _with_folders((f"source-{room}/{file[0]}", *file[1:]) for file in source.files))
                folder = f"{_TREE}/{room_folder(room)}"
                argv = uv.build_command(f"{WORK}/source-{room}/{source.path}", folder, python=python)
                ran = inside.run(argv, also=build_environment(pin), doing=f"building {pin}")
                if ran.returncode != 0:
                    raise _build_failure(pin, ran.stderr)
            yield partial(_read_tree, container, None)

    def cancel(self) -> None:
        with engine_errors("removing containers"):
            remove_own(self._engine.client)

    def libraries(self, target: Target, *, listen: Listener) -> frozenset[str] | None:
        # Lambda's images of both architectures are made of the same packages.
        return list_libraries(self._engine, self._engine.native(target), listen=listen)

    def transformer(self, kind: Kind, target: Target, *, listen: Listener) -> str:
        if kind == "compile":
            # Bytecode has no architecture, so the engine's own makes it, without emulation.
            image = self._engine.describe(self._engine.native(target), listen).digest
        else:
            image = self._image_with_binutils(target, listen)
        return f"{program_digest(kind)} in {image}"

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


def _unpacked(rooms: Iterable[Sequence[Pin]]) -> int:
    """Bytes that wheels will take at most, by experience; a wheel of which the lock tells no size counts as large."""
    return sum(_GROWTH * (pin.size or _LARGE) for pins in rooms for pin in pins)


def _read_tree(container: Container, pipe: Pipe | None, *, rooms: int) -> Iterator[InstalledFile]:
    """What was installed, through the pipe where it has two ends, else as the engine sends it."""
    if pipe is not None:
        argv = sender(container.python, _TREE, _PIPE)
        try:
            yield from read_sent(pipe, partial(container.run, argv, environ={}, doing=_READING), rooms=rooms)
            return
        except Unreachable as why:
            log.debug("read through the engine: %s", why)
    yield from read_installed(container.get(_TREE), rooms=rooms)


def _folders(*names: str) -> list[TreeFile]:
    """Entries of folders for the build user alone."""
    return [(f"{name}/", 0o700, b"") for name in names]


def _with_folders(files: Iterable[TreeFile]) -> list[TreeFile]:
    """Files and all folders above them, which the build user may write to."""
    files = list(files)
    above = {parent.as_posix() for path, _, _ in files for parent in PurePosixPath(path).parents if parent.name}
    return [*_folders(*sorted(above)), *files]


def _build_failure(pin: Pin, stderr: str) -> BuildError:
    if pin.no_wheel is None:
        return BuildError(f"building {pin} failed:\n{last_lines(stderr)}", hint="mend its build, or leave it out")
    return BuildError(
        f"{pin.no_wheel}; building it in the builder image failed:\n{last_lines(stderr)}",
        hint=f"choose a version of {pin.name} that has a wheel for the target, or leave it out",
    )
