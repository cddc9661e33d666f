"""What this machine knows of credentials and certificates: uv's settings, netrc, files of certificates.

Read here and kept in memory; what is sent where is decided in ``model.credentials``.
"""

from __future__ import annotations

import logging
import netrc
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lambdabuild import configfile
from lambdabuild.errors import MachineError
from lambdabuild.model.credentials import Credentials, Login, gather
from lambdabuild.model.forwarding import CLIENT_CERTIFICATE, with_pip

log = logging.getLogger(__name__)


def read_settings(environ: Mapping[str, str], *, project: Path, home: Path) -> tuple[Mapping[str, Any], ...]:
    """uv's settings for a project, each a table as in uv.toml: the project's, its workspace's, then the user's."""
    root = next((folder for folder in (project, *project.parents) if (folder / configfile.LOCK).is_file()), project)
    tables = []
    for folder in dict.fromkeys((project, root)):
        pyproject = folder / configfile.PYPROJECT
        if (folder / "uv.toml").is_file():
            tables.append(configfile.read_toml(folder / "uv.toml"))
        if pyproject.is_file():
            tables.append(configfile.read_toml(pyproject).get("tool", {}).get("uv", {}))
    if environ.get("UV_NO_CONFIG"):
        return tuple(tables)
    user = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "uv" / "uv.toml"
    asked = environ.get("UV_CONFIG_FILE")
    for path in (Path(asked),) if asked else (user, Path("/etc/uv/uv.toml")):
        if path.is_file():
            tables.append(configfile.read_toml(path))
    return tuple(tables)


def read_credentials(environ: Mapping[str, str], *, project: Path, home: Path) -> Credentials:
    """All that the environment, uv's settings and netrc give."""
    settings = read_settings(environ, project=project, home=home)
    return gather(environ, settings, read_netrc(environ, home=home))


def read_netrc(environ: Mapping[str, str], *, home: Path) -> dict[str, Login]:
    """Logins by host from the file that NETRC names, else ~/.netrc; as for uv, one that is malformed has none."""
    named = environ.get("NETRC")
    places = [*([Path(named).expanduser()] if named else []), home / ".netrc"]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return {}
    try:
        hosts = netrc.netrc(str(path)).hosts
    except netrc.NetrcParseError as error:  # its message holds words of the file
        log.warning("%s:%s: not in the form of a netrc file, so no login is taken from it", path, error.lineno)
        return {}
    except OSError as error:
        log.warning("%s: cannot be read: %s", path, error.strerror)
        return {}
    return {host: Login(username=user, password=password or "") for host, (user, _, password) in hosts.items()}


def read_trusted(environ: Mapping[str, str]) -> bytes | None:
    """The certificates that servers are checked against, where the environment names some."""
    return _read(environ, "SSL_CERT_FILE")


def read_client_certificate(environ: Mapping[str, str]) -> bytes | None:
    """The certificate and the key that show who asks."""
    return _read(environ, CLIENT_CERTIFICATE)


def tls_context(environ: Mapping[str, str]) -> ssl.SSLContext:
    """How requests of this process trust servers, and show who asks."""
    environ = with_pip(environ)
    trusted, own = environ.get("SSL_CERT_FILE") or None, environ.get(CLIENT_CERTIFICATE)
    try:
        context = ssl.create_default_context(cafile=trusted)
        if own:
            context.load_cert_chain(own)
    except OSError as error:  # ssl.SSLError is one
        raise MachineError(f"certificates cannot be read ({trusted or own}): {error}") from error
    return context


def _read(environ: Mapping[str, str], variable: str) -> bytes | None:
    path = with_pip(environ).get(variable)
    try:
        return Path(path).read_bytes() if path else None
    except OSError as error:
        raise MachineError(f"{variable}: {path} cannot be read: {error.strerror}") from error
