"""Runs a Select over the warehouse with Arrow's kernels."""

import operator
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from spectra import warehouse
from spectra.errors import QueryError
from spectra.query import Comparison, Condition, Function, Item, Membership, Negation, Operator, Select, Value

COMPARE: Mapping[Operator, Callable[[Any, Any], pc.Expression]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
KERNELS: Mapping[Function, str] = {"sum": "sum", "avg": "mean", "min": "min", "max": "max", "count": "count"}


def run(query: Select) -> pa.Table:
    """The answer to the query, or QueryError when the warehouse has no such thing."""
    source = warehouse.table(query.table)
    items = _expand(query.items, source)
    where = None if query.where is None else _expression(query.where, source)
    if query.group_by or any(item.function for item in items):
        answer = _aggregate(items, query.group_by, source, where)
    else:
        answer = _project(items, source, where)
    return _sort(answer, query).slice(0, query.limit)


def _expand(items: tuple[Item, ...], source: warehouse.Table) -> list[Item]:
    """Replace ``*`` by every column, and refuse a column that is not there or a name that is there twice."""
    expanded: list[Item] = []
    for item in items:
        if item.name == "*":
            expanded += [Item(name, None, name) for name in source.schema.names]
        else:
            _check(item, source)
            expanded.append(item)
    names = [item.name for item in expanded]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise QueryError(f"two columns of the answer are called {min(repeated)!r}; name them with AS")
    return expanded


def _check(item: Item, source: warehouse.Table) -> None:
    if item.column == "*":
        return
    column = source.field(item.column)
    if item.function in ("sum", "avg") and not _is_number(column.type):
        raise QueryError(f"{item.function.upper()} needs numbers, and {item.column!r} is {column.type}")


def _project(items: list[Item], source: warehouse.Table, where: pc.Expression | None) -> pa.Table:
    rows = source.read({item.column for item in items}, where)
    return pa.table({item.name: rows[item.column] for item in items})


def _aggregate(
    items: list[Item], group_by: tuple[str, ...], source: warehouse.Table, where: pc.Expression | None
) -> pa.Table:
    keys = [source.field(name).name for name in group_by]
    for item in items:
        if item.function is None and item.column not in keys:
            raise QueryError(f"{item.column!r} must be in GROUP BY or inside a function")
    inputs = {item.column for item in items if item.column != "*"} | set(keys)
    rows = source.read(inputs or {source.schema.names[0]}, where)
    wanted = {_kernel(item) for item in items if item.function}
    grouped = rows.group_by(keys, use_threads=False).aggregate(
        [([] if column == "*" else column, kernel) for column, kernel in sorted(wanted)]
    )
    return pa.table({item.name: grouped[_kernel_output(item)] for item in items})


def _kernel(item: Item) -> tuple[str, str]:
    if item.function is None or item.column == "*":
        return "*", "count_all"
    return item.column, KERNELS[item.function]


def _kernel_output(item: Item) -> str:
    """What Arrow calls the column that holds this item."""
    if item.function is None:
        return item.column
    column, kernel = _kernel(item)
    return kernel if column == "*" else f"{column}_{kernel}"


def _sort(answer: pa.Table, query: Select) -> pa.Table:
    for ordering in query.order_by:
        if ordering.name not in answer.column_names:
            raise QueryError(f"ORDER BY takes a column of the answer, and {ordering.name!r} is none")
    if not query.order_by:
        return answer
    return answer.sort_by(
        [(ordering.name, "descending" if ordering.descending else "ascending") for ordering in query.order_by]
    )


def _expression(condition: Condition, source: warehouse.Table) -> pc.Expression:
    match condition:
        case Comparison(column, sign, value):
            return COMPARE[sign](pc.field(column), _literal(value, source.field(column)))
        case Membership(column, values):
            field = source.field(column)
            return reduce(operator.or_, [pc.field(column) == _literal(value, field) for value in values])
        case Negation(inner):
            return ~_expression(inner, source)
    parts = [_expression(part, source) for part in condition.conditions]
    return reduce(operator.and_ if condition.kind == "and" else operator.or_, parts)


def _literal(value: Value, field: pa.Field) -> pa.Scalar:
    """The value as the column's type understands it."""
    if _is_number(field.type) != isinstance(value, int | float):
        raise QueryError(f"{field.name!r} is {field.type} and cannot be compared with {value!r}")
    if not isinstance(value, str):
        return pa.scalar(value)
    try:
        return pa.scalar(value).cast(field.type)
    except pa.ArrowInvalid:
        raise QueryError(f"{field.name!r} is {field.type}, and {value!r} is none") from None


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
