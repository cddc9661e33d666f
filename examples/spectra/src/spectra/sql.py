"""A little SQL: text in, a Select out.

    SELECT region, SUM(amount_cents) AS revenue FROM orders
    WHERE status = 'paid' AND ordered_on BETWEEN '2026-01-01' AND '2026-03-31'
    GROUP BY region ORDER BY revenue DESC LIMIT 3

One table, no joins; WHERE knows AND, OR, NOT, IN, BETWEEN, brackets and the six comparisons.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

from spectra.errors import QueryError
from spectra.query import (
    Comparison,
    Condition,
    Function,
    Item,
    Junction,
    Membership,
    Negation,
    Operator,
    Ordering,
    Select,
    Value,
)

T = TypeVar("T")

FUNCTIONS: dict[str, Function] = {name: name for name in get_args(Function)}
OPERATORS: dict[str, Operator] = {sign: sign for sign in get_args(Operator)} | {"<>": "!="}
CLAUSES = ("select", "from", "where", "group", "order", "by", "limit")
KEYWORDS = frozenset({*CLAUSES, "as", "asc", "desc", "and", "or", "not", "in", "between"})
TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>-?\d+(?:\.\d+)?)
      | (?P<text>'(?:[^']|'')*')
      | (?P<word>[A-Za-z_]\w*)
      | (?P<sign><=|>=|!=|<>|[=<>(),*])
    )""",
    re.VERBOSE,
)


def parse(text: str) -> Select:
    """Read one SELECT statement, or raise QueryError."""
    return _Parser(_tokens(text.strip().removesuffix(";").rstrip())).select()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise QueryError(f"cannot read the query at {text[position:].strip()[:20]!r}")
        kind, word = match.lastgroup, match[match.lastgroup]
        if kind == "word" and word.lower() in KEYWORDS:
            kind, word = "keyword", word.lower()
        tokens.append(_Token(kind, word))
        position = match.end()
    return [*tokens, _Token("end", "the end of the query")]


class _Parser:
    """Recursive descent: one method for each rule of the grammar."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def select(self) -> Select:
        self._expect("select")
        items = self._several(self._item)
        self._expect("from")
        query = Select(
            items=items,
            table=self._name(),
            where=self._condition() if self._take("where") else None,
            group_by=self._several(self._name) if self._take("group", "by") else (),
            order_by=self._several(self._ordering) if self._take("order", "by") else (),
            limit=self._limit() if self._take("limit") else None,
        )
        if self._token.kind != "end":
            raise self._unexpected("the end of the query")
        return query

    def _item(self) -> Item:
        if self._take("*"):
            return Item("*", None, "*")
        column = self._name()
        function: Function | None = None
        name = column
        if self._take("("):
            function = FUNCTIONS.get(column.lower())
            if function is None:
                raise QueryError(f"unknown function {column!r}; there are {', '.join(FUNCTIONS)}")
            column = "*" if function == "count" and self._take("*") else self._name()
            name = function if column == "*" else f"{function}_{column}"
            self._expect(")")
        return Item(column, function, self._name() if self._take("as") else name)

    def _condition(self) -> Condition:
        return self._junction("or", lambda: self._junction("and", self._predicate))

    def _junction(self, kind: Literal["and", "or"], part: Callable[[], Condition]) -> Condition:
        conditions = self._several(part, separator=kind)
        return conditions[0] if len(conditions) == 1 else Junction(kind, conditions)

    def _predicate(self) -> Condition:
        if self._take("not"):
            return Negation(self._predicate())
        if self._take("("):
            condition = self._condition()
            self._expect(")")
            return condition
        column = self._name()
        if self._take("in"):
            self._expect("(")
            values = self._several(self._value)
            self._expect(")")
            return Membership(column, values)
        if self._take("between"):
            low = self._value()
            self._expect("and")
            return Junction("and", (Comparison(column, ">=", low), Comparison(column, "<=", self._value())))
        operator = OPERATORS.get(self._token.text)
        if operator is None:
            raise self._unexpected("a comparison")
        self._at += 1
        return Comparison(column, operator, self._value())

    def _ordering(self) -> Ordering:
        name = self._name()
        descending = self._take("desc")
        if not descending:
            self._take("asc")
        return Ordering(name, descending)

    def _limit(self) -> int:
        limit = self._value()
        if not isinstance(limit, int) or limit < 0:
            raise QueryError("LIMIT takes a whole number")
        return limit

    def _value(self) -> Value:
        token = self._token
        if token.kind not in ("number", "text"):
            raise self._unexpected("a value")
        self._at += 1
        if token.kind == "text":
            return token.text[1:-1].replace("''", "'")
        return float(token.text) if "." in token.text else int(token.text)

    def _name(self) -> str:
        token = self._token
        if token.kind != "word":
            raise self._unexpected("a name")
        self._at += 1
        return token.text

    def _several(self, part: Callable[[], T], *, separator: str = ",") -> tuple[T, ...]:
        parts = [part()]
        while self._take(separator):
            parts.append(part())
        return tuple(parts)

    @property
    def _token(self) -> _Token:
        return self._tokens[self._at]

    def _take(self, *words: str) -> bool:
        """Step over these keywords or signs if they are next."""
        following = self._tokens[self._at : self._at + len(words)]
        found = len(following) == len(words) and all(
            token.kind in ("keyword", "sign") and token.text == word
            for token, word in zip(following, words, strict=True)
        )
        self._at += len(words) * found
        return found

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise self._unexpected(repr(word.upper()))

    def _unexpected(self, wanted: str) -> QueryError:
        found = self._token.text if self._token.kind == "end" else repr(self._token.text)
        return QueryError(f"expected {wanted}, found {found}")
