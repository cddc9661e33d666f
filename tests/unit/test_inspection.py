"""inspection: what a file tells of itself when it is installed, and what its distribution adds."""

from __future__ import annotations

import gc
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lambdabuild.inspection import inspect
from lambdabuild.model.facts import OWN, Facts, Lookup, TestImport, facts_document, merge, owned, parse_facts

CODE = b"import importlib.metadata, one.tests\nimportlib.metadata.version(__package__)\n"


@pytest.mark.parametrize(
    ("path", "content", "facts"),
    [
        (
            "one/a.py",
            CODE,
            Facts(
                lookups=(Lookup(path="one/a.py", line=2, name=OWN),),
                test_imports=(TestImport(path="one/a.py", line=1, module="one.tests"),),
            ),
        ),
        ("one/tests/a.py", CODE, Facts(lookups=(Lookup(path="one/tests/a.py", line=2, name=OWN),))),
        ("one/a.txt", CODE, Facts()),
        ("one-1.0.dist-info/entry_points.txt", b"[a]\nb=c\n[console_scripts]\nd=e\n", Facts(entry_points=("a",))),
        ("one/one-1.0.dist-info/entry_points.txt", b"[a]\nb=c\n", Facts()),
        ("a.pth", b"import a", Facts(pth=(("a.pth", "import a"),))),
        ("one/a.pth", b"import a", Facts()),
    ],
)
def test_the_facts_of_a_file(path: str, content: bytes, facts: Facts) -> None:
    assert inspect(path, content) == facts
    assert parse_facts(json.loads(json.dumps(facts_document(facts)))) == facts


def test_a_distribution_knows_its_name() -> None:
    facts = merge((inspect("a.py", CODE), inspect("b.py", b"from pkg_resources import *; get_distribution('two')")))
    assert owned(facts, "one").lookups == (
        Lookup(path="a.py", line=2, name="one"),
        Lookup(path="b.py", line=1, name="two"),
    )


def test_files_are_inspected_by_threads() -> None:
    """Python 3.11 takes what other threads do while one builds a syntax tree for an error of its own."""

    def yield_to_others(*_: object) -> None:
        time.sleep(0.0001)

    content = CODE + b"".join(b"def f%d(a): return [a, (1, 'x', a.b[2](3))]\n" % number for number in range(500))
    gc.callbacks.append(yield_to_others)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: inspect("one/a.py", content), range(12)))
    finally:
        gc.callbacks.remove(yield_to_others)
    assert set(found) == {inspect("one/a.py", CODE)}
