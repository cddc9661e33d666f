"""model.report: artifacts as documents, and back."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from lambdabuild.model.documents import artifact_document, manifest_document, report_document
from lambdabuild.model.limits import Finding, Sized
from lambdabuild.model.manifestparse import parse_artifact
from lambdabuild.model.patterns import distribution_rules
from lambdabuild.model.report import ExternalLayer, Report, Share, distribution_shares
from lambdabuild.model.slimming import Kept
from lambdabuild.model.tree import SOURCES, overlaid, segment_tree, source_tree
from tests.samples import artifact, member, segment

ARN = "arn:aws:lambda:eu-central-1:123456789012:layer:shared:7"
FUNCTION = artifact(
    "api.zip",
    kind="function",
    ignore_rule="git",
    handler="app.handler",
    layers=("layer", "common", "shared"),
    external_layers=(ExternalLayer(name="shared", arn=ARN, unzipped_size=350_000),),
    source_size=10,
    sha256="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
)
SCHEMA: dict[str, Any] = json.loads(
    (files("lambdabuild.resources") / "manifest.schema.json").read_text(encoding="utf-8")
)


def test_an_artifact_as_a_document() -> None:
    assert artifact_document(FUNCTION) == {
        "name": "api",
        "path": "api.zip",
        "kind": "function",
        "runtime": "python3.13",
        "architecture": "x86_64",
        "handler": "app.handler",
        "layers": ["layer", "common", "shared"],
        "external_layers": [{"name": "shared", "arn": ARN, "unzipped_size": 350_000}],
        "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "sha256_base64": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "content_digest": "cd" * 32,
        "zipped_size": 1_234_567,
        "unzipped_size": 26_214_400,
        "files": 7,
        "source_size": 10,
        "ignore_rule": "git",
        "bytecode_size": 0,
        "symbols": None,
        "recompressed": None,
        "distributions": [{"name": "demo", "version": "1.0", "size": 26_214_400, "files": 7, "modules": []}],
        "builder": "docker",
        "image_digest": "sha256:" + "12" * 32,
        "uv_version": "0.13.8",
        "compressor": "none",
        "bytecode_python": None,
        "strip_version": None,
        "built_with_network": [],
        "configured": True,
    }


@pytest.mark.parametrize(
    "made",
    [
        FUNCTION,
        artifact(),
        artifact(distributions=(), provenance=replace(artifact().provenance, image_digest=None)),
        artifact(provenance=replace(artifact().provenance, networked=("demo 1.0",))),
    ],
)
def test_an_artifact_is_read_back(made: Any) -> None:
    assert parse_artifact(json.loads(json.dumps(artifact_document(made)))) == made


def test_a_document_with_something_missing() -> None:
    document = artifact_document(FUNCTION)
    newer = {
        "external_layers",
        "bytecode_size",
        "symbols",
        "recompressed",
        "bytecode_python",
        "strip_version",
        "ignore_rule",
    }
    newer |= {"configured", "compatible_runtimes", "built_with_network"}
    older = {name: value for name, value in document.items() if name not in newer}
    assert parse_artifact(older) == replace(FUNCTION, external_layers=(), ignore_rule=None)
    for key in document.keys() - newer - {"sha256_base64", "handler", "layers", "image_digest"}:
        with pytest.raises(ValueError, match=f"^{key}: expected .*, which is missing$"):
            parse_artifact({name: value for name, value in document.items() if name != key})


def test_a_manifest_is_sorted_and_fits_its_schema() -> None:
    fat = artifact("api-fat.zip", kind="fat-function", handler="app.handler")
    document = manifest_document([artifact(), FUNCTION, fat], version="9.9")
    assert [made["path"] for made in document["artifacts"]] == ["api-fat.zip", "api.zip", "layer.zip"]
    assert {key: value for key, value in document.items() if key != "artifacts"} == {
        "manifest_version": 1,
        "lambdabuild": "9.9",
    }
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(document, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document | {"manifest_version": 2}, SCHEMA)


def test_a_report_as_a_document() -> None:
    finding = Finding(severity="warning", code="zipped-size", message="big", hint=None)
    report = Report(
        output="/out",
        artifacts=(artifact(),),
        findings=(finding,),
        left_out={"api.zip": ("a.py",)},
        cached=2,
        installed=1,
        seconds=1.23456,
        targets=("python3.13 x86_64",),
        kept={"layer.zip": (Kept(distribution="demo", kind="tests", files=("a.py",), size=9, reasons=("why",)),)},
    )
    assert report_document(report, version="9.9") == {
        "manifest_version": 1,
        "lambdabuild": "9.9",
        "artifacts": [artifact_document(artifact())],
        "output": "/out",
        "findings": [{"severity": "warning", "code": "zipped-size", "message": "big", "hint": None}],
        "left_out": {"api.zip": ["a.py"]},
        "kept": {
            "layer.zip": [{"distribution": "demo", "kind": "tests", "files": ["a.py"], "size": 9, "reasons": ["why"]}]
        },
        "distributions_cached": 2,
        "distributions_installed": 1,
        "seconds": 1.235,
        "verification": None,
        "unverified": None,
        "unconfigured": [],
        "replaced": [],
        "removed": [],
    }


def test_sized_has_the_sources_as_an_owner() -> None:
    assert FUNCTION.sized() == Sized(
        name="api.zip", unzipped_size=26_214_400, shares={"demo 1.0": 26_214_400, SOURCES: 10}
    )
    assert artifact().sized().shares == {"demo 1.0": 26_214_400}


def test_an_external_layer_is_its_own_owner() -> None:
    (external,) = FUNCTION.external_layers
    assert external.sized() == Sized(name="shared", unzipped_size=350_000, shares={ARN: 350_000})


def test_shares_of_a_tree() -> None:
    two = segment("two", "2.0", member("two.py", "12"), member("two/a.py", "345"))
    one = segment("one", "1.0", member("one.py", "1"))
    tree, _ = overlaid(
        segment_tree([two, one], distribution_rules()), source_tree([member("app.py", "A" * 9)]), name=""
    )
    assert distribution_shares(tree, "3.13", layer=False) == (
        Share(name="one", version="1.0", size=1, files=1, modules=("one",)),
        Share(name="two", version="2.0", size=5, files=2, modules=("two",)),
    )


def test_a_part_of_a_layer() -> None:
    share = Share(name="demo", version="1.0", size=1, files=1, modules=("demo",))
    part = artifact("big-1.zip", part_of="big", distributions=(share,))
    document = manifest_document([part], version="9.9")
    jsonschema.validate(document, SCHEMA)
    assert document["artifacts"][0]["part_of"] == "big"
    assert parse_artifact(json.loads(json.dumps(document["artifacts"][0]))) == part
