"""steps.assemble: which distributions and which code each artifact of a plan holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lambdabuild.errors import PolicyError
from lambdabuild.model.limits import MAX_UNZIPPED
from lambdabuild.model.plan import ExternalPlan, FunctionPlan, LayerPlan, Plan
from lambdabuild.model.segment import Member, Segment
from lambdabuild.model.tree import Tree
from lambdabuild.steps.assemble import Assembled, Content, assemble
from tests.samples import function_plan, layer_plan, member, segment

ONE = segment("one", "1.0", member("one.py", "ONE"), member("one/tests/a.py"), member("one-1.0.dist-info/RECORD"))
TWO = segment("two", "2.0", member("two.py", "TWO"))
NEW_TWO = segment("two", "2.1", member("two.py", "NEW TWO"))
BOTO3 = segment("boto3", "1.0", member("boto3.py", "B3"), requires=("botocore", "six"))
BOTOCORE = segment("botocore", "1.0", member("botocore.py", "BC"))
SIX = segment("six", "1.17", member("six.py", "SIX"))
SDK = (BOTO3, BOTOCORE, SIX)
APP = member("app.py", "APP")
LAYER = layer_plan()
FAT = function_plan(kind="fat-function", bundled=(LAYER,))
ATTACHED = function_plan(attached=(LAYER,))


def content(*segments: Segment, code: tuple[Member, ...] = (), direct: tuple[str, ...] = ()) -> Content:
    return Content(segments=segments, direct=direct or tuple(one.name for one in segments), code=code)


def made(
    *artifacts: LayerPlan | FunctionPlan, layers: dict[str, Content] | None = None, api: Content | None = None
) -> Assembled:
    """What becomes of layers and functions with these contents."""
    plan = Plan(
        layers=tuple(one for one in artifacts if isinstance(one, LayerPlan)),
        functions=tuple(one for one in artifacts if isinstance(one, FunctionPlan)),
    )
    return assemble(plan, layers or {}, {"api": api} if api else {})


def owners(tree: Tree) -> dict[str, str]:
    return {path: entry.owner for path, entry in tree.entries.items()}


def messages(assembled: Assembled) -> list[str]:
    every = dict.fromkeys(finding for found in assembled.findings.values() for finding in found)
    return [f"{finding.severity}: {finding.message.splitlines()[0]}" for finding in every]


def big(name: str, size: int) -> Segment:
    """A segment that says it has one file of a size."""
    return segment(name, "1.0", replace(member(f"{name}.py"), size=size))


# Layers


def test_a_layer_lies_below_its_root() -> None:
    code = (member("common/a.py", "A"),)
    for root in ("python/", "python/lib/python3.13/site-packages/"):
        assembled = made(layer_plan(root=root, exclude=("two.py",)), layers={"layer": content(ONE, TWO, code=code)})
        assert owners(assembled.trees["layer.zip"]) == {f"{root}common/a.py": "(sources)", f"{root}one.py": "one 1.0"}
        assert messages(assembled) == []


def test_a_layer_can_leave_the_sdk_to_the_runtime() -> None:
    layers = {"layer": content(ONE, *SDK, direct=("one", "boto3"))}
    assert owners(made(LAYER, layers=layers).trees["layer.zip"]).keys() == {
        f"python/{name}.py" for name in ("boto3", "botocore", "one", "six")
    }
    slim = layer_plan(leaves_sdk=True)
    assert owners(made(slim, layers=layers).trees["layer.zip"]) == {"python/one.py": "one 1.0"}


def test_what_the_sdk_shares_stays_with_a_warning() -> None:
    layers = {"layer": content(*SDK, direct=("boto3", "six"))}
    assembled = made(layer_plan(leaves_sdk=True), layers=layers)
    assert owners(assembled.trees["layer.zip"]) == {"python/six.py": "six 1.17"}
    assert messages(assembled) == [
        "warning: layer.zip leaves boto3 to the runtime and brings six, which boto3 uses as well"
    ]


def test_sources_of_a_layer_hide_distributions_with_a_warning() -> None:
    assembled = made(LAYER, layers={"layer": content(ONE, code=(member("one.py", "MINE"),))})
    assert owners(assembled.trees["layer.zip"]) == {"python/one.py": "(sources)"}
    assert messages(assembled) == ["warning: layer.zip: one.py of the sources hides the one of one 1.0"]


def test_distributions_that_collide_are_refused() -> None:
    other = segment("other", "1.0", member("one.py", "OTHER"))
    with pytest.raises(PolicyError, match=r"^one\.py: one 1\.0 and other 1\.0 bring different files\n"):
        made(LAYER, layers={"layer": content(ONE, other)})


# Slim functions


def test_a_slim_function_holds_what_its_layers_do_not_give() -> None:
    assembled = made(LAYER, ATTACHED, layers={"layer": content(ONE)}, api=content(ONE, TWO, code=(APP,)))
    assert {file: owners(tree) for file, tree in assembled.trees.items()} == {
        "layer.zip": {"python/one.py": "one 1.0"},
        "api.zip": {"app.py": "(sources)", "two.py": "two 2.0"},
    }
    assert messages(assembled) == []


def test_layers_that_are_not_made_in_this_run_give_as_well() -> None:
    assembled = made(ATTACHED, layers={"layer": content(ONE)}, api=content(ONE, code=(APP,)))
    assert {file: owners(tree) for file, tree in assembled.trees.items()} == {"api.zip": {"app.py": "(sources)"}}


def test_another_version_than_the_layers_is_bundled_with_a_warning() -> None:
    assembled = made(LAYER, ATTACHED, layers={"layer": content(TWO)}, api=content(NEW_TWO, code=(APP,)))
    assert owners(assembled.trees["api.zip"]) == {"app.py": "(sources)", "two.py": "two 2.1"}
    assert messages(assembled) == ["warning: api needs two 2.1, its layer layer brings 2.0; 2.1 is bundled and wins"]


def test_what_a_layer_leaves_out_whole_it_does_not_give() -> None:
    layer = layer_plan(exclude=("two.py",))
    assembled = made(function_plan(attached=(layer,)), layers={"layer": content(ONE, TWO)}, api=content(ONE, TWO))
    assert owners(assembled.trees["api.zip"]) == {"two.py": "two 2.0"}


def test_external_layers_give_and_count() -> None:
    shared = ExternalPlan(
        name="shared",
        arn="arn:shared:1",
        unzipped_size=MAX_UNZIPPED,
        distributions={"one": "1.0"},
        python=None,
        architecture=None,
    )
    assembled = made(function_plan(attached=(shared,)), api=content(ONE, code=(APP,)))
    assert owners(assembled.trees["api.zip"]) == {"app.py": "(sources)"}
    assert messages(assembled) == [
        "error: api.zip + shared: 262,144,003 bytes unzipped, 3 over Lambda's 262,144,000; the largest:"
    ]


def test_a_slim_function_can_leave_the_sdk_to_the_runtime() -> None:
    api = content(ONE, *SDK, code=(APP,), direct=("one", "boto3"))
    assert owners(made(function_plan(leaves_sdk=True), api=api).trees["api.zip"]) == {
        "app.py": "(sources)",
        "one.py": "one 1.0",
    }
    assert "boto3.py" in made(function_plan(), api=api).trees["api.zip"].entries


# Fat functions


def test_a_fat_function_holds_everything_at_its_root() -> None:
    layers = {"layer": content(ONE, code=(member("common.py"),))}
    assembled = made(FAT, layers=layers, api=content(ONE, TWO, code=(APP,)))
    assert {file: owners(tree) for file, tree in assembled.trees.items()} == {
        "api-fat.zip": {
            "app.py": "(sources)",
            "common.py": "(sources)",
            "one.py": "one 1.0",
            "two.py": "two 2.0",
        }
    }
    assert messages(assembled) == []


def test_rules_of_a_fat_function_hold_for_its_layers() -> None:
    layer = layer_plan(exclude=("one.py",))
    fat = function_plan(kind="fat-function", bundled=(layer,), exclude=("two.py",), keep=("one/tests/",))
    assembled = made(fat, layers={"layer": content(ONE, TWO)}, api=content(code=(APP,)))
    assert owners(assembled.trees["api-fat.zip"]) == {"app.py": "(sources)", "one/tests/a.py": "one 1.0"}


def test_later_layers_lie_over_earlier_ones_as_in_opt() -> None:
    layers = (layer_plan("a"), layer_plan("b"))
    fat = function_plan(kind="fat-function", bundled=layers)
    assembled = made(fat, layers={"a": content(TWO), "b": content(NEW_TWO)}, api=content(code=(APP,)))
    assert owners(assembled.trees["api-fat.zip"]) == {"app.py": "(sources)", "two.py": "two 2.1"}


def test_the_functions_own_version_wins() -> None:
    assembled = made(FAT, layers={"layer": content(NEW_TWO)}, api=content(TWO, code=(APP,)))
    assert owners(assembled.trees["api-fat.zip"]) == {"app.py": "(sources)", "two.py": "two 2.0"}
    assert messages(assembled) == ["warning: api needs two 2.0, its layer layer brings 2.1; 2.0 is bundled and wins"]


def test_a_fat_function_can_leave_the_sdk_to_the_runtime() -> None:
    fat = replace(FAT, leaves_sdk=True)
    assembled = made(fat, layers={"layer": content(*SDK, direct=("boto3",))}, api=content(ONE, code=(APP,)))
    assert owners(assembled.trees["api-fat.zip"]) == {"app.py": "(sources)", "one.py": "one 1.0"}
    assembled = made(FAT, layers={"layer": content(*SDK, direct=("boto3",))}, api=content(ONE, code=(APP,)))
    assert "boto3.py" in assembled.trees["api-fat.zip"].entries


# Limits


def test_limits_hold_before_a_byte_is_zipped() -> None:
    half = MAX_UNZIPPED // 2
    code = big("app", half + 1).members
    fits = made(LAYER, ATTACHED, layers={"layer": content(big("one", half - 1))}, api=content(code=code))
    assert messages(fits) == []
    exceeds = made(LAYER, ATTACHED, layers={"layer": content(big("one", half))}, api=content(code=code))
    assert messages(exceeds) == [
        "error: api.zip + layer.zip: 262,144,001 bytes unzipped, 1 over Lambda's 262,144,000; the largest:"
    ]
    alone = made(LAYER, layers={"layer": content(big("one", MAX_UNZIPPED + 1))})
    assert messages(alone) == [
        "error: layer.zip: 262,144,001 bytes unzipped, 1 over Lambda's 262,144,000; the largest:"
    ]


def test_empty_artifacts_are_errors() -> None:
    assert messages(made(LAYER, ATTACHED, layers={"layer": content()}, api=content())) == [
        "error: layer.zip would be empty, and Lambda refuses an empty archive",
        "error: api.zip would be empty, and Lambda refuses an empty archive",
    ]
