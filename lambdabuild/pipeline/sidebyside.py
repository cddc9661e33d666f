"""Work for several targets at once: most of it waits for an engine, a network or a disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from lambdabuild.model.target import Target

T = TypeVar("T")


def for_each(targets: Sequence[Target], work: Callable[[Target], T], *, cancel: Callable[[], None]) -> dict[Target, T]:
    """What comes of the work for each target.

    When it fails for one, or is interrupted, ``cancel`` makes the others end, they are waited for, and that is raised.
    """
    if len(targets) < 2:
        return {target: work(target) for target in targets}
    with ThreadPoolExecutor(len(targets)) as pool:
        futures = {target: pool.submit(work, target) for target in targets}
        try:
            return {target: future.result() for target, future in futures.items()}
        except BaseException:
            cancel()
            pool.shutdown(cancel_futures=True)
            raise
