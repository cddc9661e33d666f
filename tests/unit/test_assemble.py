"""steps.assemble: which distributions and which code each artifact of a plan holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lambdabuild.errors import PolicyError
from lambdabuild.model.facts import Facts, Lookup
from lambdabuild.model.limits import MAX_UNZIPPED
from lambdabuild.model.plan import ExternalPlan, FunctionPlan, LayerPlan, Plan
from lambdabuild.model.segment import Member, Segment
from lambdabuild.model.treatment import Slimming
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
    slim = layer_plan(sdk="runtime")
    assert owners(made(slim, layers=layers).trees["layer.zip"]) == {"python/one.py": "one 1.0"}


def test_what_the_sdk_shares_stays_with_a_warning() -> None:
    layers = {"layer": content(*SDK, direct=("boto3", "six"))}
    assembled = made(layer_plan(sdk="runtime"), layers=layers)
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


WITHOUT_TWO = layer_plan(exclude=("two.py",))
NEEDS_TWO = segment("three", "3.0", member("three.py"), requires=("two",))


@pytest.mark.parametrize("function", [function_plan(attached=(WITHOUT_TWO,)), replace(FAT, bundled=(WITHOUT_TWO,))])
def test_what_a_layer_leaves_out_is_left_out_of_its_functions(function: FunctionPlan) -> None:
    def packaged(*needed: Segment, direct: tuple[str, ...] = ("one", "two")) -> set[str]:
        layers = {"layer": content(ONE, TWO)}
        api = content(*needed, code=(APP,), direct=direct)
        return {
            path for path in made(function, layers=layers, api=api).trees[function.file].entries if "one" not in path
        }

    assert packaged(ONE, TWO) == {"app.py"}
    assert packaged(ONE, TWO, direct=("one", "two>=2")) == {"app.py", "two.py"}  # it asks for it itself
    assert packaged(ONE, TWO, NEEDS_TWO, direct=("one", "two", "three")) == {"app.py", "three.py", "two.py"}
    assert packaged(ONE, NEW_TWO) == {"app.py"}


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
    assert owners(made(function_plan(sdk="runtime"), api=api).trees["api.zip"]) == {
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
    fat = replace(FAT, sdk="runtime")
    assembled = made(fat, layers={"layer": content(*SDK, direct=("boto3",))}, api=content(ONE, code=(APP,)))
    assert owners(assembled.trees["api-fat.zip"]) == {"app.py": "(sources)", "one.py": "one 1.0"}
    assembled = made(FAT, layers={"layer": content(*SDK, direct=("boto3",))}, api=content(ONE, code=(APP,)))
    assert "boto3.py" in assembled.trees["api-fat.zip"].entries


AIO = segment("aioboto", "2.0", member("aioboto.py"), requires=("botocore<1.1",))


def test_a_fat_function_says_that_it_bundles_an_sdk_that_others_require() -> None:
    fat = replace(FAT, sdk="unrequired")
    layers = {"layer": content(*SDK, AIO, direct=("boto3", "aioboto"))}
    assembled = made(fat, layers=layers, api=content(code=(APP,)))
    assert {"boto3.py", "botocore.py"} < assembled.trees["api-fat.zip"].entries.keys()
    assert messages(assembled) == ["note: api-fat.zip bundles boto3, botocore, because aioboto requires the SDK"]
    assert messages(made(fat, layers={"layer": content(*SDK)}, api=content(code=(APP,)))) == [
        "warning: api-fat.zip leaves boto3 to the runtime and brings six, which boto3 uses as well"
    ]


def test_the_configuration_can_leave_an_sdk_that_others_require() -> None:
    layer = layer_plan(sdk="runtime")
    layers = {"layer": content(*SDK, AIO, direct=("boto3", "aioboto"))}
    function = function_plan(attached=(layer,), sdk="runtime")
    assembled = made(layer, function, layers=layers, api=content(*SDK, AIO, code=(APP,), direct=("boto3", "aioboto")))
    assert owners(assembled.trees["layer.zip"]) == {"python/aioboto.py": "aioboto 2.0"}
    assert owners(assembled.trees["api.zip"]) == {"app.py": "(sources)"}
    assert messages(assembled) == [
        "warning: layer.zip leaves boto3, botocore to the runtime though aioboto requires the SDK: whether the "
        "runtime's version serves, only verification in the image shows"
    ]


# Tests in the code of layers


def test_tests_in_the_code_of_a_layer_go_as_in_distributions() -> None:
    code = tuple(
        member(path, text)
        for path, text in {
            "shared/__init__.py": "from shared.sub.test.kit import Kit\n",
            "shared/sub/test/kit.py": "",
            "shared/sub/test/other.py": "",
            "shared/tests/test_a.py": "",
            "shared/tests/a.json": "{}",
            "tests/b.py": "",
        }.items()
    )
    layers = {"layer": content(ONE, code=code)}
    assembled = made(LAYER, layers=layers)
    taken = {path.removeprefix("python/") for path in assembled.trees["layer.zip"].entries}
    assert taken == {"one.py", "shared/__init__.py", "shared/sub/test/kit.py", "tests/b.py"}  # the last is asked for
    assert messages(assembled) == [
        "note: layer.zip leaves out 1 data file (2 B) of test folders, which no code outside of them names: "
        "shared/tests/a.json"
    ]
    fat = made(FAT, layers=layers, api=content(code=(APP,)))
    assert fat.trees["api-fat.zip"].entries.keys() == {*taken, "app.py"}
    kept = made(layer_plan(slimming=Slimming(tests="keep")), layers=layers)
    assert {f"python/{one.path}" for one in code} < kept.trees["layer.zip"].entries.keys()
    named = made(layer_plan(keep=("shared/tests/",)), layers=layers)
    assert {"python/shared/tests/test_a.py", "python/shared/tests/a.json"} < named.trees["layer.zip"].entries.keys()


# Metadata that a layer lacks


def test_a_function_brings_the_list_of_files_that_its_layer_lacks() -> None:
    files = {f"one-1.0.dist-info/{name}": f"{name}\n" for name in ("METADATA", "RECORD", "WHEEL")}
    one = segment("one", "1.0", member("one.py"), *(member(path, text) for path, text in sorted(files.items())))
    asks = member("app.py", "from importlib.metadata import files\nfiles('one')\n")
    assembled = made(LAYER, ATTACHED, layers={"layer": content(one)}, api=content(one, code=(asks,)))
    assert owners(assembled.trees["layer.zip"]).keys() == {"python/one.py", "python/one-1.0.dist-info/METADATA"}
    assert owners(assembled.trees["api.zip"]).keys() == {
        "app.py",
        "one-1.0.dist-info/METADATA",
        "one-1.0.dist-info/RECORD",
    }
    layers = {"layer": replace(content(one), users=Facts(lookups=(Lookup(path="app.py", line=2),)))}
    assembled = made(LAYER, ATTACHED, layers=layers, api=content(one, code=(asks,)))
    assert "python/one-1.0.dist-info/RECORD" in assembled.trees["layer.zip"].entries
    assert owners(assembled.trees["api.zip"]) == {"app.py": "(sources)"}


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
