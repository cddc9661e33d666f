"""pipeline.sidebyside: several things at once, and what happens when one of them fails."""

from __future__ import annotations

import threading

import pytest

from lambdabuild.errors import BuildError
from lambdabuild.model.target import Target
from lambdabuild.pipeline.sidebyside import side_by_side
from tests.samples import target

OLD, NEW, ARM = target("3.12"), target("3.13"), target("3.13", "arm64")


def never() -> None:
    raise AssertionError("nothing has to be cancelled")


def test_targets_are_worked_on_at_once() -> None:
    meet = threading.Barrier(3, timeout=20)

    def work(one: Target) -> str:
        meet.wait()
        return str(one)

    assert side_by_side([OLD, NEW, ARM], work, workers=3, cancel=never) == [
        "python3.12 x86_64",
        "python3.13 x86_64",
        "python3.13 arm64",
    ]


def test_no_more_at_once_than_are_asked_for() -> None:
    running, most, lock = 0, 0, threading.Lock()
    pair = threading.Barrier(2, timeout=20)

    def work(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        pair.wait()
        with lock:
            running -= 1
        pair.wait()

    side_by_side(range(6), work, workers=2, cancel=never)
    assert most == 2


def test_one_target_needs_no_thread() -> None:
    assert side_by_side([OLD], lambda one: threading.current_thread(), workers=1, cancel=never) == [
        threading.current_thread()
    ]
    assert side_by_side([], lambda one: one, workers=0, cancel=never) == []


def test_a_failure_ends_the_others() -> None:
    cancelled = threading.Event()

    def work(one: Target) -> None:
        if one == OLD:
            raise BuildError("old cannot be built")
        assert cancelled.wait(20)

    with pytest.raises(BuildError) as caught:
        side_by_side([OLD, NEW], work, workers=2, cancel=cancelled.set)
    assert caught.value.message == "old cannot be built"
    assert cancelled.is_set()
