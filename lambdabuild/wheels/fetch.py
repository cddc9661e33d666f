"""Files of a resolution into the store: fetched side by side, gone on with after a break, checked by their hash."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from queue import Empty, SimpleQueue
from urllib.parse import unquote, urlsplit

from urllib3.exceptions import HTTPError

from lambdabuild.errors import MachineError, PolicyError
from lambdabuild.model.credentials import login_hint, redacted, without_userinfo
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.requirements import Pin
from lambdabuild.wheels.client import Client
from lambdabuild.wheels.store import WheelStore, WrongDigestError
from lambdabuild.wheels.transfer import PassingError, StatusError, reason, receive

log = logging.getLogger(__name__)

_AT_ONCE = 16
"""Files that are fetched side by side, where UV_CONCURRENT_DOWNLOADS says nothing else."""
_DELAYS = (0.5, 1.0, 2.0, 4.0)
"""Seconds before another try; after one that brought bytes the count begins anew."""
_LONGEST = 60.0
"""Seconds that a server may ask to be waited for; one that asks for more is not waited for."""
_CHUNK = 1 << 20


@dataclass(slots=True)
class Fetcher:
    """Brings files into the store."""

    store: WheelStore
    client: Client
    listen: Listener
    delays: Sequence[float] = _DELAYS
    sleep: Callable[[float], object] = time.sleep

    def fetch(self, pins: Iterable[Pin]) -> dict[Pin, Path]:
        """The files of these pins, every byte checked, from the store where it has them, else from their places.

        Raises MachineError where a file cannot be had, PolicyError where it is not the one that was locked.
        """
        pins = tuple(dict.fromkeys(pins))
        self._bring(list({pin.sha256: pin for pin in pins if self.store.find_whole(pin.sha256) is None}.values()))
        return {pin: self.store.find(pin.sha256) or self.store.path(pin.sha256) for pin in pins}

    def _waiting(self) -> None:
        self.listen(Event(phase="wait", text="waiting for another build that fetches the same files"))

    def _bring(self, pins: Sequence[Pin]) -> None:
        remote = [pin for pin in pins if local_path(pin) is None]
        for pin in pins:
            if (path := local_path(pin)) is not None:
                self._copy(pin, path)
        if not remote:
            return
        if self.client.environ.get("UV_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
            raise MachineError(
                f"{remote[0].filename} is not in the cache, and UV_OFFLINE is set",
                hint="build once with the network, or unset UV_OFFLINE",
            )
        text = f"fetching {len(remote)} file{'s' * (len(remote) != 1)}"
        total = sum(pin.size or 0 for pin in remote) if all(pin.size for pin in remote) else None
        self.listen(Event(phase="fetch", text=text))
        largest_first = sorted(remote, key=lambda pin: -(pin.size or 0))
        for _ in _side_by_side([partial(self._fetch, pin) for pin in largest_first], self._at_once()):
            came = sum(self.store.received(pin.sha256) for pin in remote)
            self.listen(Event(phase="fetch", text=text, done=came, total=total))

    def _at_once(self) -> int:
        try:
            return max(int(self.client.environ.get("UV_CONCURRENT_DOWNLOADS") or _AT_ONCE), 1)
        except ValueError:
            return _AT_ONCE

    def _copy(self, pin: Pin, path: Path) -> None:
        try:
            with path.open("rb") as file:
                self.store.add(pin.sha256, iter(partial(file.read, _CHUNK), b""))
        except OSError as error:
            raise MachineError(
                f"{path} cannot be read: {error.strerror}", hint="the lock names it; lock again after moving things"
            ) from error
        except WrongDigestError as error:
            raise _another_file(pin, error) from None

    def _fetch(self, pin: Pin) -> None:
        """Try until the file is whole, or until trying again brings nothing more."""
        tries = 0
        while True:
            before = self.store.received(pin.sha256)
            goes_on = False
            try:
                with self.store.receive(pin.sha256, waiting=self._waiting) as incoming:
                    if incoming is not None:
                        goes_on = receive(pin, incoming, self.client)
                return
            except WrongDigestError as error:
                # What had come before may be at fault, and is gone now: the whole file is asked for.
                if not goes_on:
                    raise _another_file(pin, error) from None
            except PassingError as error:
                tries = 0 if self.store.received(pin.sha256) > before else tries
                if tries == len(self.delays) or (error.wait or 0) > _LONGEST:
                    raise self._failure(pin, error.cause) from error.cause
                delay = max(self.delays[tries], error.wait or 0)
                tries += 1
                log.debug("%s: %s; again in %g s", pin.filename, reason(error.cause), delay)
                self.sleep(delay)
            except HTTPError as error:
                raise self._failure(pin, error) from error

    def _failure(self, pin: Pin, error: HTTPError) -> MachineError:
        host = urlsplit(without_userinfo(pin.url)).netloc
        hint = "check the network, the proxy settings and the index"
        if isinstance(error, StatusError):
            host = error.host
            if error.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                hint = login_hint(host)
            elif error.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
                hint = f"the index has the locked file no longer: uv lock --upgrade-package {pin.name}"
        why = redacted(reason(error), self.client.credentials().secrets([pin.url]))
        return MachineError(f"{pin.filename} cannot be fetched from {host}: {why}", hint=hint)


def local_path(pin: Pin) -> Path | None:
    """Where the file of a pin lies on this machine; None where a server has it."""
    if pin.path is not None:
        return Path(pin.path)
    parts = urlsplit(pin.url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _side_by_side(jobs: Sequence[Callable[[], None]], workers: int) -> Iterator[None]:
    """Do the jobs, the first ones first, and give a sign now and then; the first error ends it.

    The threads are daemons, so that an interrupt need not wait for a server that is silent.
    """
    todo: SimpleQueue[Callable[[], None]] = SimpleQueue()
    done: SimpleQueue[BaseException | None] = SimpleQueue()
    stopped = threading.Event()
    for job in jobs:
        todo.put(job)

    def work() -> None:
        while not stopped.is_set():
            try:
                todo.get_nowait()()
                done.put(None)
            except Empty:
                return
            except BaseException as error:
                done.put(error)

    for number in range(min(workers, len(jobs))):
        threading.Thread(target=work, name=f"fetch {number}", daemon=True).start()
    left = len(jobs)
    try:
        while left:
            try:
                error = done.get(timeout=0.1)
                left -= 1
            except Empty:
                error = None
            if error is not None:
                raise error
            yield
    finally:
        stopped.set()


def _another_file(pin: Pin, error: WrongDigestError) -> PolicyError:
    return PolicyError(
        f"{pin.filename} has not the hash that was locked\n"
        f"  expected sha256 {pin.sha256}\n  computed sha256 {error.computed}",
        hint="the file is not the one that was locked: do not use it before you know why",
    )
