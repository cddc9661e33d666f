"""The environment of a function that is invoked."""

from __future__ import annotations

import pytest

from lambdabuild.errors import UsageError
from lambdabuild.model.functionenv import parse_env_file, parse_environment, with_region


def test_a_file() -> None:
    text = "# of the table\nTABLE=orders\n\nexport KEY = 'a b#c' \nEMPTY=\nQUOTE=\"\nURL=https://x/?a=b\n"
    assert parse_environment(parse_env_file(text, path=".env")) == {
        "TABLE": "orders",
        "KEY": "a b#c",
        "EMPTY": "",
        "QUOTE": '"',
        "URL": "https://x/?a=b",
    }


def test_a_later_line_wins() -> None:
    assert parse_environment([("a", "X=1"), ("b", "X=2")]) == {"X": "2"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("TABLE", ".env:1: no value is given\n  hint: write NAME=VALUE"),
        ("A B=secret", ".env:1: 'A B' is not the name of a variable\n  hint: write NAME=VALUE"),
        ("=secret", ".env:1: '' is not the name of a variable\n  hint: write NAME=VALUE"),
        ("_HANDLER=app.other", ".env:1: _HANDLER is set by the runtime"),
        ("A=sec\0ret", ".env:1: A has a null character in its value"),
    ],
)
def test_what_is_no_variable_is_refused(line: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_environment(parse_env_file(line, path=".env"))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        ({}, {}),
        ({"AWS_REGION": "eu-west-1"}, {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"}),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"}),
        ({"AWS_REGION": "a", "AWS_DEFAULT_REGION": "b"}, {"AWS_REGION": "a", "AWS_DEFAULT_REGION": "b"}),
    ],
)
def test_a_region_has_two_names(given: dict[str, str], whole: dict[str, str]) -> None:
    assert with_region(given) == whole
