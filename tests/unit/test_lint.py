"""model.lint and steps.lint: one finding a thing, whatever artifacts it is true of, and what strict makes of it."""

from __future__ import annotations

from collections.abc import Mapping

from lambdabuild.errors import Code
from lambdabuild.model.limits import Finding
from lambdabuild.model.lint import Remark, as_findings, exclusion, listed, strictly
from lambdabuild.model.patterns import distribution_rules
from lambdabuild.model.plan import ExternalPlan, Plan
from lambdabuild.model.tree import Tree, prefixed, segment_tree, source_tree
from lambdabuild.steps.lint import lint
from tests.samples import function_plan, layer_plan, member, segment, sources, target

HOOK = segment("demo", "1.0", member("demo.py"), member("demo.pth", "import demo\n"))
HOOK_TEXT = "demo.pth of demo 1.0 runs code whenever a function starts: import demo (line 1)"
HOOK_HINT = (
    "Lambda's runtime runs the .pth files of a function and its layers; if this one is not wanted: "
    'exclude = ["/demo.pth"]'
)


def warning(message: str, hint: str, code: Code = "hidden-module") -> Finding:
    return Finding(severity="warning", code=code, message=message, hint=hint, lint=True)


def linted(plan: Plan, trees: Mapping[str, Tree], layers: Mapping[str, Tree]) -> list[Finding]:
    return as_findings(lint(plan, trees, layers))


def code(*paths: str) -> Tree:
    return source_tree(map(member, paths))


def test_what_is_true_of_several_artifacts_is_one_finding() -> None:
    remarks = [Remark(artifact=f"{name}.zip", code="hidden-module", text="it rains", hint="wait") for name in "abcaade"]
    remarks.insert(1, Remark(artifact="b.zip", code="hidden-module", text="it rains", hint="take an umbrella"))
    assert as_findings(remarks) == [
        warning("a.zip, b.zip, c.zip and 2 more: it rains", "wait"),
        warning("b.zip: it rains", "take an umbrella"),
    ]


def test_strict_is_of_the_lint_alone() -> None:
    lints = Finding(severity="warning", code="pth-file", message="path", lint=True)
    others = [
        Finding(severity="warning", code="zipped-size", message="s3"),
        Finding(severity="error", code="unzipped-size", message="size", hint="x"),
    ]
    assert strictly([lints, *others]) == [
        Finding(severity="error", code="pth-file", message="path", lint=True),
        *others,
    ]


def unpackaged(handler: str, files: dict[str, str], *, plan: Plan | None = None, **layers: Tree) -> list[str]:
    """What a function with these files imports in vain, where the project has every module that is asked about."""
    function = function_plan(sources=sources(handler=handler), attached=tuple(map(layer_plan, layers)))
    tree = source_tree(member(path, text) for path, text in files.items())
    found = lint(
        plan or Plan(layers=(), functions=(function,)),
        {"api.zip": tree},
        layers,
        find_hint=lambda one, module: f"{one.name} lacks {module}",
    )
    return [f"{one.text}; {one.hint}" for one in found if one.code == "not-packaged"]


def test_what_code_imports_and_nothing_brings() -> None:
    def lacking(path: str, module: str) -> str:
        return f"{path} imports {module}, which neither the archive nor a layer has; api lacks {module}"

    assert unpackaged("a/run.handler", {"a/run.py": "from a.tools import x\nimport b.c\n"}) == [
        lacking("a/run.py", "a.tools"),
        lacking("a/run.py", "b"),
    ]
    package = {"a/__init__.py": "", "a/run.py": "from . import one, two\n", "a/one.py": "import b", "c.py": "import d"}
    assert unpackaged("a.run.handler", package) == [lacking("a/run.py", "a.two"), lacking("a/one.py", "b")]


def test_imports_that_are_not_in_vain() -> None:
    assert unpackaged("run.handler", {"run.py": "import json, boto3, os.path\n"}) == []
    assert unpackaged("run.handler", {"run.py": "try:\n    import b\nexcept ImportError:\n    b = None\n"}) == []
    assert unpackaged("run.handler", {"run.py": "from a import x\n", "a.py": "", "unused.py": "import b"}) == []
    assert unpackaged("run.handler", {"run.py": "import b.c\n"}, layer=prefixed(code("b/x.py"), "python/")) == []
    vendored = "import sys\nsys.path.append('lib')\nimport b.c\n"
    assert unpackaged("run.handler", {"run.py": vendored, "lib/b/__init__.py": ""}) == []
    outside = ExternalPlan(name="x", arn="a", unzipped_size=1, distributions={}, python=None, architecture=None)
    function = function_plan(sources=sources(handler="run.handler"), attached=(outside,))
    assert unpackaged("run.handler", {"run.py": "import b"}, plan=Plan(layers=(), functions=(function,))) == []


def test_a_list_is_short() -> None:
    assert [listed(list("abcde")[:many]) for many in range(6)] == [
        *("", "a", "a, b", "a, b, c", "a, b, c and 1 more", "a, b, c and 2 more")
    ]
    assert exclusion(["a.pth", "docs/"]) == 'exclude = ["/a.pth", "/docs/"]'


def test_each_artifact_and_each_function_with_its_layers() -> None:
    deps, site = layer_plan("deps"), layer_plan("site", root="python/lib/python3.13/site-packages/")
    outside = ExternalPlan(name="x", arn="a", unzipped_size=1, distributions={}, python=None, architecture=None)
    api = function_plan("api", attached=(deps, outside, site))
    fat = function_plan("fat", kind="fat-function", bundled=(deps, site))
    layers = {
        "deps": prefixed(segment_tree([HOOK], distribution_rules()), deps.root),
        "site": prefixed(code("shop/a.py"), site.root),
    }
    trees = {
        "deps.zip": layers["deps"],
        "site.zip": layers["site"],
        "api.zip": code("shop/__init__.py", "App.py", "app.py"),
        "fat-fat.zip": segment_tree([HOOK], distribution_rules()),
    }
    found = linted(Plan(layers=(deps, site), functions=(api, fat)), trees, layers)
    assert found == [
        warning(f"deps.zip, fat-fat.zip: {HOOK_TEXT}", HOOK_HINT, "pth-file"),
        warning(
            "api.zip: names that are one where a disk ignores case or how accents are composed: App.py and app.py",
            "rename all but one of them: Lambda tells them apart, macOS and Windows do not",
            "case-collision",
        ),
        warning(
            "api.zip: shop/__init__.py hides modules of site.zip: shop/a.py",
            "without __init__.py the parts of a package join (https://peps.python.org/pep-0420/); "
            "or put them into one artifact",
        ),
    ]


def test_a_layer_that_is_not_made_is_looked_at_with_its_function_alone() -> None:
    deps = layer_plan("deps")
    layers = {"deps": prefixed(segment_tree([HOOK], distribution_rules()), deps.root)}
    api = function_plan("api", attached=(deps,))
    assert linted(Plan(layers=(), functions=(api,)), {"api.zip": code("app.py")}, layers) == []
    assert linted(Plan(layers=(), functions=(api,)), {"api.zip": code("demo/__init__.py")}, layers) == [
        warning(
            "api.zip: demo/__init__.py hides modules of deps.zip: demo.py",
            "rename the module, or exclude one of the two",
        )
    ]


def test_the_standard_library_is_the_runtimes() -> None:
    old, new = layer_plan("old", target=target("3.11")), layer_plan("new", target=target("3.12"))
    layers = {layer.name: prefixed(code("distutils/__init__.py"), layer.root) for layer in (old, new)}
    trees = {f"{name}.zip": tree for name, tree in layers.items()}
    assert linted(Plan(layers=(old, new), functions=()), trees, layers) == [
        warning(
            "old.zip: modules of the sources have names of the standard library's, and of each name only one can be "
            "imported: distutils/",
            "rename them; /var/task and /opt come before the standard library on Lambda's import path",
            "standard-library-name",
        )
    ]


def test_text_that_is_not_utf_8_and_text_that_is_stored() -> None:
    latin = segment("demo", "1.0", member("demo.pth", "/home/é\n".encode("latin-1")))
    layer = layer_plan()
    tree = prefixed(segment_tree([latin], distribution_rules()), layer.root)
    assert [
        one.message for one in linted(Plan(layers=(layer,), functions=()), {"layer.zip": tree}, {"layer": tree})
    ] == [
        "layer.zip: demo.pth of demo 1.0 adds to the import path what is outside of the artifact: /home/\ufffd (line 1)"
    ]
