"""Credentials: who gave which for what place, and so which may be sent where. Nothing in here is ever shown.

A login is bound to the scheme, host and port of the URL that it was given for, and among several logins for one host to
the path. Names of indexes bind nothing: they only join a login to the URL of the index that has the name.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from lambdabuild.values import dataclass

MASK = "****"
_UV_INDEXES = ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX_URL")
_PIP_INDEXES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
_PORTS = {"http": 80, "https": 443}
_SHORT = 4  # fewer characters than this may be in any text, so they are not looked for
_USERINFO = re.compile(r"(?<=://)[^/?#\s\"'<>]*@")
_GIT = "git@"
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")  # https://pip.pypa.io/en/stable/reference/requirements-file-format/
_URL = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)

Origin = tuple[str, str, int | None]
"""Scheme, host and port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A user name and a password; a token is one of the two, and the other is empty."""

    username: str = field(repr=False)
    password: str = field(repr=False)

    @property
    def userinfo(self) -> str:
        """As it stands in a URL, ``@`` included."""
        password = ":" + quote(self.password, safe="") if self.password else ""
        return f"{quote(self.username, safe='')}{password}@"

    @property
    def basic(self) -> str:
        """As it stands in the header of a request."""
        return base64.b64encode(f"{self.username}:{self.password}".encode()).decode()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown, in each form that it may take."""
        secret = self.password or self.username
        return tuple({form: None for form in (secret, quote(secret, safe=""), self.basic) if len(form) >= _SHORT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A login and the URL that it was given for: of an index, or of a file."""

    url: str
    """Without userinfo; ``/simple`` at its end is left out."""
    login: Login


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """All logins that are known, the first that fits a URL is its own."""

    grants: tuple[Grant, ...] = ()
    netrc: Mapping[str, Login] = field(default_factory=dict, repr=False)
    """By host; ``default`` is for every host that has none."""

    def find(self, url: str) -> Login | None:
        """The login for a URL: its own, else of what is above its path, else of its origin, else of its host."""
        own = parse_grant(url)
        if own is not None:
            return self._completed(own)
        near = [grant for grant in self.grants if origin(grant.url) == origin(url)]
        path = _segments(url)
        above = [grant for grant in near if path[: len(_segments(grant.url))] == _segments(grant.url)]
        best = max(above, key=lambda grant: len(_segments(grant.url)), default=near[0] if near else None)
        if best is not None:
            return self._completed(best)
        host = _split(url).hostname or ""
        return self.netrc.get(host) or self.netrc.get("default") if host else None

    def indexes(self, urls: Iterable[str]) -> tuple[str, ...]:
        """Index URLs with userinfo that make uv send each file's request the login of its URL, and nothing else.

        uv looks a request up by the path of the indexes that it knows. So an origin with one login becomes an index as
        a whole; where there are several, each file is one.
        """
        logins: dict[Origin, dict[str, Login | None]] = {}
        for url in urls:
            logins.setdefault(origin(url), {})[without_userinfo(url)] = self.find(url)
        found: dict[str, None] = {}
        for by_url in logins.values():
            alone = len(set(by_url.values())) == 1
            for url, login in by_url.items():
                if login is not None:
                    parts = _split(url)
                    place = ("/" if alone else parts.path, "", "")
                    found[urlunsplit((parts.scheme, login.userinfo + parts.netloc, *place))] = None
        return tuple(found)

    def secrets(self, urls: Iterable[str]) -> frozenset[str]:
        """What messages about requests for these URLs must not show."""
        logins = (self.find(url) for url in urls)
        return frozenset(secret for login in logins if login is not None for secret in login.secrets)

    def _completed(self, grant: Grant) -> Login:
        """The grant's login; where it is a user name alone, with the password that netrc has for that user."""
        entry = self.netrc.get(_split(grant.url).hostname or "") or self.netrc.get("default")
        alone = not grant.login.password
        return entry if alone and entry is not None and entry.username == grant.login.username else grant.login


def gather(
    environ: Mapping[str, str], settings: Sequence[Mapping[str, Any]], netrc: Mapping[str, Login]
) -> Credentials:
    """What the environment, uv's settings (tables as in uv.toml) and netrc give, in this order."""
    grants = [_grant(name, url, environ) for name, url in _indexes(environ, settings)]
    return Credentials(grants=tuple(grant for grant in grants if grant is not None), netrc=netrc)


def names_index(environ: Mapping[str, str], settings: Sequence[Mapping[str, Any]]) -> bool:
    """Whether uv is told of any index."""
    return any(environ.get(name) for name in _UV_INDEXES) or any(True for _ in _indexes({}, settings))


def parse_grant(url: str) -> Grant | None:
    """The login that a URL holds; None when it holds none, or is not of the web."""
    parts = _split(url)
    userinfo, at, _ = parts.netloc.rpartition("@")
    username, _, password = userinfo.partition(":")
    if not at or parts.scheme not in _PORTS or not (username or password):
        return None
    return Grant(url=_root(without_userinfo(url)), login=Login(username=unquote(username), password=unquote(password)))


def grants_in(text: str, environ: Mapping[str, str] | None = None) -> tuple[Grant, ...]:
    """The logins in the URLs of a text, as of a requirements file; uv puts variables in there for ``${NAME}``."""
    if environ is not None:
        text = _VARIABLE.sub(lambda match: environ.get(match[1], match[0]), text)
    found = (parse_grant(match.group().rstrip(",;)]}")) for match in _URL.finditer(text))
    return tuple(grant for grant in found if grant is not None)


def signed(url: str, grants: Sequence[Grant]) -> str:
    """A URL with the login that these have for its place, when it has none itself."""
    login = Credentials(grants=tuple(grants)).find(url)
    parts = _split(url)
    if login is None or "@" in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=login.userinfo + parts.netloc))


def without_userinfo(url: str) -> str:
    """A URL, or a text with URLs, without ``user:password@``; the ``git@`` of a repository is no secret, and stays."""
    return _USERINFO.sub(lambda match: match[0] if match[0] == _GIT else "", url)


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """A text without these secrets, and without the user names and passwords of URLs."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _USERINFO.sub(lambda match: match[0] if match[0] == _GIT else f"{MASK}@", text)


def secrets_of(environ: Mapping[str, str]) -> frozenset[str]:
    """The secrets that an environment holds for uv, also in URLs that are none: uv shows those as they are."""
    found: set[str] = set()
    for name, value in environ.items():
        if match := re.fullmatch(r"UV_INDEX_(\w+)_PASSWORD", name):
            login = Login(username=environ.get(f"UV_INDEX_{match[1]}_USERNAME", ""), password=value)
            found.update(login.secrets)
        if "://" in value:
            found.update(secret for grant in grants_in(value) for secret in grant.login.secrets)
            for text in (value, *value.split()):
                userinfo, _, _ = text.partition("://")[2].rpartition("@")
                found.add(userinfo.partition(":")[2])
    return frozenset(secret for secret in found if len(secret) >= _SHORT)


def login_hint(host: str) -> str:
    """How to give a login that is missing or wrong."""
    return (
        f"{host} wants a login: UV_INDEX_<NAME>_USERNAME and UV_INDEX_<NAME>_PASSWORD of the index <NAME>, "
        "user:password@ in the URL of UV_INDEX or UV_DEFAULT_INDEX, or ~/.netrc (docs/indexes.md)"
    )


def origin(url: str) -> Origin:
    parts = _split(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    return parts.scheme, parts.hostname or "", port or _PORTS.get(parts.scheme)


def _indexes(environ: Mapping[str, str], settings: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Name (or nothing) and URL of every index that is spoken of."""
    for variable in _UV_INDEXES:
        yield from (_named(word) for word in environ.get(variable, "").split())
    for table in settings:
        for index in _tables(table.get("index")):
            yield str(index.get("name", "")), str(index.get("url", ""))
        for options in (table, *_tables([table.get("pip")])):
            extra = options.get("extra-index-url")
            for url in (options.get("index-url"), *(extra if isinstance(extra, list) else ())):
                if isinstance(url, str):
                    yield "", url
    for variable in _PIP_INDEXES:
        yield from (("", word) for word in environ.get(variable, "").split())


def _tables(values: Any) -> Iterator[Mapping[str, Any]]:
    yield from (value for value in (values if isinstance(values, list) else ()) if isinstance(value, Mapping))


def _named(word: str) -> tuple[str, str]:
    """``name=url`` as uv takes it apart."""
    name, equals, url = word.partition("=")
    return (name, url) if equals and ":" not in name else ("", word)


def _grant(name: str, url: str, environ: Mapping[str, str]) -> Grant | None:
    """The login for an index; that of the variables with its name goes before that of its URL."""
    key = "UV_INDEX_" + re.sub(r"[^0-9A-Z]", "_", name.upper())
    username, password = environ.get(f"{key}_USERNAME", ""), environ.get(f"{key}_PASSWORD", "")
    if name and (username or password) and _split(url).scheme in _PORTS:
        return Grant(url=_root(without_userinfo(url)), login=Login(username=username, password=password))
    return parse_grant(url)


def _root(url: str) -> str:
    """What uv takes an index's login to be for: all beside ``/simple``."""
    return re.sub(r"/\+?simple/?$", "/", url, flags=re.IGNORECASE)


def _split(url: str) -> SplitResult:
    """The parts of a URL; of what is none, no parts."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _segments(url: str) -> list[str]:
    return [segment for segment in _split(url).path.split("/") if segment]
