"""model.graph: what is there for boto3 alone, in sets of distributions written by hand."""

from __future__ import annotations

import pytest

from lambdabuild.model.graph import SDK, SdkShare, closure_of, sdk_share
from tests.samples import target

BOTO3 = {
    "boto3": ("botocore (<1.43,>=1.42)", "jmespath", "s3transfer", "botocore[crt] ; extra == 'crt'"),
    "botocore": ("jmespath", "python-dateutil", "urllib3", "awscrt ; extra == 'crt'"),
    "jmespath": (),
    "python-dateutil": ("six>=1.5",),
    "s3transfer": ("botocore",),
    "six": (),
    "urllib3": ("brotli ; extra == 'brotli'",),
}
ALL = frozenset(BOTO3)
NOTHING = SdkShare(frozenset(), frozenset())


def share(*direct: str, python: str = "3.13", **others: tuple[str, ...]) -> SdkShare:
    named = {name.replace("_", "-"): requires for name, requires in others.items()}
    return sdk_share(direct, {**BOTO3, **named}, target(python))


def alone(*direct: str, **others: tuple[str, ...]) -> frozenset[str]:
    return share(*direct, **others).alone


def test_boto3_with_all_that_it_needs() -> None:
    assert share("boto3>=1.35") == SdkShare(ALL, frozenset())
    assert share("boto3", "requests", requests=("certifi",), certifi=()) == SdkShare(ALL, frozenset())


def required_by(*names: str) -> SdkShare:
    return SdkShare(frozenset(), frozenset(), frozenset(names))


def test_no_boto3() -> None:
    without = {name: requires for name, requires in BOTO3.items() if name != "boto3"}
    assert sdk_share(("botocore",), without, target()) == NOTHING
    assert sdk_share((), {}, target()) == NOTHING


def test_boto3_that_another_distribution_brings() -> None:
    assert share("tool", tool=("boto3",)) == required_by("tool")


def test_what_another_distribution_needs_is_shared() -> None:
    powertools = share("boto3", "aws-lambda-powertools", aws_lambda_powertools=("jmespath",))
    assert powertools == SdkShare(ALL - {"jmespath"}, frozenset({"jmespath"}))
    pandas = share("boto3", "pandas", pandas=("python-dateutil",))
    assert pandas == SdkShare(ALL - {"python-dateutil", "six"}, frozenset({"python-dateutil", "six"}))


def test_the_sdk_is_never_torn() -> None:
    assert share("boto3", "aiobotocore", aiobotocore=("botocore",)) == required_by("aiobotocore")
    assert share("boto3", "smart-open", smart_open=("inner",), inner=("s3transfer",)) == required_by("inner")


def test_the_sdk_is_left_whatever_requires_it() -> None:
    requires = {**BOTO3, "aiobotocore": ("botocore", "wrapt"), "wrapt": ("six",), "requests": ("urllib3",)}
    found = sdk_share(("boto3", "aiobotocore", "requests"), requires, target(), whatever_requires_it=True)
    shared = {"six", "urllib3"}
    assert found == SdkShare(ALL - shared, frozenset(shared), frozenset({"aiobotocore"}))
    without_boto3 = {name: needed for name, needed in requires.items() if name != "boto3"}
    found = sdk_share(("aiobotocore",), without_boto3, target(), whatever_requires_it=True)
    assert SDK - {"boto3"} <= found.alone


def test_what_requirements_come_to() -> None:
    requires = {**BOTO3, "tool": ("six",)}
    assert closure_of(("tool",), requires, target()) == {"tool", "six"}
    assert closure_of((), requires, target()) == frozenset()


def test_what_the_project_names_itself_stays() -> None:
    assert alone("boto3", "urllib3") == ALL - {"urllib3"}
    assert alone("boto3", "Python_DateUtil") == ALL - {"python-dateutil", "six"}


def test_the_project_may_name_parts_of_the_sdk() -> None:
    assert alone("boto3", "botocore", "s3transfer") == ALL


def test_a_set_of_which_nothing_says_what_it_is_there_for() -> None:
    assert sdk_share((), BOTO3, target()).alone == ALL
    assert sdk_share((), {**BOTO3, "requests": ("urllib3",)}, target()).alone == ALL - {"urllib3"}


def test_extras() -> None:
    assert alone("boto3[crt]", awscrt=()) == ALL | {"awscrt"}
    assert alone("boto3", "other", other=("awscrt ; extra == 'fast'",), awscrt=()) == ALL
    assert alone("boto3[crt]", "other[fast]", other=("awscrt ; extra == 'fast'",), awscrt=()) == ALL


def test_an_extra_that_is_asked_later_is_followed() -> None:
    tools = {"first": ("tool",), "second": ("tool[x]",), "tool": ("six ; extra == 'x'",)}
    assert alone("boto3", "first", "second", **tools) == ALL - {"six"}


@pytest.mark.parametrize(("python", "expected"), [("3.13", ALL), ("3.11", ALL - {"urllib3"})])
def test_markers(python: str, expected: frozenset[str]) -> None:
    requirement = "urllib3 ; python_full_version < '3.12'"
    assert share("boto3", requirement, python=python).alone == expected
    assert share("boto3", "old", python=python, old=(requirement,)).alone == expected


def test_a_requirement_that_is_none_is_passed_over() -> None:
    assert alone("boto3", "old", old=("urllib3 (>=1.0,",)) == ALL
