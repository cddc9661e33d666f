"""manifest: what earlier builds made, or a refusal."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

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
        ({"name": "a web app", "icons": []}, "'manifest_version'"),
        ({"manifest_version": 2, "artifacts": []}, "manifest_version 2 is not 1"),
        ({"manifest_version": "1", "artifacts": []}, "manifest_version 1 is not 1"),
        ({"manifest_version": 1}, "'artifacts'"),
        ({"manifest_version": 1, "artifacts": [{}]}, "'name'"),
        ({"manifest_version": 1, "artifacts": None}, "'NoneType' object is not iterable"),
        ([], "list indices must be integers or slices, not str"),
    ],
)
def test_somebody_elses(tmp_path: Path, document: Any, problem: str) -> None:
    write(tmp_path, document)
    assert refusal(tmp_path) == problem


@pytest.mark.parametrize("path", ["../a.zip", "/etc/a.zip", "b/a.zip", "..", ".", "", "setup.py"])
def test_a_path_that_no_build_writes(tmp_path: Path, path: str) -> None:
    write(tmp_path, {"manifest_version": 1, "artifacts": [artifact_document(artifact()) | {"path": path}]})
    assert refusal(tmp_path) == f"{path!r} is not the name of an archive"


def test_no_json(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(b"PK\3\4")
    assert refusal(tmp_path) == "Expecting value: line 1 column 1 (char 0)"
    (tmp_path / "manifest.json").write_bytes(b"\xff{}")
    assert refusal(tmp_path) == "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").mkdir()
    assert refusal(tmp_path) == "Is a directory"


def test_the_sha256_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 10_000)
    assert file_sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()
