"""steps.assemble: which segments and sources each artifact of a plan holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lambdabuild.errors import PolicyError
from lambdabuild.model.limits import MAX_UNZIPPED, Finding
from lambdabuild.model.plan import FunctionPlan, LayerPlan, Plan
from lambdabuild.model.segment import Member, Segment
from lambdabuild.model.tree import Tree
from lambdabuild.steps.assemble import Content, Own, assemble
from tests.samples import function_plan, layer_plan, member, segment, target

ONE = segment("one", "1.0", member("one.py", "ONE"), member("one/tests/a.py"), member("one-1.0.dist-info/RECORD"))
BOTO3 = segment("boto3", "1.0", member("boto3.py", "B3"))
CODE = (member("app.py", "APP"),)


def plan(*layers: LayerPlan, functions: tuple[FunctionPlan, ...] = ()) -> Plan:
    return Plan(target=target(), layers=layers, functions=functions)


def content(*segments: Segment, code: tuple[Member, ...] = ()) -> Content:
    return Content(segments=segments, code=code)


def own(*code: Member, left: frozenset[str] = frozenset()) -> Own:
    return Own(code=code, left_to_runtime=left)


def owners(tree: Tree) -> dict[str, str]:
    return {path: entry.owner for path, entry in tree.entries.items()}


def big(name: str, size: int) -> Segment:
    """A segment that says it has one file of a size."""
    return segment(name, "1.0", replace(member(f"{name}.py"), size=size))


def test_a_layer_lies_below_python() -> None:
    layer = layer_plan(exclude=("skip.py",))
    made = assemble(plan(layer), {"layer": content(ONE, code=(member("common/a.py", "A"),))}, {})
    assert owners(made.trees["layer.zip"]) == {"python/common/a.py": "(sources)", "python/one.py": "one 1.0"}
    assert made.findings == ()


def test_a_slim_function_holds_its_code_alone() -> None:
    layer = layer_plan()
    made = assemble(
        plan(layer, functions=(function_plan(attached=(layer,)),)), {"layer": content(ONE)}, {"api": own(*CODE)}
    )
    assert {file: owners(tree) for file, tree in made.trees.items()} == {
        "layer.zip": {"python/one.py": "one 1.0"},
        "api.zip": {"app.py": "(sources)"},
    }


def test_a_fat_function_holds_everything_at_its_root_but_what_the_runtime_brings() -> None:
    layers = (layer_plan("a", exclude=("*.md",)), layer_plan("b"))
    function = function_plan(bundled=layers, exclude=("drop.py",), keep=("one/tests/",))
    contents = {
        "a": content(ONE, BOTO3, segment("docs", "1", member("x.md"), member("drop.py"))),
        "b": content(segment("two", "2.0", member("x.md"), member("two.py")), code=(member("common.py"),)),
    }
    made = assemble(plan(functions=(function,)), contents, {"api": own(*CODE, left=frozenset({"boto3"}))})
    assert {file: owners(tree) for file, tree in made.trees.items()} == {
        "api-fat.zip": {
            "app.py": "(sources)",
            "common.py": "(sources)",
            "one.py": "one 1.0",
            "one/tests/a.py": "one 1.0",
            "two.py": "two 2.0",
            "x.md": "two 2.0",
        }
    }


def test_later_layers_lie_over_earlier_ones_as_in_opt() -> None:
    layers = (layer_plan("a"), layer_plan("b"))
    contents = {
        name: content(segment("demo", version, member("demo.py", version)))
        for name, version in [("a", "1"), ("b", "2")]
    }
    made = assemble(plan(functions=(function_plan(bundled=layers),)), contents, {"api": own(*CODE)})
    assert owners(made.trees["api-fat.zip"]) == {"app.py": "(sources)", "demo.py": "demo 2"}


@pytest.mark.parametrize("fat", [True, False])
def test_hidden_files_are_told(fat: bool) -> None:
    layer = layer_plan()
    function = function_plan(bundled=(layer,)) if fat else function_plan(attached=(layer,))
    made = assemble(
        plan(*(() if fat else (layer,)), functions=(function,)),
        {"layer": content(ONE, code=(member("one.py", "MINE"),))},
        {"api": own(*CODE)},
    )
    assert made.findings == (
        Finding(
            severity="warning",
            message=f"{'api-fat' if fat else 'layer'}.zip: one.py of the sources hides the one of one 1.0",
            hint="rename the module, or exclude one of the two",
        ),
    )


def test_limits_hold_before_a_byte_is_zipped() -> None:
    layer = layer_plan()
    half = MAX_UNZIPPED // 2
    function = function_plan(attached=(layer,))
    code = big("app", half + 1).members
    fits = assemble(plan(layer, functions=(function,)), {"layer": content(big("one", half - 1))}, {"api": own(*code)})
    assert fits.findings == ()
    exceeds = assemble(plan(layer, functions=(function,)), {"layer": content(big("one", half))}, {"api": own(*code)})
    assert [finding.message.splitlines()[0] for finding in exceeds.findings] == [
        "api.zip + layer.zip: 262,144,001 bytes unzipped, 1 over Lambda's 262,144,000; the largest:"
    ]
    alone = assemble(plan(layer), {"layer": content(big("one", MAX_UNZIPPED + 1))}, {})
    assert [finding.message.splitlines()[0] for finding in alone.findings] == [
        "layer.zip: 262,144,001 bytes unzipped, 1 over Lambda's 262,144,000; the largest:"
    ]


def test_empty_artifacts_are_errors() -> None:
    layer = layer_plan()
    made = assemble(plan(layer, functions=(function_plan(attached=(layer,)),)), {"layer": content()}, {"api": own()})
    assert [(finding.severity, finding.message) for finding in made.findings] == [
        ("error", "layer.zip would be empty, and Lambda refuses an empty archive"),
        ("error", "api.zip would be empty, and Lambda refuses an empty archive"),
    ]


def test_distributions_that_collide_are_refused() -> None:
    other = segment("other", "1.0", member("one.py", "OTHER"))
    with pytest.raises(PolicyError, match=r"^one\.py: one 1\.0 and other 1\.0 bring different files\n"):
        assemble(plan(layer_plan()), {"layer": content(ONE, other)}, {})
