"""manifest: what earlier builds made, or a refusal."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdabuild.errors import PolicyError
from lambdabuild.manifest import file_sha256, read_manifest
from lambdabuild.model.documents import artifact_document, manifest_document
from tests.samples import artifact


def write(folder: Path, document: Any) -> None:
    (folder / "manifest.json").write_text(json.dumps(document), encoding="utf-8")


def refusal(folder: Path) -> str:
    with pytest.raises(PolicyError) as caught:
        read_manifest(folder)
    before = f"{folder / 'manifest.json'} is not a manifest that this lambdabuild reads: "
    assert caught.value.message.startswith(before)
    assert caught.value.hint == "remove it, or choose another --output"
    return caught.value.message.removeprefix(before)


def test_a_folder_without_one(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) == ()
    assert read_manifest(tmp_path / "nowhere") == ()


def test_what_was_written_is_read(tmp_path: Path) -> None:
    made = (artifact("a.zip"), artifact("layer.zip"))
    write(tmp_path, manifest_document(made, version="0.0.1"))
    assert read_manifest(tmp_path) == made
    assert [one.name for one in read_manifest(tmp_path)] == ["a", "layer"]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"name": "a web app", "icons": []}, "manifest_version is missing"),
        ({"manifest_version": 2, "artifacts": []}, "manifest_version 2 is not 1"),
        ({"manifest_version": "1", "artifacts": []}, "manifest_version '1' is not 1"),
        ({"manifest_version": 1}, "artifacts: expected an array, which is missing"),
        ({"manifest_version": 1, "artifacts": [{}]}, "artifacts[0].name: expected a string, which is missing"),
        ({"manifest_version": 1, "artifacts": None}, "artifacts: expected an array, found null"),
        ({"manifest_version": 1, "artifacts": [[]]}, "artifacts[0]: expected an object, found an array"),
        ([], "not a JSON object"),
    ],
)
def test_somebody_elses(tmp_path: Path, document: Any, problem: str) -> None:
    write(tmp_path, document)
    assert refusal(tmp_path) == problem


@pytest.mark.parametrize("path", ["../a.zip", "/etc/a.zip", "b/a.zip", "..", ".", "", "setup.py"])
def test_a_path_that_no_build_writes(tmp_path: Path, path: str) -> None:
    write(tmp_path, {"manifest_version": 1, "artifacts": [artifact_document(artifact()) | {"path": path}]})
    assert refusal(tmp_path) == f"artifacts[0].path: {path!r} is nothing that a build writes"


def test_no_json(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(b"PK\3\4")
    assert refusal(tmp_path) == "Expecting value: line 1 column 1 (char 0)"
    (tmp_path / "manifest.json").write_bytes(b"\xff{}")
    assert refusal(tmp_path) == "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"


EDITED = {
    "runtime": ({}, "runtime: expected a string, found an object"),
    "runtime of another": ("nodejs22.x", "runtime: 'nodejs22.x' is nothing that a build writes"),
    "kind": ("lambda", "kind: 'lambda' is nothing that a build writes"),
    "architecture": (None, "architecture: expected a string, found null"),
    "name": ("a\x1b[2J", "name: 'a\\x1b[2J' is nothing that a build writes"),
    "handler": (7, "handler: expected a string, found a number"),
    "layers": ("layer", "layers: expected an array, found a string"),
    "layers with a number": ([7], "layers[0]: expected a string, found a number"),
    "sha256": ("abc", "sha256: 'abc' is nothing that a build writes"),
    "zipped_size": ("1", "zipped_size: expected a number, found a string"),
    "unzipped_size": (-1, "unzipped_size: -1 is less than nothing"),
    "files": (True, "files: expected a number, found true or false"),
    "source_size": (1.5, "source_size: expected a number, found a fraction"),
    "distributions": ([{"name": "a"}], "distributions[0].version: expected a string, which is missing"),
    "external_layers": ([[]], "external_layers[0]: expected an object, found an array"),
    "recompressed": (-1, "recompressed: -1 is less than nothing"),
    "symbols": ({"saved": 1, "restored": {"a.so": 7}}, "symbols.restored.a.so: expected a string, found a number"),
    "uv_version": (
        "\ud800",
        "'utf-8' codec can't encode character '\\ud800' in position 0: surrogates not allowed",
    ),
}


@pytest.mark.parametrize("edited", EDITED)
def test_one_that_somebody_edited(tmp_path: Path, edited: str) -> None:
    value, problem = EDITED[edited]
    write(
        tmp_path,
        {"manifest_version": 1, "artifacts": [artifact_document(artifact()) | {edited.split(maxsplit=1)[0]: value}]},
    )
    assert refusal(tmp_path).removeprefix("artifacts[0].") == problem


def test_one_file_twice(tmp_path: Path) -> None:
    write(tmp_path, {"manifest_version": 1, "artifacts": [artifact_document(artifact("a.zip"))] * 2})
    assert refusal(tmp_path) == "a.zip is in it 2 times"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[" * 200_000, "nested too deeply"),
        ('{"manifest_version": ' + "9" * 5000 + "}", "Exceeds the limit (4300 digits) for integer string conversion: "
         "value has 5000 digits; use sys.set_int_max_str_digits() to increase the limit"),
        ("[" + "0," * (33 << 20) + "0]", "larger than 67,108,864 bytes"),
    ],
)  # fmt: skip
def test_one_that_is_deep_or_huge(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    assert refusal(tmp_path) == problem


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
"""Any value, halves of surrogate pairs among them."""


@given(st.sampled_from(sorted(artifact_document(artifact(symbols=None)))), JSON)
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_value_is_read_or_refused(tmp_path: Path, key: str, value: Any) -> None:
    write(tmp_path, {"manifest_version": 1, "artifacts": [artifact_document(artifact()) | {key: value}]})
    try:
        (read,) = read_manifest(tmp_path)
    except PolicyError as error:
        str(error).encode()
    else:
        json.dumps(artifact_document(read)).encode()


def test_no_file_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.mkdir()
    assert refusal(tmp_path) == "it is a folder"
    path.rmdir()
    path.symlink_to("/dev/zero")
    assert refusal(tmp_path) == "it is a device"
    path.unlink()
    os.mkfifo(path)
    assert refusal(tmp_path) == "it is a pipe"


def test_the_sha256_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 10_000)
    assert file_sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()
