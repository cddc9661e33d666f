"""What a container is handed besides what it installs: uv, certificates and settings; never a credential."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from lambdabuild.builders.container import WORK, Container
from lambdabuild.builders.engine import ARCHITECTURES, Engine
from lambdabuild.builders.execution import Ran
from lambdabuild.builders.secrets import read_trusted
from lambdabuild.builders.trees import TreeFile
from lambdabuild.errors import MachineError
from lambdabuild.wheels.content import read_content
from lambdabuild.wheels.names import refusal
from lambdabuild.wheels.wheelfile import WheelFile
from lambdabuild.wheels.wheelzip import read_members

_CA_BUNDLE = "ca-bundle.pem"
_LENT_UV = "/lambdabuild/uv"
FetchUv = Callable[[str], WheelFile]
"""Gives the wheel of uv that runs on Linux on an architecture, in AWS's words."""
_CANNOT_RUN = (126, 127)
"""How a container's command ends that could not be started."""


class UvInside:
    """uv in one container, put there when it is first run."""

    def __init__(
        self, container: Container, *, environ: Mapping[str, str], lent: bool, read_binary: Callable[[], bytes]
    ) -> None:
        """``lent``: the container may have been lent this machine's uv."""
        self._container = container
        self._environ = environ
        self._read_binary = read_binary
        self._path = _LENT_UV if container.lent and lent else None

    def run(self, argv: Sequence[str], *, doing: str) -> Ran:
        """Run uv with these arguments."""
        if self._path is None:
            self._path = self._put()
        try:
            ran = self._container.run([self._path, *argv], environ=self._environ, doing=doing)
            if self._path != _LENT_UV or ran.returncode not in _CANNOT_RUN:
                return ran
        except MachineError:
            if self._path != _LENT_UV:
                raise
        # A machine's policy (SELinux) may keep containers from running what they are lent.
        self._path = self._put()
        return self._container.run([self._path, *argv], environ=self._environ, doing=doing)

    def _put(self) -> str:
        self._container.put(WORK, [("uv", 0o555, self._read_binary())])
        return f"{WORK}/uv"


class Handover:
    """Hands over from this machine and its environment."""

    def __init__(
        self,
        *,
        engine: Engine,
        uv: Path,
        environ: Mapping[str, str],
        fetch_uv: FetchUv | None = None,
    ) -> None:
        """``fetch_uv`` is asked where this machine's uv does not run in a container."""
        self._engine = engine
        self._uv = uv
        self._fetch_uv = fetch_uv or _fetch_none
        self._environ = environ

    def loans(self) -> dict[str, Path]:
        """Files that need not be copied where they can be lent to the container, by path there."""
        return {_LENT_UV: self._uv.resolve()} if self._uv_fits(self._engine.architecture) else {}

    def files(self) -> list[TreeFile]:
        """What belongs into the work volume before anything is run: the certificates that the environment names."""
        return [(_CA_BUNDLE, 0o444, self.ca_bundle)] if self.ca_bundle is not None else []

    def uv(self, container: Container, environ: Mapping[str, str], *, architecture: str | None = None) -> UvInside:
        """uv in a container of an architecture, None: the engine's; this machine's binary where it fits, else that of
        uv's own wheel."""
        wanted = architecture or self._engine.architecture
        if self._uv_fits(wanted):
            return UvInside(container, environ=environ, lent=True, read_binary=self._uv.read_bytes)
        return UvInside(container, environ=environ, lent=False, read_binary=lambda: read_uv(self._fetch_uv(wanted)))

    def settings(self, cache: str) -> dict[str, str]:
        """What uv needs to know in a container besides what the caller's environment says."""
        settings = {"UV_CACHE_DIR": cache, "UV_LINK_MODE": "copy", "HOME": "/tmp", "NO_COLOR": "1"}
        if self.ca_bundle is not None:
            settings |= {"SSL_CERT_FILE": f"{WORK}/{_CA_BUNDLE}", "PIP_CERT": f"{WORK}/{_CA_BUNDLE}"}
        return settings

    @cached_property
    def ca_bundle(self) -> bytes | None:
        """What the environment trusts besides the usual certificates, in PEM."""
        return read_trusted(self._environ)

    def _uv_fits(self, architecture: str) -> bool:
        """Whether this machine's uv runs in containers of an architecture."""
        return sys.platform == "linux" and ARCHITECTURES.get(platform.machine()) == architecture


def _fetch_none(architecture: str) -> WheelFile:
    raise MachineError(f"this machine's uv does not run in containers of the architecture {architecture}")


def read_uv(wheel: WheelFile) -> bytes:
    """The program in uv's own wheel."""
    descriptor = os.open(wheel.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for member in read_members(descriptor, wheel.filename):
            if member.name.endswith(".data/scripts/uv"):
                return bytes(read_content(descriptor, member, wheel.filename))
    finally:
        os.close(descriptor)
    raise refusal(wheel.filename, "has no program uv in it")
