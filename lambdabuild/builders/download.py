"""Fetching the file of a source distribution, on the host, so that what compiles it needs no credentials."""

from __future__ import annotations

import hashlib
import http.client
import ssl
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from lambdabuild.errors import MachineError, PolicyError
from lambdabuild.model.credentials import Credentials, Login, login_hint, origin, without_userinfo
from lambdabuild.model.requirements import Pin

_TIMEOUT = 60.0
"""Seconds without an answer."""
_NO_ENTRY = (http.client.UNAUTHORIZED, http.client.FORBIDDEN)
_HINT = "check the network, the proxy settings and the index"


def fetch(pin: Pin, *, credentials: Credentials | None = None, tls: ssl.SSLContext | None = None) -> bytes:
    """The bytes of a pinned file, checked against its sha256.

    The login for the file goes to its own scheme, host and port alone, wherever that sends us. Proxies of the
    environment hold, as everywhere in Python. Raises MachineError when the file cannot be fetched, PolicyError when it
    is not the one that was locked.
    """
    url = without_userinfo(pin.url)
    login = (credentials or Credentials()).find(pin.url)
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=tls))
    if login is not None:
        opener.add_handler(_Authorization(url, login))
    try:
        with opener.open(url, timeout=_TIMEOUT) as answer:
            content: bytes = answer.read()
    except (OSError, http.client.HTTPException, ValueError) as error:
        refused = isinstance(error, urllib.error.HTTPError) and error.code in _NO_ENTRY
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        hint = login_hint(urlsplit(url).netloc) if refused else _HINT
        raise MachineError(f"{pin.filename} cannot be fetched: {error}", hint=hint, code="network") from error
    return checked(pin, content)


class _Authorization(urllib.request.BaseHandler):
    """Shows a login to one scheme, host and port; urllib's own handlers tell http what is for https."""

    def __init__(self, url: str, login: Login) -> None:
        self._origin = origin(url)
        self._header = f"Basic {login.basic}"

    def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
        if origin(request.full_url) == self._origin:
            request.add_unredirected_header("Authorization", self._header)
        return request

    https_request = http_request


def checked(pin: Pin, content: bytes) -> bytes:
    """The content; raises PolicyError unless it is what was locked."""
    computed = hashlib.sha256(content).hexdigest()
    if computed != pin.sha256:
        raise PolicyError(
            f"{pin.filename} has not the hash that was locked\n"
            f"  expected sha256 {pin.sha256}\n  computed sha256 {computed}",
            hint="the file is not the one that was locked: do not use it before you know why",
            code="hash-mismatch",
        )
    return content
