"""What a build tells while it works."""

from __future__ import annotations

from collections.abc import Callable

from lambdabuild.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A step has begun or moved on."""

    phase: str
    """``resolve``, ``image``, ``install``, ``build``, ``deflate``, ``assemble`` …"""
    text: str
    done: int | None = None
    """Bytes or pieces so far, where the step counts."""
    total: int | None = None


Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """A listener that wants to know nothing."""
