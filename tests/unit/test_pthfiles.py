"""model.pthfiles: what each line of a .pth file does on Lambda, and which of it is spoken of."""

from __future__ import annotations

import pytest

from lambdabuild.model.importroot import Root, tree_root
from lambdabuild.model.lint import Remark
from lambdabuild.model.patterns import distribution_rules
from lambdabuild.model.pthfiles import Line, find_namespace, parse_pth, remark_pth
from lambdabuild.model.tree import segment_tree, source_tree
from tests.samples import content, member, segment


def read(one: object) -> str:
    return content(one).decode(errors="replace")  # type: ignore[arg-type]


def root(**files: str) -> Root:
    """The import root of a layer with the distribution demo 1.0: a module, a folder and these .pth files."""
    members = [member("demo.py"), member("vendor/inner/a.txt")]
    members += [member(f"{name}.pth", text) for name, text in files.items()]
    tree = segment_tree([segment("demo", "1.0", *members)], distribution_rules())
    return tree_root(tree, artifact="layer.zip", root="", mount="/opt/python")


def deeds(text: str, name: str = "demo.pth") -> list[tuple[int, str]]:
    return [(line.number, line.deed) for line in parse_pth(name, text, root())]


# Written by setuptools 80 and by older ones, by coverage 7.11, pytest-cov 5 and manhole 1.8
DISTUTILS = (
    "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; "
    "enabled and __import__('_distutils_hack')"
)
COVERAGE = (
    'import sys; exec(\'import os\\n\\nif os.getenv("COVERAGE_PROCESS_START") or '
    'os.getenv("COVERAGE_PROCESS_CONFIG"):\\n try:\\n  import coverage\\n except:\\n  pass\\n else:\\n  '
    'coverage.process_startup(slug="pth")\')'
)
PYTEST_COV = (
    "import os, sys;exec('if \\'COV_CORE_SOURCE\\' in os.environ:\\n try:\\n  from pytest_cov.embed import init\\n  "
    'init()\\n except Exception as exc:\\n  sys.stderr.write("Failed")\\n\')'
)


def namespace(*parts: str) -> str:
    """The line of setuptools 60 for a namespace package."""
    name, folders = ".".join(parts), ", ".join(f"'{part}'" for part in parts) + ("," if len(parts) == 1 else "")
    line = (
        "import sys, types, os;has_mfs = sys.version_info > (3, 5);"
        f"p = os.path.join(sys._getframe(1).f_locals['sitedir'], *({folders}));"
        "importlib = has_mfs and __import__('importlib.util');has_mfs and __import__('importlib.machinery');"
        f"m = has_mfs and sys.modules.setdefault('{name}', importlib.util.module_from_spec("
        f"importlib.machinery.PathFinder.find_spec('{name}', [os.path.dirname(p)])));"
        f"m = m or sys.modules.setdefault('{name}', types.ModuleType('{name}'));"
        "mp = (m or []) and m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p)"
    )
    return line + (f";m and setattr(sys.modules['{parts[0]}'], '{parts[-1]}', m)" if len(parts) > 1 else "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n  \n# a comment\n#import this\n",
        "vendor\n./vendor/inner/\nvendor/../vendor\n.\n",
        "/opt/python/vendor\n",
        "\ufeffvendor\r\n",
        "demo.py",
        f"{DISTUTILS};",
        f"{DISTUTILS}.add_shim(); ",
        COVERAGE,
        PYTEST_COV,
        "import os\n",
        "import sys; exec('if \"PYTHONMANHOLE\" in os.environ: start()')",
        namespace("zope"),
        namespace("google", "cloud"),
    ],
)
def test_harmless(text: str) -> None:
    assert {deed for _, deed in deeds(text)} <= {"nothing"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# one\n/home/me/src\n\nvendor\n", [(2, "outside"), (4, "nothing")]),
        ("..\n../vendor\nvendor/../../x\n", [(1, "outside"), (2, "outside"), (3, "outside")]),
        ("C:\\Users\\me\\src", [(1, "outside")]),
        ("vendored\nvend\n import os", [(1, "missing"), (2, "missing"), (3, "missing")]),
        ("/opt/python/gone\n/opt/pythonic", [(1, "missing"), (2, "outside")]),
        ("import demo\nimport\tdemo; demo.go()", [(1, "runs"), (2, "runs")]),
        ("import os; x = (", [(1, "runs")]),
        ("import _demo_editable_loader\nimport __editable___demo_1_0_finder; f()", [(1, "editable"), (2, "editable")]),
        # asleep in appearance only
        ("import os; exec('if \"PATH\" in os.environ: go()')", [(1, "runs")]),
        ("import os; exec('if os.getenv(\"AWS_REGION\"): go()')", [(1, "runs")]),
        ("import os; exec('if os.getenv(\"MINE\"): pass\\nelse: go()')", [(1, "runs")]),
        ("import os; exec('if os.getenv(\"MINE\") or go(): pass')", [(1, "runs")]),
        ('import os; exec(\'if os.getenv("MINE", "1"): go()\')', [(1, "runs")]),
        (f"{DISTUTILS}; go()", [(1, "runs")]),
    ],
)
def test_deeds(text: str, expected: list[tuple[int, str]]) -> None:
    assert deeds(text) == expected


@pytest.mark.parametrize("name", ["__editable__.demo-1.0.pth", "_editable_impl_demo.pth", "_demo_editable.pth"])
def test_editable_by_the_name_of_the_file(name: str) -> None:
    assert deeds("/home/me/src\nimport _hook", name) == [(1, "editable"), (2, "editable")]
    assert deeds("vendor", name) == [(1, "nothing")]


def test_lines_are_told_as_they_are() -> None:
    assert list(parse_pth("a.pth", "\n/home/me/src \n", root())) == [
        Line(number=2, text="/home/me/src", deed="outside")
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (namespace("zope"), "zope"),
        (namespace("google", "cloud"), "google/cloud"),
        ("import sys, types, os; go()", None),
        ("import os", None),
    ],
)
def test_namespace(line: str, expected: str | None) -> None:
    assert find_namespace(line) == expected


def test_remarks_by_file_and_deed() -> None:
    lines = "".join(f"/src/{number}\n" for number in range(5))
    hook = "import demo; demo.go(" + "1, " * 40 + ")"
    found = list(remark_pth(root(a=f"{lines}gone\n{hook}\n", b="vendor\n"), read))
    assert found == [
        Remark(
            artifact="layer.zip",
            code="pth-file",
            text="a.pth of demo 1.0 adds to the import path what is outside of the artifact: "
            "/src/0 (line 1), /src/1 (line 2), /src/2 (line 3) and 2 more",
            hint='package what it points to, as a dependency or as code, and leave the file out: exclude = ["/a.pth"]',
        ),
        Remark(
            artifact="layer.zip",
            code="pth-file",
            text="a.pth of demo 1.0 adds to the import path what is not in the artifact: gone (line 6)",
            hint='keep the folder, or leave the file out: exclude = ["/a.pth"]',
        ),
        Remark(
            artifact="layer.zip",
            code="pth-file",
            text="a.pth of demo 1.0 runs code whenever a function starts: "
            f"import demo; demo.go({'1, ' * 19}1,… (line 7)",
            hint="Lambda's runtime runs the .pth files of a function and its layers; if this one is not wanted: "
            'exclude = ["/a.pth"]',
        ),
    ]


def test_files_of_the_sources_and_files_that_are_not_read() -> None:
    files = [member("_editable_impl_shop.pth", "/home/me/shop\n"), member(".hidden.pth", "/x"), member("a/b.pth", "/x")]
    tree = source_tree([*files, member("c.pth.txt", "/x")])
    assert list(remark_pth(tree_root(tree, artifact="api.zip", root="", mount="/var/task"), read)) == [
        Remark(
            artifact="api.zip",
            code="pth-file",
            text="_editable_impl_shop.pth of the sources is of an editable install, and the code is not in the "
            "artifact: /home/me/shop (line 1)",
            hint="install the distribution itself, not an editable one (no -e), or leave the file out: "
            'exclude = ["/_editable_impl_shop.pth"]',
        )
    ]
