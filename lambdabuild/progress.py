"""Progress on stderr: a spinner on a terminal, a line a step elsewhere, a JSON line an event for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from threading import Lock
from typing import TYPE_CHECKING

from lambdabuild.model.events import Event
from lambdabuild.model.limits import format_size

if TYPE_CHECKING:
    from rich.status import Status

_EVERY = 0.1
"""Seconds between two events of one step that only count."""


class Progress:
    """Listens to what a build tells while it works, from any thread, and measures how long each phase takes."""

    def __init__(self, *, as_json: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._as_json = as_json
        self._clock = clock
        self._live = sys.stderr.isatty() and not as_json
        self._status: Status | None = None
        self._told = ""
        self._counted = float("-inf")
        self._phase: str | None = None
        self._since = 0.0
        self._spent: dict[str, float] = {}
        self._lock = Lock()

    def listen(self, event: Event) -> None:
        with self._lock:
            self._hear(event)

    def quiet(self) -> None:
        """End the progress, so that other lines stand alone."""
        with self._lock:
            if self._status is not None:
                self._status.stop()
                self._status = None

    def spent(self) -> dict[str, float]:
        """Seconds by phase until now, in the order in which they began."""
        with self._lock:
            self._enter(self._phase, self._clock())
            return dict(self._spent)

    def _hear(self, event: Event) -> None:
        now = self._clock()
        self._enter(event.phase, now)
        counts = event.done is not None
        if counts and now - self._counted < _EVERY:
            return
        if counts:
            self._counted = now
        if self._as_json:
            print(json.dumps({"event": "progress", **asdict(event)}), file=sys.stderr, flush=True)
        elif self._live:
            self._spin(event.text + (f" {format_size(event.done)}" if event.done is not None else ""))
        elif not counts and event.text != self._told:
            self._told = event.text
            print(f"{event.text} …", file=sys.stderr, flush=True)

    def _enter(self, phase: str | None, now: float) -> None:
        if self._phase is not None:
            self._spent[self._phase] = self._spent.get(self._phase, 0.0) + now - self._since
        self._phase, self._since = phase, now

    def _spin(self, text: str) -> None:
        from rich.console import Console as RichConsole
        from rich.text import Text

        plain = Text(text)  # not markup: a path may have brackets
        if self._status is None:
            self._status = RichConsole(stderr=True).status(plain)
            self._status.start()
        else:
            self._status.update(plain)
