"""What of the caller's environment an installation may see: indexes, proxies and timeouts; credentials apart."""

from __future__ import annotations

import re
from collections.abc import Mapping

CA_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
"""Variables that name a file of trusted certificates, the first that is set counts; uv reads SSL_CERT_FILE alone."""

_PUBLIC = re.compile(
    r"UV_(DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|NO_INDEX|INDEX_STRATEGY|INSECURE_HOST|OFFLINE"
    r"|HTTP_TIMEOUT|HTTP_CONNECT_TIMEOUT|HTTP_RETRIES|REQUEST_TIMEOUT|CONCURRENT_\w+)"
    r"|(HTTP|HTTPS|ALL|NO)_PROXY|(http|https|all|no)_proxy"
)
_SECRET = re.compile(r"UV_INDEX_\w+_(USERNAME|PASSWORD)")


def forwarded(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that uv needs to download, credentials included: for the one process that downloads."""
    return {name: value for name, value in environ.items() if _PUBLIC.fullmatch(name) or _SECRET.fullmatch(name)}


def forwarded_without_credentials(environ: Mapping[str, str]) -> dict[str, str]:
    """The same without passwords, user names and tokens: for processes that run code of distributions."""
    return {name: _without_userinfo(value) for name, value in environ.items() if _PUBLIC.fullmatch(name)}


def _without_userinfo(value: str) -> str:
    """A list of URLs, as uv separates them, each without ``user:password@``."""
    return " ".join(_strip(word) for word in value.split(" "))


def _strip(word: str) -> str:
    scheme, separator, rest = word.partition("://") if "://" in word else ("", "", word)
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    return scheme + separator + authority.rpartition("@")[2] + rest[len(authority) :]
