"""The docker builder: installs inside the Lambda image on a Docker Engine, near or far."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property, partial
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
from lambdabuild.builders.container import CACHE, WORK, Container, engine_errors, remove_orphans, remove_own, running
from lambdabuild.builders.download import fetch
from lambdabuild.builders.engine import ARCHITECTURES, Engine, python_of
from lambdabuild.builders.images import ensure_builder_image, last_lines
from lambdabuild.builders.libraries import list_libraries
from lambdabuild.builders.secrets import read_client_certificate, read_trusted, tls_context
from lambdabuild.builders.tar import read_installed
from lambdabuild.builders.transforms import program_digest
from lambdabuild.builders.trees import TreeFile, build_environment, build_input, read_file
from lambdabuild.builders.workshop import transformed
from lambdabuild.errors import BuildError, MachineError
from lambdabuild.model.credentials import Credentials, redacted
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.forwarding import (
    CLIENT_CERTIFICATE,
    forwarded_without_credentials,
    proxies_with_credentials,
    without_indexes,
)
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Target

CACHE_VOLUME = "lambdabuild-uv-cache"
_TREE = f"{WORK}/tree"
_GROWTH = 6
"""How many times its size a wheel takes unpacked; three to four is usual."""
_LARGE = 50_000_000
_MOST = 1 / 4
"""The share of the engine's memory up to which wheels are unpacked in memory, not on its disk."""
_CA_BUNDLE = "ca-bundle.pem"
_UV = "uv"


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
        credentials: Callable[[], Credentials] = Credentials,
    ) -> None:
        """``recipe`` holds the builder image's files."""
        self._engine = engine
        self._uv = uv
        self._uv_version = uv_version
        self._environ = environ
        self._recipe = recipe
        self._read_credentials = credentials

    @property
    def place(self) -> str:
        return self._engine.place

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
            containers = []
            if wheels:
                containers.append(stack.enter_context(self._wheels_installed(order.target, wheels, listen)))
            if sources:
                containers.append(stack.enter_context(self._sources_built(order.target, sources, listen)))
            yield _files(containers, rooms=len(order.rooms))

    @contextmanager
    def _wheels_installed(
        self, target: Target, rooms: Mapping[int, tuple[Pin, ...]], listen: Listener
    ) -> Iterator[Container]:
        """A container in whose tree the wheels are, which saw credentials and ran no code of a distribution."""
        image = self._engine.ensure(self._engine.native(target), listen)
        python = python_of(target)
        in_memory = _unpacked(rooms.values()) < self._engine.memory * _MOST
        with running(
            self._engine.client, str(image.id), python=python, cache=CACHE_VOLUME, in_memory=in_memory
        ) as container:
            count = counted(sum(map(len, rooms.values())))
            listen(Event(phase="install", text=f"installing {count} for {target} in the image"))
            container.put(CACHE, [("uv/", 0o755, b"")])
            locks = [
                (room_pylock(n), 0o400, uv.format_pylock(pins, folder=FILES).encode()) for n, pins in rooms.items()
            ]
            local = {pin for pins in rooms.values() for pin in pins if pin.path is not None}
            files = [(f"{FILES}/{pin.filename}", 0o400, read_file(pin)) for pin in local]
            folders = _folders(FILES, "tree", *(f"tree/{room_folder(n)}" for n in rooms))
            container.put(WORK, [*folders, *locks, *files])
            environ = without_indexes(forwarded_without_credentials(self._environ)) | self._settings(f"{CACHE}/uv")
            binary = self._put_uv(container, python, environ)
            run = partial(container.run, environ=environ, doing="installing in the container")
            urls = [pin.url for pins in rooms.values() for pin in pins if pin.path is None]
            private = None
            for room in rooms:
                folder = f"{_TREE}/{room_folder(room)}"
                command = partial(uv.install_command, room_pylock(room), folder, target, python=python)
                if run([*binary, *command(offline=True)]).returncode == 0:
                    continue
                private = private or self._put_credentials(container, urls)
                ran = run([*binary, *command(offline=False)], private=private)
                if ran.returncode != 0:
                    stderr = redacted(ran.stderr, self._credentials.secrets(urls))
                    raise uv.failure("installing in the container", stderr)
            yield container

    @contextmanager
    def _sources_built(self, target: Target, sources: Mapping[int, Pin], listen: Listener) -> Iterator[Container]:
        """A container of the target's own architecture that sees no credentials, because it runs code of others."""
        public = forwarded_without_credentials(self._environ)
        need = f"{', '.join(map(str, sources.values()))} must be built from source for {target}"
        image = self._builder_image(target, listen, need=need, other="choose versions that have wheels")
        python = python_of(target)
        with running(self._engine.client, image, python=python, cache=None) as container:
            container.put(WORK, _folders("tmp", "tree", *(f"tree/{room_folder(n)}" for n in sources)))
            environ = public | self._settings(f"{WORK}/tmp/uv-cache") | {"TMPDIR": f"{WORK}/tmp", "HOME": f"{WORK}/tmp"}
            binary = self._put_uv(container, python, environ)
            fetch_file = partial(fetch, credentials=self._credentials, tls=tls_context(self._environ))
            for room, pin in sources.items():
                listen(Event(phase="build", text=f"building {pin} from source"))
                source = build_input(pin, self._environ, fetch=fetch_file)
                container.put(WORK, _with_folders((f"source-{room}/{file[0]}", *file[1:]) for file in source.files))
                folder = f"{_TREE}/{room_folder(room)}"
                argv = [*binary, *uv.build_command(f"{WORK}/source-{room}/{source.path}", folder, python=python)]
                ran = container.run(argv, environ=environ | build_environment(pin), doing=f"building {pin}")
                if ran.returncode != 0:
                    raise _build_failure(pin, ran.stderr)
            yield container

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
            ca_bundle=self._ca_bundle or b"",
            proxies={name: value for name, value in public.items() if name.lower().endswith("_proxy")},
            listen=listen,
        )

    def _put_uv(self, container: Container, python: str, environ: Mapping[str, str]) -> list[str]:
        """The command that runs uv in the container: this machine's binary where it fits, else one from the index.

        The certificates that the environment names go in first.
        """
        if self._ca_bundle is not None:
            container.put(WORK, [(_CA_BUNDLE, 0o444, self._ca_bundle)])
        if sys.platform == "linux" and ARCHITECTURES.get(platform.machine()) == self._engine.architecture:
            container.put(WORK, [(_UV, 0o555, self._uv.read_bytes())])
            return [f"{WORK}/{_UV}"]
        container.put(WORK, _folders("uv-wheel"))
        pip = [python, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--no-deps"]
        argv = [*pip, "--target", f"{WORK}/uv-wheel", f"uv=={self._uv_version}"]
        ran = container.run(argv, environ=environ, doing="installing uv in the container")
        if ran.returncode != 0:
            raise MachineError(f"uv cannot be installed in the container:\n{last_lines(ran.stderr)}")
        return [f"{WORK}/uv-wheel/bin/uv"]

    def _put_credentials(self, container: Container, urls: Sequence[str]) -> str:
        """Hand over what uv needs to be let in where these files are; gives the path for ``Container.run``."""
        environ = proxies_with_credentials(self._environ)
        environ["UV_INDEX"] = " ".join(self._credentials.indexes(urls))
        certificate = read_client_certificate(self._environ)
        if certificate is not None:
            environ[CLIENT_CERTIFICATE] = container.put_private("client.pem", certificate)
        return container.put_private("environ.json", json.dumps(environ).encode())

    @cached_property
    def _credentials(self) -> Credentials:
        return self._read_credentials()

    def _settings(self, cache: str) -> dict[str, str]:
        """What uv needs to know in a container besides what the caller's environment says."""
        settings = {"UV_CACHE_DIR": cache, "UV_LINK_MODE": "copy", "HOME": "/tmp", "NO_COLOR": "1"}
        if self._ca_bundle is not None:
            settings |= {"SSL_CERT_FILE": f"{WORK}/{_CA_BUNDLE}", "PIP_CERT": f"{WORK}/{_CA_BUNDLE}"}
        return settings

    @cached_property
    def _ca_bundle(self) -> bytes | None:
        return read_trusted(self._environ)


def _unpacked(rooms: Iterable[Sequence[Pin]]) -> int:
    """Bytes that wheels will take at most, by experience; a wheel of which the lock tells no size counts as large."""
    return sum(_GROWTH * (pin.size or _LARGE) for pins in rooms for pin in pins)


def _files(containers: Sequence[Container], *, rooms: int) -> Iterator[InstalledFile]:
    for container in containers:
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
