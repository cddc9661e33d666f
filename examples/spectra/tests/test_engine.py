"""The engine against the same questions answered in plain Python."""

import csv
from collections import defaultdict
from datetime import date
from importlib.resources import files
from typing import Any

import pytest

from spectra import engine, sql
from spectra.errors import QueryError


def ask(text: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = engine.run(sql.parse(text)).to_pylist()
    return rows


@pytest.fixture(scope="module")
def orders() -> list[dict[str, str]]:
    with files("spectra").joinpath("data", "orders.csv").open() as file:
        return list(csv.DictReader(file))


def test_grouping_and_ordering(orders: list[dict[str, str]]) -> None:
    revenue: defaultdict[str, int] = defaultdict(int)
    for order in orders:
        if order["status"] == "paid":
            revenue[order["region"]] += int(order["amount_cents"])
    ranked = sorted(revenue.items(), key=lambda entry: -entry[1])[:2]
    assert ask(
        "SELECT region, SUM(amount_cents) AS revenue FROM orders WHERE status = 'paid' "
        "GROUP BY region ORDER BY revenue DESC LIMIT 2"
    ) == [{"region": region, "revenue": cents} for region, cents in ranked]


def test_filtering_without_grouping(orders: list[dict[str, str]]) -> None:
    wanted = [
        {"order_id": int(order["order_id"]), "day": date.fromisoformat(order["ordered_on"])}
        for order in orders
        if order["channel"] in ("web", "shop") and int(order["quantity"]) >= 8 and order["ordered_on"] < "2026-03-01"
    ]
    assert wanted
    assert wanted == ask(
        "SELECT order_id, ordered_on AS day FROM orders "
        "WHERE NOT channel = 'partner' AND quantity >= 8 AND ordered_on < '2026-03-01'"
    )


def test_functions_over_everything(orders: list[dict[str, str]]) -> None:
    quantities = [int(order["quantity"]) for order in orders]
    assert ask("SELECT COUNT(*), AVG(quantity), MIN(quantity) AS low, MAX(ordered_on) AS latest FROM orders") == [
        {
            "count": len(orders),
            "avg_quantity": sum(quantities) / len(quantities),
            "low": min(quantities),
            "latest": max(date.fromisoformat(order["ordered_on"]) for order in orders),
        }
    ]


def test_no_row_meets_the_condition() -> None:
    assert ask("SELECT region FROM orders WHERE region = 'nowhere'") == []
    assert ask("SELECT COUNT(*), SUM(quantity) FROM orders WHERE region = 'nowhere'") == [
        {"count": 0, "sum_quantity": None}
    ]


def test_a_star_is_every_column() -> None:
    assert ask("SELECT * FROM products WHERE product = 'lens'") == [
        {"product": "lens", "category": "optics", "unit_cents": 4900}
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("SELECT a FROM sales", "there is no table 'sales'; there are orders, products"),
        ("SELECT a FROM products", "table 'products' has no column 'a'; it has product, category, unit_cents"),
        ("SELECT product FROM products GROUP BY a", "table 'products' has no column 'a'"),
        ("SELECT product, COUNT(*) FROM products", "'product' must be in GROUP BY or inside a function"),
        ("SELECT SUM(product) FROM products", "SUM needs numbers, and 'product' is string"),
        ("SELECT product, product FROM products", "two columns of the answer are called 'product'"),
        ("SELECT product FROM products ORDER BY category", "ORDER BY takes a column of the answer"),
        ("SELECT product FROM products WHERE product > 1", "'product' is string and cannot be compared with 1"),
        ("SELECT region FROM orders WHERE quantity = '1'", "'quantity' is int32 and cannot be compared with '1'"),
        ("SELECT region FROM orders WHERE ordered_on = 'May'", "'ordered_on' is date32[day], and 'May' is none"),
    ],
)
def test_what_is_not_there_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(QueryError) as caught:
        ask(text)
    assert str(caught.value).startswith(complaint)
