"""The codes of errors and findings: one list in the code, one table in the docs, and all of it in use."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import get_args

import lambdabuild
from lambdabuild.errors import Code, LambdaBuildError, Terminated

PACKAGE = Path(lambdabuild.__file__).parent
DOCS = PACKAGE.parent / "docs" / "errors.md"
ROW = re.compile(r"\| `([a-z0-9-]+)` \| (\d*) ?\| .+ \|")
FIRST_FINDING = "unzipped-size"


def table() -> dict[str, int | None]:
    """The codes of the docs and their exit status."""
    _, _, text = DOCS.read_text(encoding="utf-8").partition("## Codes\n")
    rows = [ROW.fullmatch(line) for line in text.splitlines() if line.startswith("| `")]
    assert all(rows)
    found = [(row[1], int(row[2]) if row[2] else None) for row in rows if row]
    assert len(dict(found)) == len(found)
    return dict(found)


def modules() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if "resources" not in path.relative_to(PACKAGE).parts]


def classes(of: type[LambdaBuildError] = LambdaBuildError) -> Iterator[type[LambdaBuildError]]:
    yield of
    for one in of.__subclasses__():
        yield from classes(one)


def used() -> set[str]:
    """The strings of the code that are codes, outside of the list."""
    found: set[str] = set()
    for path in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            given = [word.value for word in node.keywords if word.arg == "code"] if isinstance(node, ast.Call) else []
            if isinstance(node, ast.Assign | ast.AnnAssign) and not ast.unparse(node).startswith("Code = "):
                given += [node.value] if node.value is not None else []
            found |= {
                one.value for value in given for one in ast.walk(value) if isinstance(one, ast.Constant) and one.value
            }
    return found


def test_the_table_has_the_codes_in_their_order() -> None:
    assert list(table()) == list(get_args(Code))


def test_every_code_is_used() -> None:
    assert set(get_args(Code)) - used() == {"note"}, "and that is what a note has that no other is given for"


def test_each_class_of_errors_has_its_code_and_its_exit_status() -> None:
    for path in modules():
        name = ".".join(("lambdabuild", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        if not name.endswith("__main__"):
            import_module(name)
    documented = table()
    for error in (*classes(), Terminated):
        assert documented[error.code] == error.exit_code, error


def test_findings_are_refused_or_never_errors() -> None:
    documented = table()
    findings = list(documented)[list(documented).index(FIRST_FINDING) :]
    assert {documented[code] for code in findings} == {3, None}
