"""budget: how many bytes threads have in memory at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Lock

import pytest

from lambdabuild.budget import Budget


def test_what_fits_goes_on_side_by_side() -> None:
    budget, both = Budget(10), Barrier(2, timeout=10)

    def work(size: int) -> None:
        with budget.taking(size):
            both.wait()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, (4, 6)))


def test_never_more_than_the_budget_unless_one_alone_is() -> None:
    budget, lock, now, most = Budget(10), Lock(), list[int](), list[int]()

    def work(size: int) -> None:
        with budget.taking(size):
            with lock:
                now.append(size)
                most.append(sum(now) if len(now) > 1 else min(sum(now), 10))
            with lock:
                now.remove(size)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [1, 9, 5, 6, 30, 2, 10, 3] * 25))
    assert max(most) <= 10
    assert len(most) == 200


def test_the_first_that_has_room_is_taken() -> None:
    budget, sizes = Budget(10), [8, 7, 2]
    with budget.first(sizes, int) as first, budget.first(sizes, int) as second:
        assert (first, second, sizes) == (8, 2, [7])
    with budget.first(sizes, int) as last:
        assert (last, sizes) == (7, [])


def test_whoever_waits_is_let_go_when_the_list_is_emptied() -> None:
    budget, sizes, waits = Budget(10), [10, 10], Event()

    def size_of(size: int) -> int:
        waits.set()
        return size

    def work() -> None:
        with budget.first(sizes, size_of):
            pass

    with ThreadPoolExecutor(1) as pool:
        with budget.first(sizes, int):
            waiting = pool.submit(work)
            assert waits.wait(10)
            sizes.clear()
        with pytest.raises(LookupError):
            waiting.result(10)


def test_what_fails_gives_its_bytes_back() -> None:
    budget = Budget(10)
    with pytest.raises(KeyboardInterrupt), budget.taking(10):
        raise KeyboardInterrupt
    with budget.taking(5), budget.taking(5):
        pass
