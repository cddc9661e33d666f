"""Fetching the file of a source distribution, on the host, so that what compiles it needs no credentials."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from urllib.parse import unquote, urlsplit, urlunsplit

from lambdabuild.errors import MachineError, PolicyError
from lambdabuild.model.requirements import Pin

_TIMEOUT = 60.0
"""Seconds without an answer."""


def fetch(pin: Pin) -> bytes:
    """The bytes of a pinned file, checked against its sha256.

    Proxies and SSL_CERT_FILE of the environment hold, as everywhere in Python. Raises MachineError when the file
    cannot be fetched, PolicyError when it is not the one that was locked.
    """
    parts = urlsplit(pin.url)
    host = parts.netloc.rpartition("@")[2]
    url = urlunsplit(parts._replace(netloc=host))
    passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
    if parts.username:
        passwords.add_password(None, url, unquote(parts.username), unquote(parts.password or ""), is_authenticated=True)
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords))
    try:
        with opener.open(url, timeout=_TIMEOUT) as answer:
            content: bytes = answer.read()
    except (urllib.error.URLError, OSError) as error:
        raise MachineError(
            f"{pin.filename} cannot be fetched: {error}", hint="check the network, the proxy settings and the index"
        ) from error
    computed = hashlib.sha256(content).hexdigest()
    if computed != pin.sha256:
        raise PolicyError(
            f"{pin.filename} has not the hash that was locked\n"
            f"  expected sha256 {pin.sha256}\n  computed sha256 {computed}",
            hint="the file is not the one that was locked: do not use it before you know why",
        )
    return content
