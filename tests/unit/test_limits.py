"""model.limits: Lambda's numbers, and whole findings at each edge of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lambdabuild.errors import PolicyError
from lambdabuild.model.choices import Upload
from lambdabuild.model.limits import (
    MAX_UNZIPPED,
    MAX_ZIPPED,
    Finding,
    Sized,
    check_files,
    check_unzipped,
    check_zipped,
    finding_document,
    format_shares,
    judged,
)

WARNING = Finding(severity="warning", code="zipped-size", message="small")
ERROR = Finding(severity="error", code="unzipped-size", message="too big", hint="make it smaller")


def sized(name: str, size: int, **shares: int) -> Sized:
    return Sized(name=name, unzipped_size=size, shares=shares or {name: size})


def test_the_numbers() -> None:
    assert MAX_ZIPPED == 50 * 1024 * 1024
    assert MAX_UNZIPPED == 250 * 1024 * 1024


def test_judged_lets_warnings_pass() -> None:
    assert judged([WARNING, WARNING], tolerant=False) == [WARNING, WARNING]
    assert judged([], tolerant=False) == []


def test_judged_raises_every_error_with_each_hint_once() -> None:
    other = Finding(severity="error", code="too-many-layers", message="too many", hint="use fewer")
    mute = Finding(severity="error", code="empty-archive", message="odd")
    with pytest.raises(PolicyError) as caught:
        judged([ERROR, WARNING, other, ERROR, mute], tolerant=False)
    assert str(caught.value) == (
        "too big\ntoo many\ntoo big\nodd\n"
        "  hint: make it smaller\n"
        "        use fewer"
    )  # fmt: skip
    fat, layer = (replace(ERROR, hint=f"{way}\n        or use S3") for way in ("leave some out", "split it"))
    with pytest.raises(PolicyError) as caught:
        judged([fat, layer], tolerant=False)
    assert caught.value.hint == "leave some out\n        split it\n        or use S3"
    with pytest.raises(PolicyError) as caught:
        judged([mute], tolerant=False)
    assert str(caught.value) == "odd"


def test_judged_says_of_what_kind_the_errors_are() -> None:
    """One code where all have it; for programs every finding is there, warnings too."""
    other = replace(ERROR, code="too-many-layers")
    with pytest.raises(PolicyError) as caught:
        judged([ERROR, WARNING, ERROR], tolerant=False, document={"verification": None})
    assert caught.value.code == "unzipped-size"
    documents = [finding_document(finding) for finding in (ERROR, WARNING, ERROR)]
    assert caught.value.document == {"verification": None, "findings": documents}
    with pytest.raises(PolicyError) as caught:
        judged([ERROR, other], tolerant=False)
    assert caught.value.code == "refused"


def test_judged_makes_warnings_of_errors_for_the_tolerant() -> None:
    assert judged(iter([ERROR, WARNING]), tolerant=True) == [
        Finding(severity="warning", code="unzipped-size", message="too big", hint="make it smaller"),
        WARNING,
    ]


def test_function_and_layers_together() -> None:
    function, layers = sized("api.zip", 1), [sized("a.zip", 100_000_000), sized("b.zip", 162_143_999)]
    assert check_unzipped(function, layers) == []
    assert check_unzipped(sized("api.zip", 2), layers) == [
        Finding(
            severity="error",
            code="unzipped-size",
            message="api.zip + a.zip + b.zip: 262,144,001 bytes unzipped, 1 over Lambda's 262,144,000; the largest:\n"
            "    162,143,999  b.zip\n"
            "    100,000,000  a.zip\n"
            "              2  api.zip",
            hint="leave out what the function does not import (exclude, groups), or deploy a container image "
            "(10 GB): https://docs.aws.amazon.com/lambda/latest/dg/images-create.html",
        )
    ]


def test_a_layer_alone() -> None:
    assert check_unzipped(None, [sized("layer.zip", MAX_UNZIPPED)]) == []
    (finding,) = check_unzipped(None, [sized("layer.zip", MAX_UNZIPPED + 1)])
    assert finding.message.startswith(
        "layer.zip: 262,144,001 bytes unzipped, 1 over Lambda's 262,144,000; the largest:"
    )


def test_the_number_of_layers() -> None:
    layers = [sized(f"{number}.zip", 1) for number in range(6)]
    assert check_unzipped(sized("api.zip", 1), layers[:5]) == []
    assert check_unzipped(sized("api.zip", 1), layers) == [
        Finding(
            severity="error",
            code="too-many-layers",
            message="api.zip uses 6 layers; Lambda allows 5",
            hint="merge layers, or bundle one of them into the function",
        )
    ]
    assert check_unzipped(None, layers) == []


S3 = '\n        or upload it through S3, which has no such limit, and say so: upload = "s3", or --upload s3'


@pytest.mark.parametrize(("upload", "severity"), [("direct", "error"), (None, "warning")])
def test_the_zipped_size(upload: Upload | None, severity: str) -> None:
    layer = sized("deps.zip", 0, numpy=60_000_000, six=5)
    for allowed in (upload, "s3"):
        assert check_zipped(layer, MAX_ZIPPED, allowed, layer="deps", fat=False) == []
    (finding,) = check_zipped(layer, MAX_ZIPPED + 1, upload, layer="deps", fat=False)
    assert finding.severity == severity
    assert finding.message == (
        "deps.zip: 52,428,801 bytes zipped, 1 over the 52,428,800 of a direct upload; the largest, unzipped:\n"
        "     60,000,000  numpy\n"
        "              5  six"
    )
    assert finding.hint == (
        f"lambdabuild layer deps --split proposes layers that fit, unless one distribution alone does not{S3}"
    )
    assert check_zipped(layer, MAX_ZIPPED + 1, "s3", layer="deps", fat=False) == []


def test_what_helps_functions_of_which_the_zip_is_large() -> None:
    api = sized("api.zip", 1)
    (slim,) = check_zipped(api, MAX_ZIPPED + 1, None, layer=None, fat=False)
    assert slim.hint == (
        f"leave out what it does not import (exclude), or have its dependencies in layers (layer --split){S3}"
    )
    (fat,) = check_zipped(api, MAX_ZIPPED + 1, None, layer=None, fat=True)
    assert fat.hint == (
        f"leave out what it does not import (exclude, groups): LocalStack has the same limit for a direct upload{S3}"
    )


def test_more_files_than_a_plain_zip_can_have() -> None:
    assert check_files("api.zip", 65_535) == []
    assert check_files("api.zip", 65_536) == [
        Finding(
            severity="warning",
            code="many-files",
            message="api.zip: 65,536 files; from 65,536 on a zip has the extension ZIP64, and AWS does not say that "
            "Lambda reads it",
            hint="try it with Lambda before you rely on it, or leave out files (exclude)",
        )
    ]


def test_an_empty_archive() -> None:
    assert check_files("api.zip", 1) == []
    assert check_files("api.zip", 0) == [
        Finding(
            severity="error",
            code="empty-archive",
            message="api.zip would be empty, and Lambda refuses an empty archive",
            hint="add dependencies or code, or leave the artifact out",
        )
    ]


def test_shares_are_summed_by_owner_and_cut() -> None:
    parts = [sized("a", 0, numpy=1_000_000, zlib=5), sized("b", 0, numpy=2_000_000, attrs=5)]
    assert format_shares(parts, most=2) == "      3,000,000  numpy\n              5  attrs"
    many = [sized("a", 0, **{f"d{number:02}": 100 - number for number in range(11)})]
    assert [line.split()[-1] for line in format_shares(many).splitlines()] == [f"d{n:02}" for n in range(10)]
