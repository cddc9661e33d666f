"""Work that waits for an engine, a network or a disk, or runs outside of the interpreter, done side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")


def side_by_side(
    things: Sequence[S], work: Callable[[S], T], *, workers: int, cancel: Callable[[], None] = lambda: None
) -> list[T]:
    """What comes of the work for each thing, in their order, with at most so many at once.

    When it fails for one, or is interrupted, ``cancel`` makes the others end, they are waited for, and that is raised.
    """
    if min(len(things), workers) < 2:
        return [work(thing) for thing in things]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(work, thing) for thing in things]
        try:
            return [future.result() for future in futures]
        except BaseException:
            cancel()
            pool.shutdown(cancel_futures=True)
            raise
