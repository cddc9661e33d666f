"""model.shares: what a function bundles beside its layers, and what is left to the runtime."""

from __future__ import annotations

from lambdabuild.errors import Code
from lambdabuild.model.limits import Finding
from lambdabuild.model.segment import Segment
from lambdabuild.model.shares import Given, leave_sdk, subtract, warn_of_shared
from tests.samples import segment, target

PRECEDENCE = (
    "a function's own files come first, then those of its layers, a later layer's over an earlier one's: "
    "https://docs.aws.amazon.com/lambda/latest/dg/python-layers.html"
)
ONE, TWO = segment("one", "1.0"), segment("two", "2.0")


def warning(message: str, hint: str, code: Code = "layer-versions") -> Finding:
    return Finding(severity="warning", code=code, message=message, hint=hint)


def given(layer: str, **versions: str) -> Given:
    return Given(layer=layer, versions=versions)


def test_without_layers_all_is_bundled() -> None:
    assert subtract([ONE, TWO], [], function="api") == ((ONE, TWO), [])


def test_what_a_layer_gives_is_not_bundled() -> None:
    assert subtract([ONE, TWO], [given("base", one="1.0", other="3")], function="api") == ((TWO,), [])
    assert subtract([ONE, TWO], [given("a", two="2.0"), given("b", one="1.0")], function="api") == ((), [])
    assert subtract([], [given("a", one="1.0")], function="api") == ((), [])


def test_another_version_is_bundled_and_told() -> None:
    assert subtract([ONE, TWO], [given("base", one="0.9", two="2.0")], function="api") == (
        (ONE,),
        [warning("api needs one 1.0, its layer base brings 0.9; 1.0 is bundled and wins", PRECEDENCE)],
    )


def test_two_layers_of_one_version_agree() -> None:
    layers = [given("a", one="1.0"), given("b", one="1.0")]
    assert subtract([ONE], layers, function="api") == ((), [])


def test_of_two_layers_the_later_counts() -> None:
    conflict = warning(
        "api: its layer a brings one 1.0, its layer b one 0.9; b's files win where they meet", PRECEDENCE
    )
    own = warning("api needs one 1.0, its layer b brings 0.9; 1.0 is bundled and wins", PRECEDENCE)
    layers = [given("a", one="1.0"), given("b", one="0.9")]
    assert subtract([ONE], layers, function="api") == ((ONE,), [conflict, own])
    other = warning("api: its layer b brings one 0.9, its layer a one 1.0; a's files win where they meet", PRECEDENCE)
    assert subtract([ONE], layers[::-1], function="api") == ((), [other])
    assert subtract([], layers, function="api") == ((), [conflict])


def test_of_three_layers_each_meets_the_one_before() -> None:
    layers = [given("a", one="1"), given("b", one="2"), given("c", one="1.0")]
    bundled, findings = subtract([ONE], layers, function="api")
    assert bundled == ()
    assert [finding.message for finding in findings] == [
        "api: its layer a brings one 1, its layer b one 2; b's files win where they meet",
        "api: its layer b brings one 2, its layer c one 1.0; c's files win where they meet",
    ]


BOTO3 = (
    segment("boto3", "1.40", requires=("botocore", "s3transfer")),
    segment("botocore", "1.40", requires=("urllib3", "six")),
    segment("s3transfer", "0.13", requires=("botocore",)),
    segment("six", "1.17"),
    segment("urllib3", "2.5"),
)
REQUESTS = segment("requests", "2.32", requires=("urllib3",))


def left(*segments: Segment, direct: tuple[str, ...]) -> tuple[list[str], set[str]]:
    kept, shared, findings = leave_sdk(segments, direct, target(), sdk="auto", artifact="api.zip")
    assert findings == []
    return [segment.name for segment in kept], set(shared)


def test_what_only_boto3_needs_is_left_to_the_runtime() -> None:
    assert left(*BOTO3, ONE, direct=("boto3", "one")) == (["one"], set())
    assert left(*BOTO3, direct=("boto3",)) == ([], set())


def test_what_others_need_too_stays_and_is_told() -> None:
    assert left(*BOTO3, REQUESTS, direct=("boto3", "requests")) == (["urllib3", "requests"], {"urllib3"})
    assert left(*BOTO3, direct=("boto3", "six")) == (["six"], {"six"})


TOOL = segment("tool", "1", requires=("botocore",))


def test_an_sdk_that_another_needs_stays_whole() -> None:
    kept, shared, findings = leave_sdk((*BOTO3, TOOL), ("boto3", "tool"), target(), sdk="auto", artifact="api-fat.zip")
    assert [one.name for one in kept] == ["boto3", "botocore", "s3transfer", "six", "urllib3", "tool"]
    assert shared == frozenset()
    assert findings == [
        Finding(
            severity="note",
            message="api-fat.zip bundles boto3, botocore, s3transfer, because tool requires the SDK",
            hint='boto3 = "runtime" leaves it to the runtime all the same; verification shows whether that works',
            code="sdk-required",
        )
    ]


def test_an_sdk_that_another_needs_is_left_out_where_that_is_asked_for() -> None:
    segments = (*BOTO3, TOOL)
    kept, shared, findings = leave_sdk(segments, ("boto3", "tool"), target(), sdk="runtime", artifact="api-fat.zip")
    assert ([one.name for one in kept], shared) == (["tool"], frozenset())
    assert findings == [
        warning(
            "api-fat.zip leaves boto3, botocore, s3transfer to the runtime though tool requires the SDK: whether the "
            "runtime's version serves, only verification in the image shows",
            'boto3 = "bundle" packages it',
            "sdk-required",
        )
    ]


def test_without_boto3_all_stays() -> None:
    assert left(ONE, TWO, direct=("one",)) == (["one", "two"], set())
    assert left(direct=()) == ([], set())


def test_what_is_shared_is_a_warning() -> None:
    assert warn_of_shared((), artifact="api.zip") == []
    assert warn_of_shared({"urllib3", "six"}, artifact="api.zip") == [
        warning(
            "api.zip leaves boto3 to the runtime and brings six, urllib3, which boto3 uses as well",
            'AWS advises to bundle all of the SDK or nothing that it shares: boto3 = "bundle", '
            "https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html",
            "sdk-shared",
        )
    ]
