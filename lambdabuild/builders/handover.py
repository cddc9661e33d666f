"""What a container is handed besides what it installs: uv, certificates, settings, and credentials where needed."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from lambdabuild.builders.container import WORK, Container
from lambdabuild.builders.engine import ARCHITECTURES, Engine
from lambdabuild.builders.execution import Ran
from lambdabuild.builders.failures import last_lines
from lambdabuild.builders.secrets import read_client_certificate, read_trusted
from lambdabuild.builders.trees import TreeFile
from lambdabuild.errors import MachineError
from lambdabuild.model.credentials import Credentials
from lambdabuild.model.forwarding import CLIENT_CERTIFICATE, proxies_with_credentials

_CA_BUNDLE = "ca-bundle.pem"
_LENT_UV = "/lambdabuild/uv"
_CANNOT_RUN = (126, 127)
"""How a container's command ends that could not be started."""


class UvInside:
    """uv in one container, put there when it is first run."""

    def __init__(self, container: Container, *, environ: Mapping[str, str], binary: Path | None, version: str) -> None:
        self._container = container
        self._environ = environ
        self._binary = binary
        self._version = version
        self._path = _LENT_UV if container.lent and binary is not None else None

    def run(
        self,
        argv: Sequence[str],
        *,
        doing: str,
        also: Mapping[str, str] | None = None,
        private: str | None = None,
    ) -> Ran:
        """Run uv with these arguments, and ``also`` in its environment; ``private`` as in ``Container.run``."""
        environ = {**self._environ, **(also or {})}
        if self._path is None:
            self._path = self._put()
        try:
            ran = self._container.run([self._path, *argv], environ=environ, doing=doing, private=private)
            if self._path != _LENT_UV or ran.returncode not in _CANNOT_RUN:
                return ran
        except MachineError:
            if self._path != _LENT_UV:
                raise
        # A machine's policy (SELinux) may keep containers from running what they are lent.
        self._path = self._put()
        return self._container.run([self._path, *argv], environ=environ, doing=doing, private=private)

    def _put(self) -> str:
        if self._binary is not None:
            self._container.put(WORK, [("uv", 0o555, self._binary.read_bytes())])
            return f"{WORK}/uv"
        self._container.put(WORK, [("uv-wheel/", 0o700, b"")])
        pip = [self._container.python, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--no-deps"]
        argv = [*pip, "--target", f"{WORK}/uv-wheel", f"uv=={self._version}"]
        ran = self._container.run(argv, environ=self._environ, doing="installing uv in the container")
        if ran.returncode != 0:
            raise MachineError(f"uv cannot be installed in the container:\n{last_lines(ran.stderr)}")
        return f"{WORK}/uv-wheel/bin/uv"


class Handover:
    """Hands over from this machine and its environment."""

    def __init__(
        self,
        *,
        engine: Engine,
        uv: Path,
        uv_version: str,
        environ: Mapping[str, str],
        credentials: Callable[[], Credentials],
    ) -> None:
        self._engine = engine
        self._uv = uv
        self._uv_version = uv_version
        self._environ = environ
        self._read_credentials = credentials

    def loans(self) -> dict[str, Path]:
        """Files that need not be copied where they can be lent to the container, by path there."""
        return {_LENT_UV: self._uv.resolve()} if self._uv_fits() else {}

    def files(self) -> list[TreeFile]:
        """What belongs into the work volume before anything is run: the certificates that the environment names."""
        return [(_CA_BUNDLE, 0o444, self.ca_bundle)] if self.ca_bundle is not None else []

    def uv(self, container: Container, environ: Mapping[str, str]) -> UvInside:
        """uv in the container: this machine's binary where it fits, else one from the index."""
        binary = self._uv if self._uv_fits() else None
        return UvInside(container, environ=environ, binary=binary, version=self._uv_version)

    def put_credentials(self, container: Container, urls: Sequence[str]) -> str:
        """Hand over what uv needs to be let in where these files are; gives the path for ``Container.run``."""
        environ = proxies_with_credentials(self._environ)
        environ["UV_INDEX"] = " ".join(self.credentials.indexes(urls))
        certificate = read_client_certificate(self._environ)
        if certificate is not None:
            environ[CLIENT_CERTIFICATE] = container.put_private("client.pem", certificate)
        return container.put_private("environ.json", json.dumps(environ).encode())

    def settings(self, cache: str) -> dict[str, str]:
        """What uv needs to know in a container besides what the caller's environment says."""
        settings = {"UV_CACHE_DIR": cache, "UV_LINK_MODE": "copy", "HOME": "/tmp", "NO_COLOR": "1"}
        if self.ca_bundle is not None:
            settings |= {"SSL_CERT_FILE": f"{WORK}/{_CA_BUNDLE}", "PIP_CERT": f"{WORK}/{_CA_BUNDLE}"}
        return settings

    @cached_property
    def credentials(self) -> Credentials:
        return self._read_credentials()

    @cached_property
    def ca_bundle(self) -> bytes | None:
        """What the environment trusts besides the usual certificates, in PEM."""
        return read_trusted(self._environ)

    def _uv_fits(self) -> bool:
        """Whether this machine's uv runs on the engine's."""
        return sys.platform == "linux" and ARCHITECTURES.get(platform.machine()) == self._engine.architecture
