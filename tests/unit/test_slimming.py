"""model.slimming: what evidence keeps of what slimming would leave out, and why."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from lambdabuild.inspection import inspect
from lambdabuild.model.evidence import read_facts
from lambdabuild.model.facts import Facts, merge, owned
from lambdabuild.model.keptnotes import kept_note
from lambdabuild.model.patterns import distribution_rules
from lambdabuild.model.segment import Segment
from lambdabuild.model.slimming import Kept, Part, keep_by_evidence
from lambdabuild.model.treatment import Slimming
from tests.samples import content, member, segment

METADATA = "Name: one\n"
VERSION = "from importlib.metadata import version\n"


def distribution(
    name: str, files: dict[str, str], *, metadata: Iterable[str] = ("METADATA", "RECORD", "WHEEL")
) -> Segment:
    """A distribution with what is known of its files."""
    files = files | {f"{name}-1.0.dist-info/{file}": f"{file}\n" for file in metadata}
    facts = owned(merge(inspect(path, text.encode()) for path, text in sorted(files.items())), name)
    made = segment(name, "1.0", *(member(path, text) for path, text in sorted(files.items())))
    return Segment(name=name, version="1.0", requires=(), members=made.members, facts=facts)


def kept(
    *segments: Segment,
    slimming: Slimming = Slimming(),
    exclude: tuple[str, ...] = (),
    keep: tuple[str, ...] = (),
    application: str = "",
    elsewhere: tuple[Segment, ...] = (),
) -> tuple[Kept, ...]:
    rules = distribution_rules(exclude, keep, slimming=slimming)
    parts = [Part(segments=segments, rules=rules), Part(segments=elsewhere, rules=rules, elsewhere=True)]
    code = read_facts("app.py", application.encode()) if application else Facts()
    return keep_by_evidence(parts, slimming, code, content)


def reasons(found: tuple[Kept, ...]) -> dict[tuple[str, ...], tuple[str, ...]]:
    return {one.files: one.reasons for one in found}


ONE = distribution(
    "one", {"one.py": ""}, metadata=("METADATA", "RECORD", "WHEEL", "top_level.txt", "licenses/METADATA")
)
OF_ONE = ("one-1.0.dist-info/METADATA", "one-1.0.dist-info/top_level.txt")


# Metadata


def test_nothing_is_kept_without_evidence() -> None:
    scripts = distribution("two", {"two.py": "", "two-1.0.dist-info/entry_points.txt": "[console_scripts]\na=b:c\n"})
    assert kept(ONE, scripts) == ()


def test_metadata_is_kept_that_code_looks_up_by_name() -> None:
    two = distribution("two", {"two.py": f"{VERSION}version('One')\n"})
    assert kept(ONE, two) == (
        Kept(
            distribution="one",
            kind="metadata",
            files=OF_ONE,
            size=len("METADATA\ntop_level.txt\n"),
            reasons=("two.py:2 looks up one",),
        ),
    )


def test_metadata_is_kept_that_its_own_code_looks_up() -> None:
    two = distribution("two", {"two/__init__.py": f"{VERSION}__version__ = version(__name__)\n"})
    assert reasons(kept(ONE, two)) == {("two-1.0.dist-info/METADATA",): ("two/__init__.py:2 looks up two",)}


def test_all_metadata_is_kept_when_any_may_be_looked_up() -> None:
    two = distribution("two", {"two.py": f"{VERSION}version(name)\n", "two.so": "importlib_metadata"})
    why = ("two.py:2 looks up any distribution", "two.so looks up any distribution")
    assert reasons(kept(ONE, two)) == {OF_ONE: why, ("two-1.0.dist-info/METADATA",): why}


def test_metadata_is_kept_of_what_declares_entry_points() -> None:
    two = distribution("two", {"two.py": "", "two-1.0.dist-info/entry_points.txt": "[b]\na=b:c\n[a]\nb=b:c\n"})
    assert reasons(kept(ONE, two)) == {
        ("two-1.0.dist-info/METADATA", "two-1.0.dist-info/entry_points.txt"): ("declares entry points: b, a",)
    }


def test_the_list_of_files_is_kept_that_code_asks_for() -> None:
    two = distribution("two", {"two.py": "import importlib.metadata\nimportlib.metadata.files('one')\n"})
    (one,) = kept(ONE, two)
    assert one.files == ("one-1.0.dist-info/METADATA", "one-1.0.dist-info/RECORD", "one-1.0.dist-info/top_level.txt")
    assert one.reasons == ("two.py:2 looks up one and its files",)


def test_the_projects_own_code_looks_up_metadata() -> None:
    assert reasons(kept(ONE, application=f"{VERSION}version('one')\nversion(__name__)\n")) == {
        OF_ONE: ("app.py:2 looks up one",)
    }


def test_a_look_up_in_what_is_left_out_is_no_evidence() -> None:
    two = distribution("two", {"two/a.py": "", "two/tests/test_a.py": f"{VERSION}version('one')\n"})
    assert kept(ONE, two) == ()
    assert kept(ONE, distribution("two", {"two.py": f"{VERSION}version('one')\n"}), exclude=("/two.py",)) == ()


def test_a_look_up_in_a_test_module_that_is_kept_is_evidence() -> None:
    two = distribution("two", {"two/a.py": "import two.tests.b", "two/tests/b.py": f"{VERSION}version('one')\n"})
    assert reasons(kept(ONE, two)) == {
        OF_ONE: ("two/tests/b.py:2 looks up one",),
        ("two/tests/b.py",): ("two/a.py:1 imports two.tests.b",),
    }


def test_metadata_of_what_is_left_out_whole_is_not_kept() -> None:
    two = distribution("two", {"two.py": f"{VERSION}version('one')\n"})
    assert kept(ONE, two, exclude=("/one.py",)) == ()
    assert reasons(kept(distribution("one", {}), two)) == {("one-1.0.dist-info/METADATA",): ("two.py:2 looks up one",)}


def test_metadata_inside_of_a_package() -> None:
    vendored = {"two/_vendor/one-1.0.dist-info/METADATA": METADATA, "two/tests/one-1.0.dist-info/METADATA": METADATA}
    two = distribution("two", {"two/a.py": f"{VERSION}version('one')\n", **vendored})
    assert reasons(kept(two)) == {("two/_vendor/one-1.0.dist-info/METADATA",): ("two/a.py:2 looks up one",)}


# Patterns and modes


def test_patterns_win_over_evidence() -> None:
    two = distribution("two", {"two.py": f"{VERSION}version('one')\n"})
    assert reasons(kept(ONE, two, exclude=("top_level.txt",))) == {OF_ONE[:1]: ("two.py:2 looks up one",)}
    assert kept(ONE, two, exclude=("one-*.dist-info/",)) == ()
    assert reasons(kept(ONE, two, keep=("METADATA",))) == {OF_ONE[1:]: ("two.py:2 looks up one",)}
    assert kept(ONE, two, keep=("*.dist-info/",)) == ()


@pytest.mark.parametrize("mode", ["strip", "keep"])
def test_absolute_modes_need_no_evidence(mode: str) -> None:
    two = distribution("two", {"two/a.py": f"import two.tests\n{VERSION}version('one')\n", "two/tests/__init__.py": ""})
    assert [one.kind for one in kept(ONE, two)] == ["metadata", "tests"]
    assert [one.kind for one in kept(ONE, two, slimming=Slimming(dist_info=mode))] == ["tests"]  # type: ignore[arg-type]
    assert [one.kind for one in kept(ONE, two, slimming=Slimming(tests=mode))] == ["metadata"]  # type: ignore[arg-type]


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


# Distributions in a layer


def test_metadata_of_what_a_layer_brings_is_kept_where_it_is_looked_up() -> None:
    plugin = distribution(
        "plugin", {"plugin.py": "", "plugin/tests/a.py": "", "plugin-1.0.dist-info/entry_points.txt": "[a]\nb=c\n"}
    )
    two = distribution("two", {"two.py": f"{VERSION}version('one')\nimport plugin.tests.a\n"})
    assert reasons(kept(two, elsewhere=(ONE, plugin))) == {OF_ONE: ("two.py:2 looks up one",)}
    lookup = distribution("three", {"three.py": f"{VERSION}version('two')\n"})
    assert kept(two, elsewhere=(lookup,)) == ()


# The note


def note(*found: Kept) -> str:
    return kept_note("layer.zip", found)


def of(name: str, *why: str, kind: str = "metadata", files: tuple[str, ...] = ("a",)) -> Kept:
    return Kept(distribution=name, kind=kind, files=files, size=1500, reasons=why)  # type: ignore[arg-type]


def test_a_note_tells_what_is_kept_and_why() -> None:
    assert note(of("one", "a.py:1 looks up one")) == ("layer.zip keeps metadata of one (1.5 kB, a.py:1 looks up one)")
    assert note(of("one", "declares"), of("one", "a imports b", kind="tests")) == (
        "layer.zip keeps metadata of one (1.5 kB, declares) and 1 test module of one (1.5 kB, a imports b)"
    )


def test_a_note_tells_what_holds_for_all() -> None:
    found = [of("one", "declares", "any"), of("two", "any"), of("three", "any", "more")]
    assert note(*found) == "layer.zip keeps metadata of one, two and three (4.5 kB, any); --json tells more"
    assert (
        note(*found, of("four", "other")) == "layer.zip keeps metadata of 4 distributions (6.0 kB); --json tells more"
    )
    assert note(of("one", "a", kind="tests", files=("a", "b"))) == "layer.zip keeps 2 test modules of one (1.5 kB, a)"
