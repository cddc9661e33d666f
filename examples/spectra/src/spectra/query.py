"""A query as a value: what the parser makes and the engine runs."""

import hashlib
from dataclasses import dataclass
from typing import Literal

Value = str | int | float
Function = Literal["sum", "avg", "min", "max", "count"]
Operator = Literal["=", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Item:
    """One column of the answer: a column as it is, or a function of one (``count`` also of ``*``)."""

    column: str
    function: Function | None
    name: str


@dataclass(frozen=True, slots=True)
class Comparison:
    column: str
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class Membership:
    column: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Negation:
    condition: "Condition"


@dataclass(frozen=True, slots=True)
class Junction:
    kind: Literal["and", "or"]
    conditions: tuple["Condition", ...]


Condition = Comparison | Membership | Negation | Junction


@dataclass(frozen=True, slots=True)
class Ordering:
    name: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Select:
    """One SELECT statement. Texts that differ only in spacing or in the case of keywords make equal values."""

    items: tuple[Item, ...]
    table: str
    where: Condition | None
    group_by: tuple[str, ...]
    order_by: tuple[Ordering, ...]
    limit: int | None

    @property
    def identity(self) -> str:
        """The same in every process, so that whoever runs the query finds its result under the same name."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]
