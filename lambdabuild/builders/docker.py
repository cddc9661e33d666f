"""The docker builder: installs inside the Lambda image on a Docker Engine, near or far."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path

import docker
import docker.errors
import requests.exceptions

from lambdabuild import uv
from lambdabuild.builders import download
from lambdabuild.builders.base import Image, Installation, InstalledFile, counted, room_folder, room_pylock
from lambdabuild.builders.container import CACHE, WORK, Container, engine_errors, remove_orphans, running
from lambdabuild.builders.images import ensure_builder_image, ensure_image, image_digest, last_lines
from lambdabuild.builders.tar import read_installed
from lambdabuild.errors import BuildError, MachineError
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.forwarding import CA_BUNDLES, forwarded, forwarded_without_credentials
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Target

CACHE_VOLUME = "lambdabuild-uv-cache"
_TREE = f"{WORK}/tree"
_CA_BUNDLE = "ca-bundle.pem"
_UV = "uv"
_TIMEOUT = 600
"""Seconds without a byte from the engine, which is quiet while a command in the container is."""
_ARCHITECTURES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}
_BUILD_EPOCH = "315532800"


class DockerBuilder:
    """Installs in containers of the Lambda image."""

    name = "docker"

    def __init__(
        self, *, image: str, uv: Path, uv_version: str, environ: Mapping[str, str], recipe: Mapping[str, bytes]
    ) -> None:
        """``image`` is a reference with ``{python}`` and ``{architecture}``; ``recipe`` the builder image's files."""
        self._template = image
        self._uv = uv
        self._uv_version = uv_version
        self._environ = environ
        self._recipe = recipe

    def image(self, target: Target, *, listen: Listener) -> Image | None:
        native = self._native(target)
        found = ensure_image(self._client, self._reference(native), native, listen)
        return Image(reference=self._reference(native), digest=image_digest(found))

    @contextmanager
    def install(self, order: Installation, *, listen: Listener) -> Iterator[Iterator[InstalledFile]]:
        with engine_errors("removing what killed builds left"):
            remove_orphans(self._client)
        wheels = {room: pins for room, pins in enumerate(order.rooms) if pins[0].kind == "wheel"}
        sdists = {room: pins[0] for room, pins in enumerate(order.rooms) if pins[0].kind == "sdist"}
        with ExitStack() as stack:
            containers = []
            if wheels:
                containers.append(stack.enter_context(self._wheels_installed(order.target, wheels, listen)))
            if sdists:
                containers.append(stack.enter_context(self._sdists_built(order.target, sdists, listen)))
            yield _files(containers, rooms=len(order.rooms))

    @contextmanager
    def _wheels_installed(
        self, target: Target, rooms: Mapping[int, tuple[Pin, ...]], listen: Listener
    ) -> Iterator[Container]:
        """A container in whose tree the wheels are, which saw credentials and ran no code of a distribution."""
        native = self._native(target)
        image = ensure_image(self._client, self._reference(native), native, listen)
        python = _python(target)
        with running(self._client, str(image.id), python=python, cache=CACHE_VOLUME) as container:
            count = counted(sum(map(len, rooms.values())))
            listen(Event(phase="install", text=f"installing {count} for {target} in the image"))
            container.put(CACHE, [("uv/", 0o755, b"")])
            locks = [(room_pylock(n), 0o400, uv.format_pylock(pins).encode()) for n, pins in rooms.items()]
            container.put(WORK, [*_folders("tree", *(f"tree/{room_folder(n)}" for n in rooms)), *locks])
            environ = forwarded(self._environ) | self._settings(f"{CACHE}/uv")
            binary = self._put_uv(container, python, environ)
            for room in rooms:
                folder = f"{_TREE}/{room_folder(room)}"
                argv = [*binary, *uv.install_command(room_pylock(room), folder, target, python=python)]
                ran = container.run(argv, environ=environ, doing="installing in the container")
                if ran.returncode != 0:
                    raise uv.failure("installing in the container", ran.stderr)
            yield container

    @contextmanager
    def _sdists_built(self, target: Target, sdists: Mapping[int, Pin], listen: Listener) -> Iterator[Container]:
        """A container of the target's own architecture that sees no credentials, because it runs code of sdists."""
        public = forwarded_without_credentials(self._environ)
        image = ensure_builder_image(
            self._client,
            ensure_image(self._client, self._reference(target), target, listen),
            target,
            recipe=self._recipe,
            ca_bundle=self._ca_bundle or b"",
            proxies={name: value for name, value in public.items() if name.lower().endswith("_proxy")},
            listen=listen,
        )
        python = _python(target)
        with running(self._client, image, python=python, cache=None) as container:
            files = [(f"sdists/{pin.filename}", 0o400, download.fetch(pin)) for pin in sdists.values()]
            folders = _folders("tmp", "tree", *(f"tree/{room_folder(n)}" for n in sdists), "sdists")
            container.put(WORK, [*folders, *files])
            environ = public | self._settings(f"{WORK}/tmp/uv-cache")
            environ |= {"SOURCE_DATE_EPOCH": _BUILD_EPOCH, "TMPDIR": f"{WORK}/tmp", "HOME": f"{WORK}/tmp"}
            binary = self._put_uv(container, python, environ)
            for room, pin in sdists.items():
                listen(Event(phase="build", text=f"building {pin} from source"))
                folder = f"{_TREE}/{room_folder(room)}"
                argv = [*binary, *uv.build_command(f"{WORK}/sdists/{pin.filename}", folder, python=python)]
                ran = container.run(argv, environ=environ, doing=f"building {pin}")
                if ran.returncode != 0:
                    raise _build_failure(pin, ran.stderr)
            yield container

    def _put_uv(self, container: Container, python: str, environ: Mapping[str, str]) -> list[str]:
        """The command that runs uv in the container: this machine's binary where it fits, else one from the index.

        The certificates that the environment names go in first.
        """
        if self._ca_bundle is not None:
            container.put(WORK, [(_CA_BUNDLE, 0o444, self._ca_bundle)])
        if sys.platform == "linux" and _ARCHITECTURES.get(platform.machine()) == self._architecture:
            container.put(WORK, [(_UV, 0o555, self._uv.read_bytes())])
            return [f"{WORK}/{_UV}"]
        container.put(WORK, _folders("uv-wheel"))
        pip = [python, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--no-deps"]
        argv = [*pip, "--target", f"{WORK}/uv-wheel", f"uv=={self._uv_version}"]
        ran = container.run(argv, environ=environ, doing="installing uv in the container")
        if ran.returncode != 0:
            raise MachineError(f"uv cannot be installed in the container:\n{last_lines(ran.stderr)}")
        return [f"{WORK}/uv-wheel/bin/uv"]

    def _settings(self, cache: str) -> dict[str, str]:
        """What uv needs to know in a container besides what the caller's environment says."""
        settings = {"UV_CACHE_DIR": cache, "UV_LINK_MODE": "copy", "HOME": "/tmp", "NO_COLOR": "1"}
        if self._ca_bundle is not None:
            settings |= {"SSL_CERT_FILE": f"{WORK}/{_CA_BUNDLE}", "PIP_CERT": f"{WORK}/{_CA_BUNDLE}"}
        return settings

    @cached_property
    def _ca_bundle(self) -> bytes | None:
        path = next((self._environ[name] for name in CA_BUNDLES if self._environ.get(name)), None)
        try:
            return Path(path).read_bytes() if path is not None else None
        except OSError as error:
            raise MachineError(f"the certificates in {path} cannot be read: {error.strerror}") from error

    @cached_property
    def _client(self) -> docker.DockerClient:
        try:
            client = docker.from_env(timeout=_TIMEOUT)
            client.ping()
            return client
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            raise MachineError(
                f"no Docker Engine answers at {self._environ.get('DOCKER_HOST', 'the default socket')}",
                hint="start Docker, set DOCKER_HOST, or build without it: --builder host",
            ) from error

    @cached_property
    def _architecture(self) -> str:
        """The engine's own architecture, in AWS's words."""
        with engine_errors("asking the engine for its architecture"):
            machine = str(self._client.version()["Arch"])
        return _ARCHITECTURES.get(machine, machine)

    def _native(self, target: Target) -> Target:
        """The runtime on the engine's own architecture: wheels are unpacked there for any target, without emulation."""
        return Target(runtime=target.runtime, architecture=self._architecture)

    def _reference(self, target: Target) -> str:
        return self._template.format(python=target.runtime.python, architecture=target.architecture)


def _files(containers: Sequence[Container], *, rooms: int) -> Iterator[InstalledFile]:
    for container in containers:
        yield from read_installed(container.get(_TREE), rooms=rooms)


def _python(target: Target) -> str:
    return f"/var/lang/bin/python{target.runtime.python}"


def _folders(*names: str) -> list[tuple[str, int, bytes]]:
    """Entries of folders for the build user alone."""
    return [(f"{name}/", 0o700, b"") for name in names]


def _build_failure(pin: Pin, stderr: str) -> BuildError:
    return BuildError(
        f"{pin.no_wheel}; building it in the builder image failed:\n{last_lines(stderr)}",
        hint=f"choose a version of {pin.name} that has a wheel for the target, or leave it out",
    )
