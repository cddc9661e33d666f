"""Whether an import lacked nothing but what a function has in Lambda and a sandbox has not: variables, the network."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lambdabuild.model.verification import ROOTS, Cause, Failure, Place

_NO_NETWORK = re.compile(
    r"\[Errno (?:101|111|-[23])\]|Connection refused|Error -[23] connecting|Network is unreachable"
    r"|Temporary failure in name resolution"
    r"|Name or service not known|could not translate host name|Could not connect to the endpoint URL"
    r"|Unable to locate credentials|credentials were not found|DNS resolution failed",
    re.IGNORECASE,
)
_ENVIRON = ("<frozen os>", "/os.py")
_NEVER = frozenset({"ImportError", "ModuleNotFoundError", "SyntaxError", "IndentationError", "TabError", "MemoryError"})
"""Exceptions that no variable prevents."""
_LACKS = re.compile(
    r"required|missing|not set|unset|undefined|not found|not defined|not provided|must be (?:set|defined|provided)"
    r"|has no attribute|does not exist",
    re.IGNORECASE,
)
"""What libraries say that read settings from the environment, of one that is not there."""
_VALIDATION = re.compile(r"(\d+) validation errors? for (\w+)")
_FIELD = re.compile(r"^(\w[\w.]*)\n +(?:Field required|field required)", re.MULTILINE)
"""Of pydantic: https://docs.pydantic.dev/latest/errors/validation_errors/#missing"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What was lacking."""

    text: str
    """As messages name it."""
    variables: tuple[str, ...] = ()
    """Those of the environment that would do, where they are known."""


def find_unmet_need(failure: Failure) -> Need | None:
    """What of a function's surroundings in Lambda an import lacked, that no sandbox gives by itself."""
    for cause in failure.causes:
        if cause.type == "builtins.KeyError" and cause.place is not None and _is_environ(cause.place):
            return _variables([cause.message.strip("'")])
    if any(cause.type == "socket.gaierror" or _NO_NETWORK.search(cause.message) for cause in failure.causes):
        return Need(text="the network, or credentials")
    if failure.kind != "raised" or failure.type in _NEVER:
        return None
    return _named(failure) or _settings(failure) or _used(failure)


def _named(failure: Failure) -> Need | None:
    """What an exception says by name of a variable that was asked for in vain."""
    names = dict.fromkeys(one.name for one in failure.unset)
    texts = [cause.message for cause in failure.causes]
    return _variables(name for name in names if any(re.search(rf"\b{re.escape(name)}\b", text) for text in texts))


def _settings(failure: Failure) -> Need | None:
    """What a library lacks that went through the environment for its settings, and raised."""
    readers = {_package(file) for file in failure.enumerated if file.startswith(ROOTS)}
    if not any(_package(place.file) in readers for place in failure.places):
        return None
    first = failure.causes[0]
    found = _VALIDATION.search(first.message)
    if found is not None:
        fields = _FIELD.findall(first.message)
        if len(fields) != int(found[1]):
            return None  # there are values, and they are wrong
        names = tuple(field.upper() for field in fields)
        return Need(text=f"the environment variables of {found[2]} ({', '.join(fields)})", variables=names)
    return Need(text="an environment variable") if _lacks(first) else None


def _used(failure: Failure) -> Need | None:
    """The variables that came as None to the very place that raised, or to code beside it that has no use for None."""
    if not failure.places:
        return None
    place = failure.places[-1]
    beside = [one for one in failure.unset if one.file == place.file]
    here = [one for one in beside if one.line == place.line]
    if not here and "None" in failure.message:
        here = beside
    return _variables(one.name for one in here)


def _variables(names: Iterable[str]) -> Need | None:
    found = tuple(dict.fromkeys(names))
    if not found:
        return None
    *others, last = found
    listed = f"{', '.join(others)} and {last}" if others else last
    return Need(text=f"the environment variable{'s' * bool(others)} {listed}", variables=found)


def _lacks(cause: Cause) -> bool:
    return _LACKS.search(cause.message) is not None


def _is_environ(place: Place) -> bool:
    return place.function == "__getitem__" and place.file.endswith(_ENVIRON)


def _package(file: str) -> str:
    """The folder of the top-level package that a file belongs to."""
    parts = file.split("/")
    depth = next((number + 1 for number, part in enumerate(parts) if part in ("python", "site-packages", "task")), 0)
    return "/".join(parts[: depth + 1])
