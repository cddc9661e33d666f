"""Reading code: what Python warns of is not said, and here a warning is an error."""

from __future__ import annotations

import ast
import warnings

import pytest

from lambdabuild.model.syntax import parse

STRANGE = b'PATTERN = "\\d"\nassert (PATTERN, "always true")\nprint(1 is 1)\n'


def test_what_python_warns_of_is_for_who_runs_the_code() -> None:
    with pytest.warns((SyntaxWarning, DeprecationWarning)):
        warnings.simplefilter("always")
        expected = ast.dump(ast.parse(STRANGE))
    assert ast.dump(parse(STRANGE)) == expected


def test_what_cannot_be_read() -> None:
    with pytest.raises(SyntaxError):
        parse("def")
