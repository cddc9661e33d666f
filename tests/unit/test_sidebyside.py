"""pipeline.sidebyside: several targets at once, and what happens when one of them fails."""

from __future__ import annotations

import threading

import pytest

from lambdabuild.errors import BuildError
from lambdabuild.model.target import Target
from lambdabuild.pipeline.sidebyside import for_each
from tests.samples import target

OLD, NEW, ARM = target("3.12"), target("3.13"), target("3.13", "arm64")


def never() -> None:
    raise AssertionError("nothing has to be cancelled")


def test_targets_are_worked_on_at_once() -> None:
    meet = threading.Barrier(3, timeout=20)

    def work(one: Target) -> str:
        meet.wait()
        return str(one)

    assert for_each([OLD, NEW, ARM], work, cancel=never) == {
        OLD: "python3.12 x86_64",
        NEW: "python3.13 x86_64",
        ARM: "python3.13 arm64",
    }


def test_one_target_needs_no_thread() -> None:
    assert for_each([OLD], lambda one: threading.current_thread(), cancel=never) == {OLD: threading.current_thread()}
    assert for_each([], lambda one: one, cancel=never) == {}


def test_a_failure_ends_the_others() -> None:
    cancelled = threading.Event()

    def work(one: Target) -> None:
        if one == OLD:
            raise BuildError("old cannot be built")
        assert cancelled.wait(20)

    with pytest.raises(BuildError) as caught:
        for_each([OLD, NEW], work, cancel=cancelled.set)
    assert caught.value.message == "old cannot be built"
    assert cancelled.is_set()
