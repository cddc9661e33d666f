"""model.importpath: what a function and its layers hide of each other."""

from __future__ import annotations

import pytest

from lambdabuild.model.importpath import remark_import_path
from lambdabuild.model.importroot import Root, tree_root
from lambdabuild.model.lint import Remark
from lambdabuild.model.patterns import distribution_rules
from lambdabuild.model.segment import Member, Segment
from lambdabuild.model.tree import overlaid, segment_tree, source_tree
from tests.samples import content, member, segment
from tests.unit.test_pthfiles import namespace

PRECEDENCE = (
    "a function's own files come first, then those of its layers, a later layer's over an earlier one's: "
    "https://docs.aws.amazon.com/lambda/latest/dg/python-layers.html"
)
JOIN = (
    "without __init__.py the parts of a package join (https://peps.python.org/pep-0420/); or put them into one artifact"
)
RENAME = "rename the module, or exclude one of the two"
Files = dict[str, str]


def read(one: Member) -> str:
    return content(one).decode()


def root(file: str, sources: Files, *segments: Segment, folder: str) -> Root:
    code = source_tree([member(path, text) for path, text in sources.items()])
    tree, _ = overlaid(segment_tree(segments, distribution_rules()), code, name=file)
    return tree_root(tree, artifact=file, root="", mount=folder)


def function(sources: Files, *segments: Segment) -> Root:
    return root("api.zip", sources, *segments, folder="/var/task")


def layer(name: str, sources: Files, *segments: Segment, site: bool = False) -> Root:
    folder = "/opt/python/lib/python3.13/site-packages" if site else "/opt/python"
    return root(f"{name}.zip", sources, *segments, folder=folder)


def dist(name: str, version: str = "1", /, **files: str) -> Segment:
    """A distribution; in the names of files ``__in__`` is a slash, and ``.py`` is added."""
    members = [member(path.replace("__in__", "/") + ".py", text) for path, text in files.items()]
    return segment(name, version, *members)


def remarks(of: Root, *layers: Root) -> list[tuple[str, str]]:
    found = list(remark_import_path(of, layers, file="api.zip", python="3.13", read=read))
    assert all(isinstance(one, Remark) and one.artifact == "api.zip" for one in found)
    return [(one.text, one.hint) for one in found]


def test_what_does_no_harm() -> None:
    requests = dist("requests", "2", requests__in____init__="2", requests__in__api="2")
    older = dist("requests", "1", requests__in____init__="1", requests__in__api="1", requests__in__gone="1")
    auth = segment("google-auth", "1", member("google/auth/__init__.py", "a"), member("google/auth/x.py"))
    storage = segment("google-storage", "1", member("google/cloud/storage/__init__.py", "s"))
    query = segment("google-query", "1", member("google/cloud/query/__init__.py", "q"))
    app = {"app.py": "import requests", "shop/__init__.py": "", "data/a.txt": "1"}
    assert remarks(function(app)) == []
    assert remarks(function(app), layer("deps", {"data/a.txt": "2", "shared/__init__.py": ""}, requests)) == []
    # another version is another check's to tell; what it alone has belongs to it
    assert remarks(function(app, requests), layer("deps", {}, older)) == []
    assert remarks(function(app), layer("a", {}, requests), layer("b", {}, older)) == []
    assert remarks(function(app), layer("a", {}, older, site=True), layer("b", {}, requests)) == []
    # parts of a namespace package join, wherever they lie
    assert remarks(function(app, storage), layer("a", {}, auth), layer("b", {}, query, site=True)) == []
    # empty files are no waste
    assert remarks(function({"shop/__init__.py": "", "app.py": ""}), layer("a", {"shop/__init__.py": ""})) == []


@pytest.mark.parametrize(
    ("below", "hidden"),
    [
        ({"shop/shared.py": "1"}, "shop/shared.py"),
        ({"shop/__init__.py": "", "shop/shared/a.py": "1"}, "shop/shared/a.py"),
        (
            {f"shop/{name}.py": "" for name in "abcd"},
            "shop/a.py, shop/b.py, shop/c.py and 1 more",
        ),
    ],
)
def test_a_package_that_is_whole_in_the_function_hides_the_layers_part(below: Files, hidden: str) -> None:
    own = {"shop/__init__.py": "", "shop/api.py": ""}
    assert remarks(function(own), layer("shared", below)) == [
        (f"shop/__init__.py hides modules of shared.zip: {hidden}", JOIN)
    ]


def test_a_package_that_is_whole_in_a_layer_hides_the_functions_part() -> None:
    assert remarks(function({"shop/api.py": ""}), layer("shared", {"shop/__init__.py": "", "shop/a.py": ""})) == [
        ("shop/__init__.py of shared.zip hides modules of api.zip: shop/api.py", JOIN)
    ]


def test_a_part_deep_in_a_namespace() -> None:
    whole = segment("cloud", "1", member("google/cloud/__init__.py", "x"), member("google/cloud/a.py"))
    part = segment("storage", "1", member("google/cloud/storage/__init__.py"), member("google/auth.py"))
    assert remarks(function({}, part), layer("deps", {}, whole)) == [
        ("google/cloud/__init__.py of deps.zip hides modules of api.zip: google/cloud/storage/__init__.py", JOIN)
    ]


def test_an_older_version_that_wins_by_its_form() -> None:
    old = segment("shop", "1", member("shop/__init__.py", "1"), member("shop/a.py", "1"), member("shop/b.py"))
    new = segment("shop", "2", member("shop/a.py", "2"), member("shop/b.py"), member("shop/c.py"))
    assert remarks(function({}, new), layer("deps", {}, old)) == [
        ("shop/__init__.py of deps.zip hides modules of api.zip: shop/a.py, shop/c.py", JOIN)
    ]
    pth = segment("shop", "1", member("shop-nspkg.pth", namespace("shop")), member("shop/a.py", "1"))
    assert remarks(function({}, new), layer("deps", {}, pth)) == [
        (
            "shop-nspkg.pth of deps.zip hides modules of api.zip: shop/a.py, shop/b.py, shop/c.py",
            "without that file the parts of a package join (https://peps.python.org/pep-0420/): "
            'exclude = ["/shop-nspkg.pth"]',
        )
    ]
    assert remarks(function({}, old), layer("deps", {}, new)) == []


def test_layers_of_two_layouts() -> None:
    whole, part = {"shop/__init__.py": "", "shop/a.py": ""}, {"shop/b.py": ""}
    told = [("shop/__init__.py of a.zip hides modules of b.zip: shop/b.py", JOIN)]
    assert remarks(function({}), layer("a", whole, site=True), layer("b", part)) == told
    assert remarks(function({}), layer("b", part, site=True), layer("a", whole)) == told
    # in one folder the parts lie beside each other
    assert remarks(function({}), layer("a", whole), layer("b", part)) == []


@pytest.mark.parametrize(
    "text",
    [
        "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n",
        "from pkgutil import extend_path\n__path__ = extend_path(__path__, __name__)\n",
        "__import__('pkg_resources').declare_namespace(__name__)\n",
    ],
)
def test_a_package_that_extends_its_path(text: str) -> None:
    whole = {"shop/__init__.py": text, "shop/sub/__init__.py": "", "shop/sub/a.py": ""}
    assert remarks(function(whole), layer("a", {"shop/b.py": "", "shop/__init__.py": "# other"})) == []
    assert remarks(function(whole), layer("a", {"shop/sub/b.py": ""})) == [
        ("shop/sub/__init__.py hides modules of a.zip: shop/sub/b.py", JOIN)
    ]
    # what counts is the part that is found first
    assert remarks(function({"shop/__init__.py": "", "shop/a.py": ""}), layer("a", whole)) == [
        ("shop/__init__.py hides modules of a.zip: shop/sub/__init__.py, shop/sub/a.py", JOIN)
    ]


def test_a_namespace_that_a_pth_file_makes() -> None:
    pth = member("zope.event-1-nspkg.pth", namespace("zope") + "\n")
    event = segment("zope-event", "1", pth, member("zope/event/__init__.py"))
    own = {"zope/mine.py": ""}
    assert remarks(function(own), layer("a", {}, event)) == [
        (
            "zope.event-1-nspkg.pth of a.zip hides modules of api.zip: zope/mine.py",
            "without that file the parts of a package join (https://peps.python.org/pep-0420/): "
            'exclude = ["/zope.event-1-nspkg.pth"]',
        )
    ]
    both = segment("zope-mine", "1", member("mine-nspkg.pth", namespace("zope") + "\n"), member("zope/mine.py"))
    assert remarks(function({}, both), layer("a", {}, event)) == []
    assert remarks(function({}), layer("a", {}, event), layer("b", {}, both)) == []


def test_a_module_of_the_function_with_the_name_of_a_dependency() -> None:
    files = {"requests/__init__.py": "1", "requests/api.py": "2"}
    requests = segment("requests", "2", *(member(path, text) for path, text in files.items()))
    deps = layer("deps", {}, requests)
    assert remarks(function({"requests.py": ""}), deps) == [
        ("requests.py hides modules of deps.zip: requests/__init__.py, requests/api.py", RENAME)
    ]
    assert remarks(function({"requests/__init__.py": ""}), deps) == [
        ("requests/__init__.py hides modules of deps.zip: requests/api.py", RENAME)
    ]
    assert remarks(function({"requests/mine.py": ""}), deps) == [
        ("requests/__init__.py of deps.zip hides modules of api.zip: requests/mine.py", JOIN)
    ]
    one = layer("deps", {}, dist("one", one="1"))
    assert remarks(function({"one.py": "mine"}), one) == [
        ("modules of api.zip hide different ones of the same name in deps.zip: one.py", PRECEDENCE)
    ]
    assert remarks(function({"one/__init__.py": ""}), one) == [
        ("one/__init__.py hides modules of deps.zip: one.py", RENAME)
    ]
    assert remarks(function({"one/a.py": ""}), one) == [
        ("one.py of deps.zip hides modules of api.zip: one/a.py", RENAME)
    ]


def test_modules_in_function_and_layer() -> None:
    own = {f"shop/{name}.py": name for name in "abcde"} | {
        "shop/__init__.py": "# one line",
        "util.py": "1",
        "x.txt": "1",
    }
    equal = {path: text for path, text in own.items() if path != "util.py"}
    assert remarks(function(own), layer("shared", equal)) == [
        (
            "modules of api.zip are in shared.zip as well, 15 bytes: shop/__init__.py, shop/a.py, shop/b.py and 3 more",
            "exclude them from one of the two",
        )
    ]
    assert remarks(function(own), layer("shared", {**equal, "shop/c.py": "C", "util.py": "2", "x.txt": "2"})) == [
        ("modules of api.zip hide different ones of the same name in shared.zip: shop/c.py, util.py", PRECEDENCE),
        (
            "modules of api.zip are in shared.zip as well, 14 bytes: shop/__init__.py, shop/a.py, shop/b.py and 2 more",
            "exclude them from one of the two",
        ),
    ]


def test_modules_in_two_layers() -> None:
    other = layer("b", {"util.py": "2", "shop/a.py": "2", "shop/__init__.py": "", "same.py": "1", "x.txt": "2"})
    first = layer("a", {"util.py": "1", "shop/a.py": "1", "shop/__init__.py": "", "same.py": "1", "x.txt": "1"})
    assert remarks(function({}), first, other) == [
        (
            "layers a.zip and b.zip bring different modules of one name, and those of b.zip win: shop/a.py, util.py",
            PRECEDENCE,
        )
    ]
    assert remarks(function({}), other, first, layer("c", {"util.py": "3"}, dist("d", same="2"))) == [
        (
            "layers b.zip and a.zip bring different modules of one name, and those of a.zip win: shop/a.py, util.py",
            PRECEDENCE,
        ),
        (
            "layers a.zip and c.zip bring different modules of one name, and those of c.zip win: same.py, util.py",
            PRECEDENCE,
        ),
    ]


def test_distributions_that_share_but_a_path() -> None:
    python = dist("opencv-python", cv2__in____init__="a", cv2__in__x="a")
    headless = dist("opencv-python-headless", cv2__in____init__="b", cv2__in__y="b")
    assert remarks(function({}, python), layer("deps", {}, headless)) == [
        ("cv2/__init__.py hides modules of deps.zip: cv2/y.py", RENAME)
    ]
