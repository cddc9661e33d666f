"""inspection: what a file tells of itself when it is installed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lambdabuild.inspection import inspect
from lambdabuild.model.facts import Facts, Lookup, TestData, TestImport, facts_document, merge, parse_facts, without

CODE = b"import importlib.metadata, one.tests\nimportlib.metadata.files(__package__)\n"
OF_CODE = Facts(
    lookups=(Lookup(path="one/a.py", line=2),),
    test_imports=(TestImport(path="one/a.py", line=1, module="one.tests"),),
    test_data=(TestData(path="one/a.py", line=1, names=()),),
)
OF_DATA = Facts(test_data=(TestData(path="one/b.py", line=1, names=("tests/a.json",)),))


@pytest.mark.parametrize(
    ("path", "content", "facts"),
    [
        ("one/a.py", CODE, OF_CODE),
        ("one/tests/a.py", CODE, Facts(lookups=(Lookup(path="one/tests/a.py", line=2),))),
        ("one/b.py", b"open('tests/a.json')", OF_DATA),
        ("one/a.txt", CODE, Facts()),
        ("one-1.0.dist-info/entry_points.txt", b"[a]\nb=c\n", Facts()),
        ("a.pth", b"import a", Facts(pth=(("a.pth", "import a"),))),
        ("one/a.pth", b"import a", Facts()),
    ],
)
def test_the_facts_of_a_file(path: str, content: bytes, facts: Facts) -> None:
    assert inspect(path, content) == facts
    assert parse_facts(json.loads(json.dumps(facts_document(facts)))) == facts


def test_the_facts_of_several_files() -> None:
    other = replace(inspect("b.pth", b"x"), lookups=(Lookup(path="b.py", line=1),))
    both = merge((OF_CODE, other))
    assert both.lookups == (Lookup(path="one/a.py", line=2), Lookup(path="b.py", line=1))
    assert without(both, {"one/a.py"}) == other
