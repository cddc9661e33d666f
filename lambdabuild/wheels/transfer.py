"""One file from its server into the store: what is lacking of it is asked for, and what went wrong is told."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from urllib3.exceptions import HTTPError, IncompleteRead, LocationValueError, SSLError

from lambdabuild.model.limits import format_size
from lambdabuild.model.requirements import Pin
from lambdabuild.wheels.client import Answer, Client
from lambdabuild.wheels.store import Incoming

_CHUNK = 1 << 17
_PASSING = (408, 429, 500, 502, 503, 504)
"""Answers after which the same request may do better."""


class StatusError(HTTPError):
    """An answer that is no file."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"HTTP {answer.status} {_phrase(answer.status)}".rstrip())
        self.status = answer.status
        self.host = answer.host
        self.wait = _seconds(answer.header("Retry-After"))


class PassingError(Exception):
    """What may be otherwise the next time; ``wait`` is what the server asks for, in seconds."""

    def __init__(self, cause: HTTPError, wait: float | None = None) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.wait = wait


def receive(pin: Pin, incoming: Incoming, client: Client) -> bool:
    """Add what is lacking of a file, and tell whether what had come before was kept.

    Raises PassingError for what another try may mend, urllib3's HTTPError for what it cannot.
    """
    if pin.size is not None and incoming.size > pin.size:
        incoming.restart()
    begin = incoming.size
    if pin.size is not None and begin == pin.size:
        return True
    try:
        with client.get(pin.url, {"Range": f"bytes={begin}-"} if begin else {}) as answer:
            if begin and answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return True  # it may be whole already: its hash will tell
            if answer.status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
                raise StatusError(answer)
            goes_on = begin > 0 and _goes_on(answer, begin)
            if not goes_on:
                incoming.restart()
            for chunk in answer.chunks(_CHUNK):
                incoming.write(chunk)
                if pin.size is not None and incoming.size > pin.size:
                    break  # more than the file that was locked has: its hash will tell
            return goes_on
    except StatusError as error:
        if error.status in _PASSING:
            raise PassingError(error, error.wait) from error
        raise
    except (SSLError, LocationValueError):
        raise
    except HTTPError as error:
        raise PassingError(error) from error


def reason(error: BaseException) -> str:
    """What went wrong, in one line."""
    if isinstance(error, IncompleteRead):
        came = error.partial or 0
        return f"the answer broke off after {format_size(came)} of {format_size(came + (error.expected or 0))}"
    while (cause := error.__cause__ or error.__context__) is not None:
        if isinstance(cause, IncompleteRead):
            return reason(cause)
        error = cause
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).strip() or type(error).__name__


def _goes_on(answer: Answer, begin: int) -> bool:
    """Whether it is the rest that was asked for; a server need not know of ranges."""
    told = answer.header("Content-Range") or ""
    return answer.status == HTTPStatus.PARTIAL_CONTENT and told.startswith(f"bytes {begin}-")


def _seconds(value: str | None) -> float | None:
    """What Retry-After asks for: seconds, or a date (RFC 9110, 10.2.3)."""
    try:
        return max(float(value), 0.0) if value else None
    except ValueError:
        pass
    try:
        return max(parsedate_to_datetime(str(value)).timestamp() - time.time(), 0.0)
    except ValueError:
        return None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
