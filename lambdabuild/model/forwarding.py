"""What of the caller's environment an installation may see: indexes, proxies and timeouts; credentials apart."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from lambdabuild.model.credentials import names_index

CA_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
"""Variables that name a file of trusted certificates, the first that is set counts; uv reads SSL_CERT_FILE alone."""
CLIENT_CERTIFICATE = "SSL_CLIENT_CERT"
"""Names a file that holds a certificate and its key, for servers that ask who is there."""

_INDEXES = re.compile(r"UV_(DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|NO_INDEX|INDEX_\w+_(USERNAME|PASSWORD))")
_PROXIES = re.compile(r"(HTTP|HTTPS|ALL)_PROXY|(http|https|all)_proxy")
_PUBLIC = re.compile(
    r"UV_(DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|NO_INDEX|INDEX_STRATEGY|INSECURE_HOST|OFFLINE"
    r"|HTTP_TIMEOUT|HTTP_CONNECT_TIMEOUT|HTTP_RETRIES|REQUEST_TIMEOUT|CONCURRENT_\w+)"
    rf"|{_PROXIES.pattern}|NO_PROXY|no_proxy"
)
_SETTINGS = re.compile(
    r"UV_(?!(CACHE_DIR|LINK_MODE|NO_PROGRESS|\w*(TIMEOUT|RETRIES)|CONCURRENT_\w+|PUBLISH_\w+|TOOL_\w+|PYTHON_\w+_MIRROR"
    r"|PYTHON_\w*DIR|\w*(USERNAME|PASSWORD|TOKEN))$)\w+"
)
"""uv's variables but for those of credentials, and of where and how it fetches what the others decide on."""
_OF_ANOTHER_REPOSITORY = re.compile(
    "GIT_(DIR|WORK_TREE|INDEX_FILE|COMMON_DIR|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|NAMESPACE|PREFIX)"
)
"""Variables that git sets for its hooks."""
_OF_OTHER_TOOLS = re.compile("(UV|PIP|POETRY|PDM|HATCH|FLIT|TWINE)_")
_FROM_PIP = {
    "UV_DEFAULT_INDEX": ("PIP_INDEX_URL",),
    "UV_INDEX": ("PIP_EXTRA_INDEX_URL",),
    "UV_INSECURE_HOST": ("PIP_TRUSTED_HOST",),
    "SSL_CERT_FILE": CA_BUNDLES[1:],
    CLIENT_CERTIFICATE: ("PIP_CLIENT_CERT",),
    "ALL_PROXY": ("PIP_PROXY",),
}
"""uv's variables, and pip's that stand for them where they are not set."""


def relevant(environ: Mapping[str, str], settings: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The environment without pip's indexes where uv is told of its own, by a variable or in its settings."""
    if not names_index(environ, settings):
        return dict(environ)
    return {name: value for name, value in environ.items() if name not in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")}


def with_pip(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for what uv does in pip's place: pip's variables hold where uv's are not set.

    The project's lock is no such thing: ``uv lock`` and ``uv export`` know uv's variables alone, for the caller too,
    and another default index would make the lock stale.
    """
    added = dict(environ)
    for name, others in _FROM_PIP.items():
        value = next((environ[other] for other in others if environ.get(other)), None)
        lower = name.lower() if _PROXIES.fullmatch(name) else name
        if value and not environ.get(name) and not environ.get(lower):
            added[name] = value
    return added


def forwarded_without_credentials(environ: Mapping[str, str]) -> dict[str, str]:
    """What uv needs to download, without passwords, user names and tokens: for what strangers' code may see."""
    environ = with_pip(environ)
    return {name: _without_userinfo(value) for name, value in environ.items() if _PUBLIC.fullmatch(name)}


def deciding_without_credentials(environ: Mapping[str, str]) -> dict[str, str]:
    """What of the environment can decide on uv's answers, without passwords, user names and tokens."""
    environ = with_pip(environ)
    return {name: _without_userinfo(value) for name, value in environ.items() if _SETTINGS.fullmatch(name)}


def for_git(environ: Mapping[str, str], url: str, *, protocols: Sequence[str]) -> dict[str, str]:
    """The environment for git, which asks nobody for a password and speaks these protocols, of those that the caller
    allows: with what it logs in with, and without what is given to uv, pip and others.

    Which variables a credential helper reads is the user's choice, so only what is known to be another's is left out.
    """
    others = {name: value for name, value in environ.items() if not _OF_ANOTHER_REPOSITORY.fullmatch(name)}
    host = urlsplit(url).hostname or ""
    if not host.startswith("git-codecommit."):  # where git logs in with them
        others = {name: value for name, value in others.items() if not name.startswith("AWS_")}
    allowed = environ.get("GIT_ALLOW_PROTOCOL", "").split(":") if "GIT_ALLOW_PROTOCOL" in environ else protocols
    spoken = ":".join(name for name in protocols if name in allowed)
    return {
        **{name: value for name, value in others.items() if not _OF_OTHER_TOOLS.match(name)},
        "GIT_ALLOW_PROTOCOL": spoken,
        "GIT_TERMINAL_PROMPT": "0",
    }


def without_indexes(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment without indexes: files that are named by their URLs need none."""
    return {name: value for name, value in environ.items() if not _INDEXES.fullmatch(name)}


def _without_userinfo(value: str) -> str:
    """A list of URLs, as uv separates them, each without ``user:password@``."""
    return re.sub(r"\S+", lambda word: _strip(word[0]), value)


def _strip(word: str) -> str:
    scheme, separator, rest = word.partition("://") if "://" in word else ("", "", word)
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    return scheme + separator + authority.rpartition("@")[2] + rest[len(authority) :]
