import pytest

from spectra import sql
from spectra.errors import QueryError
from spectra.query import Comparison, Item, Junction, Membership, Negation, Ordering, Select


def test_a_query_with_every_clause() -> None:
    query = sql.parse(
        """
        SELECT region, SUM(amount_cents) AS revenue, COUNT(*) FROM orders
        WHERE status = 'paid' AND (quantity > 2 OR NOT channel IN ('web', 'shop'))
        GROUP BY region ORDER BY revenue DESC, region LIMIT 3;
        """
    )
    assert query == Select(
        items=(Item("region", None, "region"), Item("amount_cents", "sum", "revenue"), Item("*", "count", "count")),
        table="orders",
        where=Junction(
            "and",
            (
                Comparison("status", "=", "paid"),
                Junction("or", (Comparison("quantity", ">", 2), Negation(Membership("channel", ("web", "shop"))))),
            ),
        ),
        group_by=("region",),
        order_by=(Ordering("revenue", True), Ordering("region", False)),
        limit=3,
    )


def test_quotes_inside_text() -> None:
    assert sql.parse("SELECT * FROM t WHERE name = 'O''Hara'").where == Comparison("name", "=", "O'Hara")


def test_spacing_and_case_of_keywords_do_not_change_the_identity() -> None:
    one = sql.parse("select region from orders where quantity<>2")
    other = sql.parse("SELECT region\n  FROM orders\n  WHERE quantity != 2")
    assert one.identity == other.identity
    assert one.identity != sql.parse("SELECT region FROM orders").identity


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected 'SELECT', found the end of the query"),
        ("DELETE FROM orders", "expected 'SELECT', found 'DELETE'"),
        ("SELECT region orders", "expected 'FROM', found 'orders'"),
        ("SELECT region FROM orders WHERE", "expected a name, found the end of the query"),
        ("SELECT region FROM orders WHERE quantity", "expected a comparison, found the end of the query"),
        ("SELECT region FROM orders WHERE quantity > many", "expected a value, found 'many'"),
        ("SELECT region FROM orders LIMIT 1.5", "LIMIT takes a whole number"),
        ("SELECT median(quantity) FROM orders", "unknown function 'median'; there are sum, avg, min, max, count"),
        ("SELECT region FROM orders; DROP TABLE orders", "cannot read the query at '; DROP TABLE orders'"),
        ("SELECT region FROM orders extra", "expected the end of the query, found 'extra'"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(QueryError) as caught:
        sql.parse(text)
    assert str(caught.value) == complaint
