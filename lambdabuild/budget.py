"""A bound on the bytes that threads have in memory at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition
from typing import TypeVar

T = TypeVar("T")


class Budget:
    """Shared by the threads of a pool; what alone is more than all of it is let in when nobody else is."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken = 0
        self._changed = Condition()

    @contextmanager
    def taking(self, size: int) -> Iterator[None]:
        """For as long as this many bytes are needed; waits until there is room for them."""
        with self.first([size], lambda size: size):
            yield

    @contextmanager
    def first(self, things: list[T], size_of: Callable[[T], int]) -> Iterator[T]:
        """The first of these for which there is room, taken out of the list; waits until there is one.

        Raises LookupError when the list is empty, or is emptied meanwhile.
        """
        with self._changed:
            self._changed.wait_for(lambda: not things or any(self._has_room(size_of(one)) for one in things))
            if not things:
                raise LookupError
            thing = next(one for one in things if self._has_room(size_of(one)))
            things.remove(thing)
            size = size_of(thing)
            self._taken += size
        try:
            yield thing
        finally:
            with self._changed:
                self._taken -= size
                self._changed.notify_all()

    def _has_room(self, size: int) -> bool:
        return not self._taken or self._taken + size <= self._size
