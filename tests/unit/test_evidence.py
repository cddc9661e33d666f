"""model.evidence: which lists of files and which files of tests a file of code asks for, by searching it."""

from __future__ import annotations

import textwrap

import pytest

from lambdabuild.model.evidence import (
    file_names,
    find_named,
    find_test_imports,
    is_data,
    is_test,
    of_distribution,
    read_facts,
)
from lambdabuild.model.facts import Facts, Lookup, TestData, TestImport
from lambdabuild.model.pythontext import read_python


def imported(source: str, path: str = "demo/sub/a.py") -> list[tuple[int, str]]:
    found = find_test_imports(path, read_python(textwrap.dedent(source).encode()))
    return [(one.line, one.module) for one in found]


def looks_up(source: str | bytes, path: str = "demo/a.py") -> list[int]:
    """The lines that ask for lists of files."""
    content = textwrap.dedent(source).encode() if isinstance(source, str) else source
    found = read_facts(path, content).lookups
    assert all(one.path == path for one in found)
    return [one.line for one in found]


# Source as text


def test_code_is_told_from_strings_and_comments() -> None:
    lines = (b"a = 'b' # c 'd'\r", b"e = \\", b"""  r"\\\\" + f'{g}' '''h""", b"# i", b"""''' "j" ''""")
    text = read_python(b"\n".join(lines))
    assert len(text.code) == len(text.source)
    assert text.code.split() == [b"a", b"=", b"e", b"=", b"r", b"+", b"f"]
    assert [name for _, name in text.strings] == ["b", "\\\\", "{g}", "h\n# i\n", "j", ""]
    assert [text.line(offset) for offset, _ in text.strings] == [1, 3, 3, 3, 5, 5]


@pytest.mark.parametrize("source", [b"'open", b'"""open', b"'''", b'"', b"\xff\xfe'a'", b"'a\\", b"\0", b"'''a'"])
def test_what_is_no_python_is_read_all_the_same(source: bytes) -> None:
    assert len(read_python(source).code) == len(source)


def test_what_only_type_checkers_read_is_no_code() -> None:
    source = """\
        if typing.TYPE_CHECKING:
            import a

            if b:
                import c
        import d
        if TYPE_CHECKING: import e
        import f
        """
    code = read_python(textwrap.dedent(source).encode()).code
    assert code.split() == [b"import", b"d", b"import", b"f"]


# Lists of files


@pytest.mark.parametrize(
    "source",
    [
        "import importlib.metadata; importlib.metadata.files('one')",
        "import importlib.metadata as m; m.files('one')",
        "from importlib import metadata; metadata.files('one')",
        "from importlib.metadata import version, files as f; f('one')",
        "from importlib_metadata import (version, files)",
        "from importlib.metadata import *; files('one')",
        "from importlib.metadata import distribution; distribution('one').files",
        "import importlib.metadata as m; [one.files for one in m.distributions()]",
        "from demo._vendor.importlib_metadata import distribution; distribution('one').files",
        "import pkg_resources; pkg_resources.get_distribution('one').get_metadata_lines('RECORD')",
        "from importlib.metadata import distribution; distribution('one').read_text('RECORD')",
        "from importlib.metadata import distribution; open(f'{folder}/RECORD')",
    ],
)
def test_code_that_asks_for_lists_of_files(source: str) -> None:
    assert looks_up(source) == [1]
    assert looks_up(f"# no code\n'no files'\n{source} +") == [3]  # what cannot be parsed as well


@pytest.mark.parametrize(
    "source",
    [
        "",
        "# importlib.metadata.files('one')",
        "'''from importlib.metadata import files'''",
        "from importlib.metadata import version; version('one')",
        "import importlib.metadata, importlib.resources; importlib.resources.files('one')",
        "from importlib import metadata, resources; resources.files('one')",
        "from importlib.metadata import version\nfrom importlib.resources import files\nfiles('one')",
        "from importlib.metadata import entry_points; files = entry_points()",
        "from importlib.metadata import packages_distributions",
        "distribution('one').files",
    ],
)
def test_code_that_does_not(source: str) -> None:
    assert looks_up(source) == []


@pytest.mark.parametrize("name", ["importlib.metadata", "importlib_metadata", "pkg_resources"])
def test_compiled_code_is_searched_for_the_names(name: str) -> None:
    content = b"\x7fELF\0" + name.encode() + b"\0files\0"
    for path in ("demo/_a.cpython-313-x86_64-linux-gnu.so", "demo.libs/liba.so.3", "demo/a.pyc"):
        assert looks_up(content, path) == [0]
    assert looks_up(name.encode(), "demo/_a.abi3.so") == []
    assert looks_up(content, "demo/a.txt") == []
    assert looks_up(content, "demo/__pycache__/a.cpython-313.pyc") == []


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
        ("import_module('.tests', __package__)", ["demo.sub.tests"]),
        ("call('.tests')", []),
        ("from other.import_.tests import a; import other.test", ["other.import_.tests.a", "other.test"]),
        ("import other.importer, other.tests", ["other.tests"]),
        ("import_module('tests of other')", []),
        ("if TYPE_CHECKING:\n    import other.tests", []),
        ("import other.testing, other._tests, test_other, tests_", []),
        ("'''import other.tests'''", []),
        ("x = import_tests; from_tests = 1", []),
        ("from other import \\\n    tests", ["other.tests"]),
        ("if a: import other.tests; import other.test", ["other.test", "other.tests"]),
        (">>> import other.tests", []),
    ],
)
def test_imports_from_test_directories(source: str, modules: list[str]) -> None:
    assert [module for _, module in imported(source)] == modules


def test_imports_are_told_with_their_lines() -> None:
    assert read_facts("demo/__init__.py", b"\nfrom .tests import a\nimport b.test\n").test_imports == (
        TestImport(path="demo/__init__.py", line=2, module="demo.tests.a"),
        TestImport(path="demo/__init__.py", line=3, module="b.test"),
    )
    assert read_facts("demo/a.txt", b"import b.test") == Facts()


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
    found = find_test_imports("demo/a.py", read_python(source.encode()))
    assert [one.module for one in found] == modules
    assert all(one.named for one in found)


def test_what_a_test_directory_is() -> None:
    assert is_test("demo/tests/a.py")
    assert is_test("test/a/b.py")
    assert not is_test("demo/tests.py")
    assert not is_test("demo/testing/a.py")


def test_the_facts_of_the_projects_own_code() -> None:
    source = b"import importlib.metadata, one.tests\nimportlib.metadata.files('one')\n"
    assert read_facts("tests/a.py", source) == Facts(
        lookups=(Lookup(path="tests/a.py", line=2),),
        test_imports=(TestImport(path="tests/a.py", line=1, module="one.tests"),),
    )


# Data of tests

DATA = (
    *("one/tests/a.json", "one/tests/b.json", "one/tests/a/c.bin", "one/tests/a/b/d.bin", "one/sub/test/e f.csv"),
    *("one/sub/test/LICENSE",),
)


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("open(here / 'tests' / 'a.json')", ["one/tests/a.json"]),
        ("open(here + '/tests/a.json')", ["one/tests/a.json"]),
        ("open(here + 'tests\\\\a.json')", ["one/tests/a.json"]),
        ("files('one.tests').joinpath('a.json')", ["one/tests/a.json"]),
        ("files(__package__ + '.tests').joinpath('a.json')", ["one/tests/a.json"]),
        ("from one import tests; files(tests).joinpath('a.json')", ["one/tests/a.json"]),
        ("pkgutil.get_data('one.sub', 'test/e f.csv')", ["one/sub/test/e f.csv"]),
        ("glob(here, 'tests', '*.json')", ["one/tests/a.json", "one/tests/b.json"]),
        ("open(f'tests/{name}.json'), open('tests/%s.json' % name)", ["one/tests/a.json", "one/tests/b.json"]),
        ("os.listdir(join(here, 'tests', 'a'))", ["one/tests/a/c.bin"]),
        ("os.listdir('tests/a/b'), open('tests/LICENSE')", ["one/tests/a/c.bin", "one/tests/a/b/d.bin", DATA[-1]]),
        ("os.listdir(join(here, 'tests')), open('*'), f'{a}', '%s'", []),
        ("open('a.json')", []),
        ("mode in ('train', 'test')", []),
    ],
)
def test_data_that_code_names(source: str, named: list[str]) -> None:
    facts = of_distribution(read_facts("one/a.py", b"\n" + source.encode()), DATA)
    assert facts.test_data == ((TestData(path="one/a.py", line=2, names=tuple(named)),) if named else ())


def test_data_that_only_tests_name() -> None:
    source = b"open(here / 'tests' / 'a.json')"
    for path in ("one/tests/a.py", "one/conftest.py", "one/test_a.py", "one/a.txt"):
        assert read_facts(path, source).test_data == ()


def test_names_are_short() -> None:
    text = read_python(f"'tests', 'a', 'a', '', '{'b' * 201}', '''a\nb'''".encode())
    assert file_names(text) == ("tests", "a")
    assert find_named(("a.json",), ()) == ()


def test_what_data_is() -> None:
    assert is_data("one/tests/a.json")
    assert is_data("one/tests/LICENSE")
    assert not any(map(is_data, ("a.py", "a.pyc", "a.pyi", "a.cpython-313-x86_64-linux-gnu.so", "a.pyx")))
