"""Our dataclasses beside those of the standard library: no difference but when their methods are made."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, field, fields, is_dataclass, replace
from typing import Any

import pytest

from lambdabuild import values

Make = Callable[..., Any]


def make_named(dataclass: Make) -> Any:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Named:
        """With whatever a field may have."""

        set: str
        keep: tuple[int, ...] = ()
        other: dict[str, int] = field(default_factory=dict, compare=False)
        missing: int = field(init=False, repr=False, default=3)
        found: list[int] = field(init=False, repr=False, compare=False, default_factory=list)
        size: int = field(init=False, compare=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "size", len(self.keep))

        @property
        def double(self) -> int:
            return self.size * 2

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Below(Named):
        more: int

    Named.below = Below
    return Named


def make_placed(dataclass: Make) -> Any:
    @dataclass(frozen=True, slots=True)
    class Placed:
        file: str
        offset: int = 0

        def __str__(self) -> str:
            return self.file

    return Placed


def make_mutable(dataclass: Make) -> Any:
    @dataclass(slots=True)
    class Mutable:
        names: list[str] = field(default_factory=list)
        count: int = 0

    return Mutable


ENDED: dict[str, Callable[[Any, Any, Any], object]] = {
    "all given": lambda named, placed, mutable: named(set="s", keep=(1, 2), other={"a": 1}),
    "defaults": lambda named, placed, mutable: named(set="s"),
    "double": lambda named, placed, mutable: named(set="s", keep=(1,)).double,
    "equal": lambda named, placed, mutable: named(set="s", other={}) == named(set="s", other={"a": 1}),
    "not equal": lambda named, placed, mutable: named(set="s") == named(set="t"),
    "equal to another": lambda named, placed, mutable: placed("s") == ("s", 0),
    "hashes": lambda named, placed, mutable: len({placed("a"), placed("a"), placed("b"), named(set="s")}),
    "replaced": lambda named, placed, mutable: replace(named(set="s"), keep=(3,)),
    "as a dictionary": lambda named, placed, mutable: asdict(named(set="s")),
    "fields": lambda named, placed, mutable: [one.name for one in fields(named)],
    "is one": lambda named, placed, mutable: (is_dataclass(named), is_dataclass(placed("x"))),
    "by place": lambda named, placed, mutable: (placed("f", 3), str(placed("f")), repr(placed("f"))),
    "slots": lambda named, placed, mutable: (named.__slots__, placed.__slots__, hasattr(placed("f"), "__dict__")),
    "of a class above": lambda named, placed, mutable: named.below(set="s", more=2),
    "equal below": lambda named, placed, mutable: named.below(set="s", more=2) == named(set="s"),
    "pattern": lambda named, placed, mutable: placed.__match_args__,
    "doc": lambda named, placed, mutable: named.__doc__,
    "factories": lambda named, placed, mutable: mutable().names is mutable().names,
    "changed": lambda named, placed, mutable: setattr(one := mutable(), "count", 5) or one,
    "a mutable has no hash": lambda named, placed, mutable: hash(mutable()),
    "set": lambda named, placed, mutable: setattr(placed("f"), "file", "g"),
    "deleted": lambda named, placed, mutable: delattr(placed("f"), "file"),
    "set before any other": lambda named, placed, mutable: setattr(named(set="s"), "keep", ()),
    "nothing given": lambda named, placed, mutable: named(),
    "too many given": lambda named, placed, mutable: placed("f", 1, 2),
    "by place where a name is needed": lambda named, placed, mutable: named("s"),
    "an unknown name": lambda named, placed, mutable: placed("f", size=3),
    "what is no argument": lambda named, placed, mutable: named(set="s", missing=4),
}


@pytest.mark.parametrize("use", ENDED.values(), ids=ENDED)
def test_what_comes_of_it_is_the_same(use: Callable[[Any, Any, Any], object]) -> None:
    makers = (make_named, make_placed, make_mutable)

    def outcome(dataclass: Make) -> object:
        try:
            return repr(use(*(make(dataclass) for make in makers)))
        except Exception as error:
            return type(error)

    assert outcome(values.dataclass) == outcome(dataclasses.dataclass)


def test_a_frozen_value_says_so() -> None:
    with pytest.raises(FrozenInstanceError, match=r"cannot assign to field 'file'"):
        make_placed(values.dataclass)("f").file = "g"


def test_methods_are_made_with_the_first_value() -> None:
    placed = make_placed(values.dataclass)
    assert "__eq__" not in vars(placed)
    placed("f")
    assert {"__eq__", "__hash__", "__setattr__"} <= vars(placed).keys()
