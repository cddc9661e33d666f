"""The docker builder: installs inside the Lambda image on a Docker Engine, near or far."""

from __future__ import annotations

import hashlib
import io
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests.exceptions

from lambdabuild import uv
from lambdabuild.builders import download
from lambdabuild.builders.base import Image, Installation, InstalledFile, counted, room_folder, room_pylock
from lambdabuild.builders.container import CACHE, LABEL, WORK, Container, engine_errors, remove_orphans, running
from lambdabuild.builders.tar import read_installed, write_tar
from lambdabuild.errors import BuildError, MachineError
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.forwarding import CA_BUNDLES, forwarded, forwarded_without_credentials
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Target

CACHE_VOLUME = "lambdabuild-uv-cache"
_TREE = f"{WORK}/tree"
_UV = f"{WORK}/uv"
_UV_CACHE = f"{CACHE}/uv"
_CA = f"{WORK}/ca-bundle.pem"
_LAST_LINES = 40
_ARCHITECTURES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}


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
        self._phase = "connecting"

    def ping(self) -> None:
        """Raise MachineError unless an engine answers."""
        _ = self._client

    def image(self, target: Target, *, listen: Listener) -> Image | None:
        with engine_errors(lambda: self._phase):
            found = self._ready(target, self._architecture, listen)
            return Image(reference=self._reference(target, self._architecture), digest=_digest(found))

    @contextmanager
    def install(self, order: Installation, *, listen: Listener) -> Iterator[Iterator[InstalledFile]]:
        with engine_errors(lambda: self._phase):
            remove_orphans(self._client)
            sdists = {room: pins[0] for room, pins in enumerate(order.rooms) if pins[0].kind == "sdist"}
            with self._wheels_installed(order, listen) as wheels:
                if not sdists:
                    yield self._stream(wheels, len(order.rooms))
                    return
                with self._sdists_built(order, sdists, listen) as built:
                    yield self._stream_both(wheels, built, len(order.rooms))

    @contextmanager
    def _wheels_installed(self, order: Installation, listen: Listener) -> Iterator[Container]:
        image = self._ready(order.target, self._architecture, listen)
        rooms = {room: pins for room, pins in enumerate(order.rooms) if pins[0].kind == "wheel"}
        count = sum(map(len, rooms.values()))
        self._phase = "starting the container"
        python = f"/var/lang/bin/python{order.target.runtime.python}"
        with running(self._client, image.id, python=python, cache=CACHE_VOLUME) as container:
            listen(Event(phase="install", text=f"installing {counted(count)} for {order.target} in the image"))
            self._phase = "uploading to the container"
            container.put(CACHE, [("uv/", 0o755, b"")])
            locks = [(room_pylock(n), 0o400, uv.format_pylock(pins).encode()) for n, pins in rooms.items()]
            binary, certificates = self._upload_uv(container, python), self._certificates()
            folders = [(f"tree/{room_folder(room)}/", 0o700, b"") for room in range(len(order.rooms))]
            container.put(WORK, [("tree/", 0o700, b""), *folders, *certificates, *locks])
            self._phase = "installing in the container"
            environ = forwarded(self._environ) | self._uv_environ(bool(certificates), _UV_CACHE)
            for room in rooms:
                argv = uv.install_command(
                    room_pylock(room), f"{_TREE}/{room_folder(room)}", order.target, python=python
                )
                ran = container.run([*binary, *argv], environ=environ)
                if ran.returncode != 0:
                    raise uv.failure("installing in the container", ran.stderr)
            self._phase = "reading the installed tree"
            yield container

    @contextmanager
    def _sdists_built(self, order: Installation, sdists: Mapping[int, Pin], listen: Listener) -> Iterator[Container]:
        """A second container, of the target's own architecture and without credentials: it runs code of sdists."""
        base = self._ready(order.target, order.target.architecture, listen)
        image = self._builder_image(base, order.target, listen)
        python = f"/var/lang/bin/python{order.target.runtime.python}"
        self._phase = "starting the builder container"
        with running(self._client, image, python=python, cache=None) as container:
            binary, certificates = self._upload_uv(container, python), self._certificates()
            files = [(f"{pin.sha256[:8]}/{pin.filename}", 0o400, download.fetch(pin)) for pin in sdists.values()]
            folders = [(f"tree/{room_folder(room)}/", 0o700, b"") for room in sdists]
            container.put(WORK, [("tree/", 0o700, b""), ("tmp/", 0o700, b""), *folders, *certificates, *files])
            environ = forwarded_without_credentials(self._environ) | self._uv_environ(
                bool(certificates), f"{WORK}/tmp/uv-cache"
            )
            environ |= {"SOURCE_DATE_EPOCH": "315532800", "TMPDIR": f"{WORK}/tmp", "HOME": f"{WORK}/tmp"}
            for room, pin in sdists.items():
                self._phase = f"building {pin}"
                listen(Event(phase="build", text=f"building {pin} from source"))
                sdist = f"{WORK}/{pin.sha256[:8]}/{pin.filename}"
                ran = container.run(
                    [*binary, *uv.build_command(sdist, f"{_TREE}/{room_folder(room)}", python=python)], environ=environ
                )
                if ran.returncode != 0:
                    raise _build_failure(pin, ran.stderr)
            self._phase = "reading the built tree"
            yield container

    def _stream(self, container: Container, rooms: int) -> Iterator[InstalledFile]:
        return read_installed(container.get(_TREE), rooms=rooms)

    def _stream_both(self, wheels: Container, built: Container, rooms: int) -> Iterator[InstalledFile]:
        yield from self._stream(wheels, rooms)
        yield from self._stream(built, rooms)

    def _upload_uv(self, container: Container, python: str) -> list[str]:
        """The command that runs uv in the container: this machine's binary where it fits, else one from the index."""
        if sys.platform == "linux" and _ARCHITECTURES.get(platform.machine()) == self._architecture:
            container.put(WORK, [("uv", 0o555, self._uv.read_bytes())])
            return [_UV]
        self._phase = "installing uv in the container"
        container.put(WORK, [("uv-wheel/", 0o700, b""), *self._certificates()])
        pip = [python, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--no-deps"]
        environ = forwarded(self._environ) | self._uv_environ(bool(self._certificates()), _UV_CACHE)
        ran = container.run([*pip, "--target", f"{WORK}/uv-wheel", f"uv=={self._uv_version}"], environ=environ)
        if ran.returncode != 0:
            raise MachineError(f"uv cannot be installed in the container:\n{_tail(ran.stderr)}")
        return [f"{WORK}/uv-wheel/bin/uv"]

    def _certificates(self) -> list[tuple[str, int, bytes]]:
        bundle = next((self._environ[name] for name in CA_BUNDLES if self._environ.get(name)), None)
        if bundle is None:
            return []
        try:
            return [("ca-bundle.pem", 0o444, Path(bundle).read_bytes())]
        except OSError as error:
            raise MachineError(f"the certificates in {bundle} cannot be read: {error.strerror}") from error

    @staticmethod
    def _uv_environ(certificates: bool, cache: str) -> dict[str, str]:
        environ = {"UV_CACHE_DIR": cache, "UV_LINK_MODE": "copy", "HOME": "/tmp", "NO_COLOR": "1"}
        return environ | ({"SSL_CERT_FILE": _CA, "PIP_CERT": _CA} if certificates else {})

    @cached_property
    def _client(self) -> docker.DockerClient:
        try:
            client = docker.from_env(timeout=600)
            client.ping()
            return client
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            raise MachineError(
                f"no Docker Engine answers at {self._environ.get('DOCKER_HOST', 'the default socket')}",
                hint="start Docker, set DOCKER_HOST, or build without it: --builder host",
            ) from error

    @cached_property
    def _architecture(self) -> str:
        """The engine's own architecture: wheels are unpacked there for any target, without emulation."""
        machine = str(self._client.version()["Arch"])
        return _ARCHITECTURES.get(machine, machine)

    def _reference(self, target: Target, architecture: str) -> str:
        return self._template.format(python=target.runtime.python, architecture=architecture)

    def _ready(self, target: Target, architecture: str, listen: Listener) -> Any:
        """The image, pulled unless the engine has it for this architecture already."""
        wanted = Target(runtime=target.runtime, architecture=architecture)
        reference = self._reference(target, architecture)
        self._phase = f"looking for {reference}"
        try:
            image = self._client.images.get(reference)
            if image.attrs["Architecture"] == wanted.oci_architecture:
                return image
        except docker.errors.ImageNotFound:
            pass
        self._phase = f"pulling {reference}"
        listen(Event(phase="image", text=f"pulling {reference}"))
        try:
            image = self._client.images.pull(
                *_repository_and_tag(reference), platform=f"linux/{wanted.oci_architecture}"
            )
        except docker.errors.APIError as error:
            raise MachineError(
                f"the image {reference} cannot be pulled: {error.explanation or error}",
                hint="check the name (image in [tool.lambdabuild], LAMBDABUILD_IMAGE) and the registry's login, "
                "or build without it: --builder host",
            ) from error
        if image.attrs["Architecture"] != wanted.oci_architecture:
            raise MachineError(f"the image {reference} is for {image.attrs['Architecture']}, not {architecture}")
        return image

    def _builder_image(self, base: Any, target: Target, listen: Listener) -> str:
        """The image with a compiler, made from the Lambda image when a distribution first needs it."""
        recipe = hashlib.sha256(base.id.encode())
        for name, content in sorted(self._recipe.items()):
            recipe.update(f"{name}\0{len(content)}\0".encode() + content)
        tag = f"lambdabuild-builder:{target.runtime.python}-{target.architecture}-{recipe.hexdigest()[:16]}"
        try:
            return str(self._client.images.get(tag).id)
        except docker.errors.ImageNotFound:
            pass
        self._phase = "building the builder image"
        listen(Event(phase="image", text=f"adding a compiler to {self._reference(target, target.architecture)}"))
        context = io.BytesIO()
        bundle = self._certificates()[0][2] if self._certificates() else b""
        files = {**self._recipe, "ca-bundle.pem": bundle}
        write_tar(context, [(name, 0o755, content) for name, content in files.items()], owner=0)
        context.seek(0)
        proxies = {
            k: v for k, v in forwarded_without_credentials(self._environ).items() if k.lower().endswith("_proxy")
        }
        try:
            image, _ = self._client.images.build(
                fileobj=context,
                custom_context=True,
                tag=tag,
                rm=True,
                forcerm=True,
                labels={LABEL: "builder"},
                buildargs={"LAMBDA_IMAGE": base.id, **proxies},
                platform=f"linux/{target.oci_architecture}",
            )
        except docker.errors.BuildError as error:
            lines = "".join(line.get("stream", "") for line in error.build_log)
            raise MachineError(f"the builder image cannot be built: {error.msg}\n{_tail(lines)}") from error
        return str(image.id)


def _build_failure(pin: Pin, stderr: str) -> BuildError:
    return BuildError(
        f"{pin.no_wheel}; building it in the builder image failed:\n{_tail(stderr)}",
        hint=f"choose a version of {pin.name} that has a wheel for the target, or leave it out",
    )


def _tail(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.strip().splitlines()[-_LAST_LINES:])


def _digest(image: Any) -> str:
    digests = sorted(image.attrs.get("RepoDigests") or [])
    return str(digests[0].partition("@")[2] if digests else image.id)


def _repository_and_tag(reference: str) -> tuple[str, str | None]:
    if "@" in reference:
        return reference, None
    head, colon, tag = reference.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (reference, "latest")
