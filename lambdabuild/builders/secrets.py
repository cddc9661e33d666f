"""What this machine knows of credentials and certificates: uv's settings, netrc, files of certificates.

Read here and kept in memory; what is sent where is decided in ``model.credentials``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambdabuild import configfile
from lambdabuild.errors import MachineError
from lambdabuild.model.credentials import Credentials, Login, gather
from lambdabuild.model.forwarding import CLIENT_CERTIFICATE, with_pip

if TYPE_CHECKING:
    import ssl

log = logging.getLogger(__name__)

_TOKEN = re.compile(r'"((?:\\.|[^"\\])*)"|((?:\\.|[^\s\\])+)', re.DOTALL)
_FIELDS = {"login": "login", "user": "login", "account": "account", "password": "password"}


def read_settings(environ: Mapping[str, str], *, project: Path, home: Path) -> tuple[Mapping[str, Any], ...]:
    """uv's settings for a project, each a table as in uv.toml: the project's, its workspace's, then the user's."""
    lock = configfile.find_lock(project)
    root = project if lock is None else lock.parent
    tables = []
    for folder in dict.fromkeys((project, root)):
        if configfile.holds(folder, "uv.toml"):
            tables.append(configfile.read_toml(folder / "uv.toml"))
        if configfile.holds(folder, configfile.PYPROJECT):
            tables.append(configfile.read_toml(folder / configfile.PYPROJECT).get("tool", {}).get("uv", {}))
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
    places = [*([home / named[2:] if named.startswith("~/") else Path(named)] if named else []), home / ".netrc"]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return {}
    try:
        return parse_netrc(path.read_text(encoding="utf-8", errors="replace"))
    except ValueError as error:
        log.warning("%s:%s: not in the form of a netrc file, so no login is taken from it", path, error)
    except OSError as error:
        log.warning("%s: cannot be read: %s", path, error.strerror)
    return {}


def parse_netrc(text: str) -> dict[str, Login]:
    """Logins by host, as uv reads them; Python's own parser knows no quotes before 3.11.

    Raises ValueError with the number of the line that is none of a netrc file.
    """
    hosts: dict[str, dict[str, str]] = {}
    entry: dict[str, str] | None = None
    place = 0
    while match := _TOKEN.search(text, place):
        word, place = match[0], match.end()
        if word.startswith("#"):
            place = _until(text, place, "\n")
        elif word == "macdef":
            entry, place = None, _until(text, place, "\n\n")
        elif word == "default":
            entry = hosts["default"] = {}
        elif (word == "machine" or (entry is not None and word in _FIELDS)) and (value := _TOKEN.search(text, place)):
            place = value.end()
            content = re.sub(r"\\(.)", r"\1", value[2] or value[1] or "", flags=re.DOTALL)
            if word == "machine":
                entry = hosts[content] = {}
            elif entry is not None:
                entry[_FIELDS[word]] = content
        else:
            raise ValueError(text.count("\n", 0, place) + 1)
    logins = {host: Login(username=e.get("login", ""), password=e.get("password", "")) for host, e in hosts.items()}
    return {host: login for host, login in logins.items() if login.username or login.password}


def _until(text: str, place: int, end: str) -> int:
    found = text.find(end, place)
    return len(text) if found < 0 else found


def read_trusted(environ: Mapping[str, str]) -> bytes | None:
    """The certificates that servers are checked against, where the environment names some."""
    return _read(environ, "SSL_CERT_FILE")


def tls_context(environ: Mapping[str, str]) -> ssl.SSLContext:
    """How requests of this process trust servers, and show who asks.

    Where the environment names no certificates, those of the system count and Mozilla's, which uv has, too: not every
    Python finds the system's.
    """
    import ssl  # a build that fetches nothing needs none

    import certifi

    environ = with_pip(environ)
    trusted, own = environ.get("SSL_CERT_FILE") or None, environ.get(CLIENT_CERTIFICATE)
    try:
        context = ssl.create_default_context(cafile=trusted)
        if trusted is None:
            context.load_verify_locations(certifi.where())
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
