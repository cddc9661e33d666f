"""Requests for files: proxies, certificates, redirects and logins, each login for its own origin alone.

urllib3 talks; what is decided here is where a login may go, which is why redirects are followed here.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import urllib3

from lambdabuild.errors import MachineError
from lambdabuild.model.credentials import Credentials, Login, origin, without_userinfo
from lambdabuild.model.forwarding import with_pip

_MOST_REDIRECTS = 10
_CONNECT = 10.0
"""Seconds to connect in."""
_TIMEOUT = 30.0
"""Seconds without a byte, where UV_HTTP_TIMEOUT says nothing else."""
_REDIRECTS = (301, 302, 303, 307, 308)
_REFUSED = (401, 403)

AskHelpers = Callable[[str, str], "Login | None"]
"""Asks the programs that keep logins for the one of a URL and a user name, which may be empty."""


def no_helpers(url: str, username: str) -> Login | None:
    """There are none to ask."""
    return None


@dataclass(frozen=True, slots=True)
class Answer:
    """What whoever has the file answers."""

    response: urllib3.BaseHTTPResponse
    host: str
    """With its port, where one was named."""

    @property
    def status(self) -> int:
        return self.response.status

    def header(self, name: str) -> str | None:
        return self.response.headers.get(name)

    def chunks(self, size: int) -> Iterator[bytes]:
        """The body as it comes; raises urllib3's HTTPError when it breaks off."""
        return self.response.stream(size, decode_content=False)


@dataclass(slots=True)
class Client:
    """Asks servers for files."""

    environ: Mapping[str, str]
    credentials: Callable[[], Credentials]
    tls: Callable[[], ssl.SSLContext]
    ask_helpers: AskHelpers = no_helpers
    _pools: dict[str | None, urllib3.PoolManager] = field(default_factory=dict)
    _helped: dict[tuple[str, str], Login | None] = field(default_factory=dict)

    @contextmanager
    def get(self, url: str, headers: Mapping[str, str]) -> Iterator[Answer]:
        """The answer of whoever has the file in the end; its body is read within the ``with`` block.

        A login that the URL holds, or that is known for its place, goes to its own scheme, host and port alone. Where
        an answer says that one is lacking, the programs that keep logins are asked. Raises urllib3's HTTPError.
        """
        first, url = url, without_userinfo(url)
        login = self.credentials().find(first)
        bound = origin(url)
        helped = False
        for _ in range(_MOST_REDIRECTS):
            own = {"Authorization": f"Basic {login.basic}"} if login is not None and origin(url) == bound else {}
            response = self._pool(url).request(
                "GET",
                url,
                headers={"Accept-Encoding": "identity", "User-Agent": "lambdabuild", **headers, **own},
                preload_content=False,
                redirect=False,
                retries=False,
            )
            try:
                if response.status in _REFUSED and not helped:
                    helped = True
                    found = self._ask_helpers(url, login.username if login is not None and own else "")
                    if found is not None:
                        login, bound = found, origin(url)
                        continue
                location = response.headers.get("Location")
                if response.status not in _REDIRECTS or not location:
                    yield Answer(response, urlsplit(url).netloc)
                    return
                url = without_userinfo(urljoin(url, location))
            finally:
                response.close()
        raise urllib3.exceptions.ResponseError(f"more than {_MOST_REDIRECTS} redirects")

    def _ask_helpers(self, url: str, username: str) -> Login | None:
        """What is found for one file serves the others of its host."""
        key = (urlsplit(url).netloc, username)
        if key not in self._helped:
            self._helped[key] = self.ask_helpers(url, username)
        return self._helped[key]

    def _pool(self, url: str) -> urllib3.PoolManager:
        """Connections for a URL, through the proxy that the environment names for it."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise urllib3.exceptions.LocationValueError(f"{parts.scheme or 'no scheme'} is not a scheme of the web")
        proxy = proxy_of(url, self.environ)
        insecure = parts.scheme == "https" and _is_insecure(parts.netloc, parts.hostname or "", self.environ)
        key = f"{proxy or ''}{' insecure' if insecure else ''}"
        if key not in self._pools:
            self._pools[key] = self._make_pool(proxy, insecure=insecure)
        return self._pools[key]

    def _make_pool(self, proxy: str | None, *, insecure: bool) -> urllib3.PoolManager:
        context = self.tls()
        if insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        timeout = urllib3.Timeout(connect=_CONNECT, read=read_timeout(self.environ))
        if proxy is None:
            return urllib3.PoolManager(maxsize=32, timeout=timeout, ssl_context=context)
        address = urlsplit(proxy)
        if address.scheme not in ("http", "https"):
            raise MachineError(
                f"the proxy {without_userinfo(proxy)} is not one of the web", hint="name an http:// or https:// proxy"
            )
        login = Credentials().find(proxy)
        return urllib3.ProxyManager(
            without_userinfo(proxy),
            maxsize=32,
            timeout=timeout,
            ssl_context=context,
            proxy_ssl_context=context,
            proxy_headers={"Proxy-Authorization": f"Basic {login.basic}"} if login is not None else {},
        )


def proxy_of(url: str, environ: Mapping[str, str]) -> str | None:
    """The URL of the proxy that requests for this one go through: the lower-case variable before the other."""
    environ = with_pip(environ)

    def named(variable: str) -> str:
        return environ.get(variable.lower()) or environ.get(variable.upper()) or ""

    parts = urlsplit(url)
    proxy = named(f"{parts.scheme}_proxy") or named("all_proxy")
    if not proxy or _bypasses(parts.hostname or "", parts.port, named("no_proxy")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _bypasses(host: str, port: int | None, no_proxy: str) -> bool:
    """Whether a list names a host: itself, a domain above it (``.example.com``, ``example.com``), a network, ``*``."""
    for word in no_proxy.replace(",", " ").split():
        name, _, wanted = word.lower().partition(":") if word.count(":") == 1 else (word.lower(), "", "")
        if wanted and wanted != str(port):
            continue
        name = name.lstrip("*").lstrip(".")
        if not name or host == name or host.endswith(f".{name}"):
            return True
        try:
            if ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False):
                return True
        except ValueError:  # one of the two is a name
            continue
    return False


def read_timeout(environ: Mapping[str, str]) -> float:
    """Seconds without a byte after which a request is given up, as uv reads them."""
    try:
        return float(environ.get("UV_HTTP_TIMEOUT") or environ.get("UV_REQUEST_TIMEOUT") or _TIMEOUT)
    except ValueError:
        return _TIMEOUT


def _is_insecure(netloc: str, host: str, environ: Mapping[str, str]) -> bool:
    named = with_pip(environ).get("UV_INSECURE_HOST", "").replace(",", " ").split()
    return any(name.partition("://")[2] in (host, netloc) or name in (host, netloc) for name in named)
