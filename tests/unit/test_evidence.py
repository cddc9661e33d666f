"""model.evidence: which metadata and which test modules a file of code asks for, by reading it."""

from __future__ import annotations

import textwrap

import pytest

from lambdabuild.model.evidence import entry_point_groups, find_lookups, find_test_imports, is_test, read_facts
from lambdabuild.model.facts import OWN, Facts, Lookup, TestImport

ANY = None


def looked_up(source: str, path: str = "demo/a.py") -> list[tuple[int, str | None]]:
    """Line and name of the look-ups of a module."""
    found = find_lookups(path, textwrap.dedent(source).encode())
    assert all(one.path == path for one in found)
    return [(one.line, one.name) for one in found]


def imported(source: str, path: str = "demo/sub/a.py") -> list[tuple[int, str]]:
    found = find_test_imports(path, textwrap.dedent(source).encode())
    return [(one.line, one.module) for one in found]


# Metadata: how it is imported


@pytest.mark.parametrize(
    "source",
    [
        "import importlib.metadata; importlib.metadata.version('One_1')",
        "import importlib.metadata as m; m.version('One_1')",
        "import importlib as il; il.metadata.version('One_1')",
        "import importlib.util; importlib.metadata.version('One_1')",
        "from importlib import metadata; metadata.version('One_1')",
        "from importlib import resources, metadata as m; m.version('One_1')",
        "from importlib.metadata import version; version('One_1')",
        "from importlib.metadata import version as v; v('One_1')",
        "from importlib.metadata import *; version('One_1')",
        "from importlib.metadata import Distribution; Distribution.from_name('One_1')",
        "import importlib_metadata; importlib_metadata.metadata('One_1')",
        "import importlib_metadata as m; m.distribution(distribution_name='One_1')",
        "from importlib_metadata import requires; requires('One_1')",
        "from .compat import importlib_metadata; importlib_metadata.version('One_1')",
        "from . import compat; compat.importlib_metadata.version('One_1')",
        "from demo._vendor.importlib_metadata import version; version('One_1')",
        "import pkg_resources; pkg_resources.get_distribution('One_1').version",
        "import pkg_resources as p; p.get_distribution('One_1[extra]>=2').version",
        "from importlib import import_module; import_module('importlib.metadata').version('One_1')",
        "import importlib; m = importlib.import_module('importlib_metadata'); m.version('One_1')",
        "__import__('pkg_resources').get_distribution('One_1')",
        "__import__('importlib.metadata').metadata.version('One_1')",
        "import importlib.metadata\nv = importlib.metadata.version; v('One_1')",
        "import importlib.metadata\nm = importlib.metadata; m.version('One_1')",
        "from importlib import (\n    metadata,\n)\nmetadata.version('One_1')",
        "def f():\n    from importlib.metadata import version\n    return version('One_1')",
        "try: import importlib.metadata as m\nexcept: import importlib_metadata as m\nm.version('One_1')",
        "from importlib.metadata import version\nversion = version('One_1')\nprint(version)",
        "import importlib.metadata\n@wrap(importlib.metadata.version('One_1'))\ndef f(): ...",
    ],
)
def test_a_look_up_by_name_however_it_is_imported(source: str) -> None:
    assert [name for _, name in looked_up(source)] == ["one-1"]


@pytest.mark.parametrize(
    "source",
    [
        "",
        "# importlib.metadata.version('one')",
        "'''from importlib.metadata import version'''",
        "from importlib.metadata import PackageNotFoundError, entry_points\nentry_points(group='a')",
        "import importlib.metadata",
        "import importlib_metadata",
        "import importlib\nfrom .tables import metadata\nmetadata.version('one')",
        "from importlib import resources\nmetadata = 1\nprint(metadata)",
        "import pkg_resources\npkg_resources.resource_filename('one', 'a.txt')",
        "__import__('pkg_resources').declare_namespace(__name__)",
        "from pkg_resources import parse_version; parse_version('1')",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from importlib.metadata import version",
        "from importlib.metadata import Distribution as D\ndef f(d: D) -> D: return isinstance(d, D)",
        "import importlib.metadata\nhasattr(importlib.metadata, 'packages_distributions')",
        "def f(version):\n    return version\ndef g():\n    from importlib.metadata import PackageNotFoundError",
        "import importlib.metadata\ntry: ...\nexcept importlib.metadata.PackageNotFoundError: ...",
    ],
)
def test_what_looks_up_nothing(source: str) -> None:
    assert looked_up(source) == []


# Metadata: whose


@pytest.mark.parametrize(
    ("argument", "names"),
    [
        ("'one.two'", ["one-two"]),
        ("NAME", ["one"]),
        ("ALIAS", ["one"]),
        ("TYPED", ["one"]),
        ("'one' if NAME else 'two'", ["one", "two"]),
        ("NAME or 'two'", ["one", "two"]),
        ("__name__", [OWN]),
        ("__package__", [OWN]),
        ("__package__ or __name__", [OWN]),
        ("__name__.split('.')[0]", [OWN]),
        ("__name__.partition('.')[0].replace('_', '-')", [OWN]),
        ("__spec__.name", [OWN]),
        ("str(__package__)", [OWN]),
        ("cast('str', __package__)", [OWN]),
        ("OWN", [OWN]),
        ("self.__name__", [ANY]),
        ("__name__.split(dot)[0]", [ANY]),
        ("TWICE", [ANY]),
        ("argument", [ANY]),
        ("unknown", [ANY]),
        ("f'one{NAME}'", [ANY]),
        ("'one' + NAME", [ANY]),
        ("*names", [ANY]),
        ("", [ANY]),
        ("'-'", [ANY]),
    ],
)
def test_whose_metadata_is_looked_up(argument: str, names: list[str | None]) -> None:
    source = f"""\
        from importlib.metadata import version
        NAME = "one"
        ALIAS = NAME
        TYPED: str = "one"
        OWN = __name__.partition(".")[0]
        TWICE = "one"
        TWICE = "two"
        def f(argument):
            return version({argument})
        """
    assert looked_up(source) == [(9, name) for name in names]


@pytest.mark.parametrize(
    "source",
    [
        "from importlib.metadata import distributions; distributions()",
        "from importlib.metadata import packages_distributions; packages_distributions()",
        "from importlib.metadata import Distribution; Distribution.discover(name='one')",
        "from importlib.metadata import version; list(map(version, names))",
        "from importlib import metadata; use(metadata)",
        "import importlib.metadata; getattr(importlib.metadata, 'version')",
        "from importlib import import_module; use(import_module('importlib.metadata'))",
        "from importlib.metadata import version",
        "from importlib import metadata",
        "from importlib.metadata import *",
        "import importlib.metadata as m",
        "from importlib.metadata import entry_points; entry_points(group='console_scripts')",
        "import pkg_resources; pkg_resources.working_set.by_key['one']",
        "import pkg_resources; pkg_resources.require('one')",
        "import pkg_resources; pkg_resources.iter_entry_points('group')",
        "from importlib.metadata import version; print('no code'",
        "from importlib.metadata import version\nversion('one') \0",
    ],
)
def test_look_ups_of_any_distribution(source: str) -> None:
    assert looked_up(source) == [(1, ANY)]


def test_names_that_mean_something_else_in_a_function() -> None:
    source = """\
        from importlib.metadata import version
        def f(version):
            use(version)
            def g():
                use(version)
        def h():
            from importlib.metadata import version
            use(version)
        version("one")
        """
    assert looked_up(source) == [(8, ANY), (9, "one")]


def test_every_look_up_is_told_with_its_line_in_order() -> None:
    source = b"from importlib.metadata import *\r\n\r\nversion('two')\r\nversion('one'), version('a'), version('a')\r\n"
    assert find_lookups("demo/a.py", source) == (
        Lookup(path="demo/a.py", line=3, name="two"),
        Lookup(path="demo/a.py", line=4, name="a"),
        Lookup(path="demo/a.py", line=4, name="one"),
    )


@pytest.mark.parametrize(
    ("call", "record"),
    [
        ("files('one')", True),
        ("packages_distributions()", True),
        ("distribution('one').files", True),
        ("[d.files for d in distributions()]", True),
        ("distribution('one').version", False),
        ("version('one'), importlib.resources.files('one')", False),
    ],
)
def test_look_ups_that_ask_for_the_list_of_files(call: str, record: bool) -> None:
    source = f"import importlib.resources\nfrom importlib.metadata import *\n{call}"
    assert [one.record for one in find_lookups("a.py", source.encode())] == [record]


@pytest.mark.parametrize("name", ["importlib.metadata", "importlib_metadata", "pkg_resources"])
def test_shared_objects_are_searched_for_the_names_of_the_modules(name: str) -> None:
    for path in ("demo/_a.cpython-313-x86_64-linux-gnu.so", "demo.libs/liba.so.3"):
        assert find_lookups(path, b"\x7fELF\0" + name.encode() + b"\0") == (Lookup(path=path, line=0, name=ANY),)
    assert find_lookups("demo/_a.abi3.so", b"\x7fELF importlib metadata") == ()
    assert find_lookups("demo/a.txt", name.encode()) == ()


# Test modules


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import other.tests.a", ["other.tests.a"]),
        ("import other.test as t, json", ["other.test"]),
        ("from other.tests.a import b, c", ["other.tests.a.b", "other.tests.a.c"]),
        ("from other import tests", ["other.tests"]),
        ("from other import (\n    a,\n    tests,\n)", ["other.tests"]),
        ("from .tests import a", ["demo.sub.tests.a"]),
        ("from . import tests", ["demo.sub.tests"]),
        ("from ..tests.a import *", ["demo.tests.a.*"]),
        ("from .... import tests", []),
        ("def f():\n    import other.tests", ["other.tests"]),
        ("try: from other.tests import a\nexcept ImportError: a = None", ["other.tests.a"]),
        ("import_module('other.tests.a')", ["other.tests.a"]),
        ("importlib.import_module(\n    name='other.tests.a')", ["other.tests.a"]),
        ("import_string('other.test.Client')", ["other.test.Client"]),
        ("__import__('other.tests')", ["other.tests"]),
        ("import_module('.tests', 'other')", []),
        ("import_module('tests of other')", []),
        ("if TYPE_CHECKING:\n    import other.tests", []),
        ("import other.testing, other._tests, test_other, tests_", []),
        ("'''import other.tests'''", []),
        ("import other.tests)", []),
    ],
)
def test_imports_from_test_directories(source: str, modules: list[str]) -> None:
    assert [module for _, module in imported(source)] == modules


def test_imports_are_told_with_their_lines() -> None:
    assert find_test_imports("demo/__init__.py", b"\nfrom .tests import a\nimport b.test\n") == (
        TestImport(path="demo/__init__.py", line=2, module="demo.tests.a"),
        TestImport(path="demo/__init__.py", line=3, module="b.test"),
    )
    assert find_test_imports("demo/a.txt", b"import b.test") == ()


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("Loader('plugins', 'other.test')", ["other.test"]),
        ("RUNNER: str = 'other.test.Runner'", ["other.test.Runner"]),
        ("f(\n    {'other.tests.a': 1}\n)", ["other.tests.a"]),
        ("a('other.testing', '.tests', 'other.tests/a', 'other tests', 'tests', 'other.test_a')", []),
        ("# 'other.tests.a'", []),
    ],
)
def test_strings_that_name_test_modules(source: str, modules: list[str]) -> None:
    found = find_test_imports("demo/a.py", source.encode())
    assert [one.module for one in found] == modules
    assert all(one.named for one in found)


def test_what_a_test_directory_is() -> None:
    assert is_test("demo/tests/a.py")
    assert is_test("test/a/b.py")
    assert not is_test("demo/tests.py")
    assert not is_test("demo/testing/a.py")


def test_the_facts_of_the_projects_own_code() -> None:
    source = b"import importlib.metadata, one.tests\nimportlib.metadata.version('one')\n"
    assert read_facts("tests/a.py", source) == Facts(
        lookups=(Lookup(path="tests/a.py", line=2, name="one"),),
        test_imports=(TestImport(path="tests/a.py", line=1, module="one.tests"),),
    )


# Entry points


def test_groups_of_entry_points_other_than_scripts() -> None:
    text = """\
        [console_scripts]
        a = a:main

        [Group.One]
        b = b:c [x]
        # c = d
        [gui_scripts]
        [empty]
        # d = e
        [two]
        e=f
        [three]
        """
    assert entry_point_groups(text) == ("Group.One", "two")
    assert entry_point_groups("") == ()
    assert entry_point_groups("a = b") == ()
