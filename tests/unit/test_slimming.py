"""model.slimming: what is kept of what the patterns of slimming match, and why; and what a note says of the rest."""

from __future__ import annotations

import pytest

from lambdabuild.inspection import inspect
from lambdabuild.model.evidence import of_distribution, read_facts
from lambdabuild.model.facts import Facts, merge
from lambdabuild.model.limits import Finding
from lambdabuild.model.patterns import distribution_rules
from lambdabuild.model.segment import Segment
from lambdabuild.model.slimming import Kept, Part, Spared, left_out_note, spare
from lambdabuild.model.treatment import Slimming
from tests.samples import content, member, segment

FILES = "from importlib.metadata import files\n"
"""Code that asks for lists of files."""
ALL_METADATA = (
    *("INSTALLER", "METADATA", "RECORD", "REQUESTED", "WHEEL", "direct_url.json", "entry_points.txt"),
    *("licenses/LICENSE", "licenses/METADATA", "sboms/one.cdx.json", "top_level.txt"),
)


def distribution(name: str, files: dict[str, str], *, metadata: tuple[str, ...] = ()) -> Segment:
    """A distribution with what is known of its files."""
    files = files | {f"{name}-1.0.dist-info/{file}": f"{file}\n" for file in metadata}
    facts = of_distribution(merge(inspect(path, text.encode()) for path, text in sorted(files.items())), files)
    made = segment(name, "1.0", *(member(path, text) for path, text in sorted(files.items())))
    return Segment(name=name, version="1.0", requires=(), members=made.members, facts=facts)


def spared(
    *segments: Segment,
    slimming: Slimming = Slimming(),
    exclude: tuple[str, ...] = (),
    keep: tuple[str, ...] = (),
    application: str = "",
    elsewhere: tuple[Segment, ...] = (),
) -> Spared:
    rules = distribution_rules(exclude, keep, slimming=slimming)
    parts = [Part(segments=segments, rules=rules), Part(segments=elsewhere, rules=rules, elsewhere=True)]
    code = read_facts("app.py", application.encode()) if application else Facts()
    return spare(parts, slimming, code, content)


def kept(*segments: Segment, **asked: object) -> tuple[Kept, ...]:
    return spared(*segments, **asked).kept  # type: ignore[arg-type]


def files(*segments: Segment, **asked: object) -> set[str]:
    return set(spared(*segments, **asked).files)  # type: ignore[arg-type]


def reasons(found: tuple[Kept, ...]) -> dict[tuple[str, ...], tuple[str, ...]]:
    return {one.files: one.reasons for one in found}


ONE = distribution("one", {"one.py": ""}, metadata=ALL_METADATA)
RULED = {f"one-1.0.dist-info/{file}" for file in ("METADATA", "entry_points.txt", "top_level.txt")}
RECORD = "one-1.0.dist-info/RECORD"


# Metadata


def test_of_metadata_what_tells_of_the_distribution_stays_without_evidence() -> None:
    assert spared(ONE) == Spared(kept=(), files=frozenset(RULED), left_out=())


@pytest.mark.parametrize(("path", "line"), [("two.py", ":1"), ("two.so", "")])
def test_lists_of_files_are_kept_where_code_asks_for_them(path: str, line: str) -> None:
    two = distribution("two", {path: FILES + "importlib.metadata"}, metadata=("METADATA", "RECORD"))
    why = (f"{path}{line} asks for lists of files",)
    assert reasons(kept(ONE, two)) == {(RECORD,): why, ("two-1.0.dist-info/RECORD",): why}
    assert reasons(kept(ONE, application=FILES)) == {(RECORD,): ("app.py:1 asks for lists of files",)}


def test_what_is_left_out_asks_for_nothing() -> None:
    assert kept(ONE, distribution("two", {"two/a.py": "", "two/tests/test_a.py": FILES})) == ()
    assert kept(ONE, distribution("two", {"two.py": FILES}), exclude=("/two.py",)) == ()
    two = distribution("two", {"two/a.py": "import two.tests.b", "two/tests/b.py": FILES})
    assert reasons(kept(ONE, two)) == {
        (RECORD,): ("two/tests/b.py:1 asks for lists of files",),
        ("two/tests/b.py",): ("two/a.py:1 imports two.tests.b",),
    }


def test_metadata_of_what_is_left_out_whole_is_not_kept() -> None:
    assert files(ONE, exclude=("/one.py",)) == set()
    assert files(distribution("one", {}, metadata=("METADATA",))) == {"one-1.0.dist-info/METADATA"}


def test_metadata_inside_of_a_package() -> None:
    inside = {f"two/{folder}/one-1.0.dist-info/{file}": "" for folder in ("_vendor", "tests") for file in ALL_METADATA}
    two = distribution("two", {"two/a.py": "", **inside})
    assert files(two) == {f"two/_vendor/{path}" for path in RULED}


def test_patterns_win_over_rules() -> None:
    assert files(ONE, exclude=("top_level.txt",)) == RULED - {"one-1.0.dist-info/top_level.txt"}
    assert files(ONE, exclude=("one-*.dist-info/",)) == set()
    assert files(ONE, keep=("METADATA",)) == RULED - {"one-1.0.dist-info/METADATA"}  # taken anyway
    assert files(ONE, keep=("*.dist-info/",)) == set()
    assert files(ONE, application=FILES, exclude=("RECORD",)) == RULED


@pytest.mark.parametrize("mode", ["strip", "keep"])
def test_absolute_modes_need_no_evidence(mode: str) -> None:
    two = distribution("two", {"two/a.py": f"import two.tests\n{FILES}", "two/tests/__init__.py": ""})
    assert [one.kind for one in kept(ONE, two)] == ["metadata", "tests"]
    assert files(ONE, two, slimming=Slimming(dist_info=mode)) == {"two/tests/__init__.py"}  # type: ignore[arg-type]
    assert files(ONE, two, slimming=Slimming(tests=mode)) == {*RULED, RECORD}  # type: ignore[arg-type]


def test_metadata_of_what_a_layer_brings_is_lent_with_its_list_of_files() -> None:
    two = distribution("two", {"two.py": ""})
    assert files(two, elsewhere=(ONE,)) == set()
    assert files(two, elsewhere=(ONE,), application=FILES) == {*RULED, RECORD}


# Bytecode


def test_a_module_without_a_source_stays() -> None:
    cache = {"one/b.py": "", "one/b.pyc": "", "one/__pycache__/c.pyc": "", "d.pyo": ""}
    one = distribution("one", {"one/a.pyc": "", **cache})
    assert spared(one) == Spared(kept=(), files=frozenset({"one/a.pyc"}), left_out=())
    assert files(one, exclude=("*.pyc",)) == set()
    assert files(one, exclude=("/one/a.py*",)) == set()
    tests = distribution("one", {"one/tests/a.pyc": "", "one/tests/b.pyc": "", "one/c.py": "import one.tests.a\n"})
    assert files(tests) == {"one/tests/a.pyc"}
    assert files(tests, slimming=Slimming(tests="keep")) == {"one/tests/a.pyc", "one/tests/b.pyc"}


# Test modules


def test_test_modules_are_kept_with_what_they_import() -> None:
    two = distribution(
        "two",
        {
            "two/__init__.py": "",
            "two/testing.py": "\nfrom two.core.tests._types import A\n",
            "two/core/tests/__init__.py": "from .data import table\n",
            "two/core/tests/_types.py": "from . import _more, other\nimport two.tests.c\n",
            "two/core/tests/_more.cpython-313-x86_64-linux-gnu.so": "",
            "two/core/tests/data/__init__.py": "",
            "two/core/tests/data/table.py": "import pytest",
            "two/core/tests/data/table.csv": "",
            "two/core/tests/test_types.py": "import two.tests.d",
            "two/tests/c.py": "",
            "two/tests/d.py": "",
        },
    )
    direct = "two/testing.py:2 imports two.core.tests._types"
    assert kept(two) == (
        Kept(
            distribution="two",
            kind="tests",
            files=(
                "two/core/tests/__init__.py",
                "two/core/tests/_more.cpython-313-x86_64-linux-gnu.so",
                "two/core/tests/_types.py",
                "two/core/tests/data/__init__.py",
                "two/core/tests/data/table.py",
                "two/tests/c.py",
            ),
            size=83,
            reasons=(
                direct,
                "two/core/tests/__init__.py:1 imports two.core.tests.data.table",
                "two/core/tests/_types.py:1 imports two.core.tests._more",
                "two/core/tests/_types.py:1 imports two.core.tests",
                "two/core/tests/_types.py:2 imports two.tests.c",
            ),
        ),
    )


def test_a_package_called_test_that_is_code() -> None:
    client = {"web/test/__init__.py": "from .client import Client\n", "web/test/client.py": ""}
    web = distribution("web", {"web/__init__.py": "", **client, "web/test/runner.py": ""})
    assert reasons(kept(web, application="from web.test import Client\n")) == {
        ("web/test/__init__.py", "web/test/client.py"): (
            "app.py:1 imports web.test",
            "web/test/__init__.py:1 imports web.test.client",
        )
    }


PLUGINS = {"web/plugins/test/__init__.py": "", "web/plugins/test/core.py": "", "web/plugins/test/core/a.yml": ""}


def test_a_package_called_test_of_which_only_the_name_is_told() -> None:
    web = distribution("web", {"web/a.py": "PLUGINS = Loader('web.plugins.test')\n", **PLUGINS})
    assert reasons(kept(web)) == {tuple(PLUGINS): ("web/a.py:1 names web.plugins.test",)}
    imported = distribution("web", {"web/a.py": "import web.plugins.test\n", **PLUGINS})
    assert reasons(kept(imported)) == {tuple(PLUGINS)[:1]: ("web/a.py:1 imports web.plugins.test",)}


@pytest.mark.parametrize("file", ["test_a.py", "a/a_test.py", "conftest.py", "a/tests.py"])
def test_a_package_of_tests_of_which_only_the_name_is_told(file: str) -> None:
    web = distribution("web", {"web/a.py": "run('web.plugins.test')\n", **PLUGINS, f"web/plugins/test/{file}": ""})
    assert reasons(kept(web)) == {tuple(PLUGINS)[:1]: ("web/a.py:1 names web.plugins.test",)}


def test_test_modules_of_another_distribution() -> None:
    two = distribution("two", {"two.py": "import one.tests.a\n"})
    one = distribution("one", {"one/__init__.py": "", "one/tests/a.py": ""})
    assert reasons(kept(one, two)) == {("one/tests/a.py",): ("two.py:1 imports one.tests.a",)}
    assert kept(one, two, exclude=("one/tests/",)) == ()
    assert kept(one, two, keep=("one/tests/",)) == ()


def test_tests_that_a_pattern_keeps_have_what_they_import() -> None:
    one = distribution("one", {"one/tests/a.py": "import one.b.test.c\n", "one/b/test/c.py": ""})
    assert reasons(kept(one, keep=("one/tests/",))) == {
        ("one/b/test/c.py",): ("one/tests/a.py:1 imports one.b.test.c",)
    }


def test_imports_of_what_there_is_not() -> None:
    assert kept(distribution("one", {"one.py": "import test.support, one.tests, two.test.a"})) == ()


# Data of tests

DATA = {"one/tests/a.json": "{}", "one/tests/b.json": "{}", "one/tests/c.csv": "", "one/tests/test_a.py": ""}


def test_data_of_tests_is_kept_that_code_names() -> None:
    one = distribution("one", {"one/a.py": "\nopen(HERE / 'tests' / 'a.json')\n", **DATA})
    found = spared(one)
    assert found.kept == (
        Kept(
            distribution="one",
            kind="tests",
            files=("one/tests/a.json",),
            size=2,
            reasons=("one/a.py:2 names one/tests/a.json",),
        ),
    )
    assert [member.path for member in found.left_out] == ["one/tests/b.json", "one/tests/c.csv"]
    assert files(one, exclude=("/one/a.py",)) == set()
    assert files(one, exclude=("a.json",)) == set()


def test_data_of_tests_is_kept_that_a_kept_test_module_names() -> None:
    one = distribution("one", {"one/a.py": "import one.tests.kit", "one/tests/kit.py": "open('b.json')", **DATA})
    assert files(one) == {"one/tests/kit.py", "one/tests/b.json"}


def test_a_note_says_what_is_left_out_of_test_folders() -> None:
    one = distribution("one", {"one/a.py": "", **DATA})
    left_out = spared(one).left_out
    assert left_out_note("layer.zip", left_out) == [
        Finding(
            severity="note",
            code="left-out-data",
            message="layer.zip leaves out 3 data files (4 B) of test folders, which no code outside of them names: "
            "one/tests/a.json, one/tests/b.json, one/tests/c.csv",
            hint='keep = ["one/tests/a.json"] takes one, tests = "keep" takes all',
        )
    ]
    assert left_out_note("layer.zip", left_out * 2)[0].message.endswith("one/tests/b.json and 3 more")
    assert left_out_note("layer.zip", ()) == []
    assert spared(one, slimming=Slimming(tests="strip")).left_out == ()
    assert spared(one, keep=("*.json", "*.csv")).left_out == ()
