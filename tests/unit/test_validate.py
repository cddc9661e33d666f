"""steps.validate: finished archives, with and without a manifest that tells of them."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from lambdabuild.errors import PolicyError, UsageError
from lambdabuild.model.documents import manifest_document
from lambdabuild.model.limits import MAX_UNZIPPED, MAX_ZIPPED, Sized
from lambdabuild.model.report import Artifact, ExternalLayer
from lambdabuild.steps.validate import Checked, find_artifacts, inspect, validate
from lambdabuild.zipformat import write_zip
from tests.samples import artifact, member
from tests.unprivileged import public_folder, run_unprivileged


def archive(path: Path, **sizes: int) -> Path:
    """A zip with a file of each size, by path with _ for /."""
    with path.open("wb") as out:
        write_zip(out, [member(name.replace("_", "/"), b"x" * size) for name, size in sizes.items()])
    return path


def record(folder: Path, *artifacts: Artifact) -> None:
    """A manifest that tells of the archives of a folder as they are."""
    true = [
        replace(
            one,
            sha256=hashlib.sha256((folder / one.file).read_bytes()).hexdigest(),
            zipped_size=(folder / one.file).stat().st_size,
        )
        for one in artifacts
    ]
    (folder / "manifest.json").write_text(json.dumps(manifest_document(true, version="1")), encoding="utf-8")


def messages(checked: tuple[Checked, ...], *, direct_upload: bool = False) -> list[str]:
    return [finding.message.splitlines()[0] for finding in validate(checked, direct_upload=direct_upload)]


def grown(one: Checked, size: int) -> Checked:
    return replace(one, sized=replace(one.sized, unzipped_size=size))


def test_what_the_manifest_tells_of(tmp_path: Path) -> None:
    archive(tmp_path / "layer.zip", python_a=1)
    archive(tmp_path / "api.zip", app=1)
    record(tmp_path, artifact("layer.zip"), artifact("api.zip", kind="function", layers=("layer",)))
    assert find_artifacts(tmp_path) == (tmp_path / "api.zip", tmp_path / "layer.zip")


def test_nothing_was_built(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find_artifacts(tmp_path)
    assert str(caught.value) == (
        f"there is nothing to validate in {tmp_path}\n  hint: build first (lambdabuild package), or name the zips"
    )


def test_archives_without_a_manifest(tmp_path: Path) -> None:
    layer = archive(tmp_path / "deps.zip", python_numpy_a=30, python_numpy_b=20, python_six=5, lib_c=1)
    function = archive(tmp_path / "fn.zip", app=7, data_x=3)
    assert inspect([layer, function]) == (
        Checked(
            path=layer,
            zipped_size=layer.stat().st_size,
            files=4,
            sized=Sized(name="deps.zip", unzipped_size=56, shares={"numpy": 50, "six": 5, "lib": 1}),
            layers=None,
        ),
        Checked(
            path=function,
            zipped_size=function.stat().st_size,
            files=2,
            sized=Sized(name="fn.zip", unzipped_size=10, shares={"app": 7, "data": 3}),
            layers=("deps.zip",),
        ),
    )


def test_what_a_manifest_tells_counts_as_long_as_the_bytes_are_the_same(tmp_path: Path) -> None:
    path = archive(tmp_path / "api.zip", app=7)
    told = artifact("api.zip", kind="function", layers=("a", "b"))
    record(tmp_path, told)
    (checked,) = inspect([path])
    assert checked.layers == ("a.zip", "b.zip")
    assert checked.sized == told.sized()
    archive(path, app=8)
    (checked,) = inspect([path])
    assert checked.layers == ()
    assert checked.sized == Sized(name="api.zip", unzipped_size=8, shares={"app": 8})


def test_a_manifest_of_something_else_is_passed_over(tmp_path: Path) -> None:
    path = archive(tmp_path / "api.zip", app=7)
    (tmp_path / "manifest.json").write_text("{}")
    (checked,) = inspect([path])
    assert checked.layers == ()


def test_folder_entries_are_no_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr("python/", "")
        made.writestr("python/a.py", "A")
    (checked,) = inspect([tmp_path / "a.zip"])
    assert (checked.files, checked.layers) == (1, None)


def test_all_is_well(tmp_path: Path) -> None:
    assert messages(inspect([archive(tmp_path / "layer.zip", python_a=1), archive(tmp_path / "api.zip", app=1)])) == []


def test_a_function_with_its_layers(tmp_path: Path) -> None:
    layer, function = inspect([archive(tmp_path / "layer.zip", python_a=1), archive(tmp_path / "api.zip", app=1)])
    half = MAX_UNZIPPED // 2
    assert messages((grown(layer, half), grown(function, half))) == []
    assert messages((grown(layer, half), grown(function, half + 1))) == [
        "api.zip + layer.zip: 262,144,001 bytes unzipped, 1 over Lambda's 262,144,000; the largest:"
    ]


def test_layers_that_were_not_named_are_found_beside_the_function(tmp_path: Path) -> None:
    archive(tmp_path / "layer.zip", python_a=1)
    function = archive(tmp_path / "api.zip", app=1)
    big = artifact("layer.zip", unzipped_size=MAX_UNZIPPED)
    record(tmp_path, big, artifact("api.zip", kind="function", layers=("layer",), unzipped_size=1, distributions=()))
    assert messages(inspect([function])) == [
        "api.zip + layer.zip: 262,144,001 bytes unzipped, 1 over Lambda's 262,144,000; the largest:"
    ]
    (tmp_path / "layer.zip").unlink()
    with pytest.raises(UsageError) as caught:
        messages(inspect([function]))
    assert str(caught.value) == f"{tmp_path / 'layer.zip'} does not exist\n  hint: build it first: lambdabuild package"


def test_layers_that_others_published_count(tmp_path: Path) -> None:
    function = archive(tmp_path / "api.zip", app=1)
    external = ExternalLayer(name="shared", arn="arn:shared:7", unzipped_size=MAX_UNZIPPED - 1)
    told = artifact("api.zip", kind="function", layers=("shared",), external_layers=(external,), distributions=())
    record(tmp_path, replace(told, unzipped_size=1))
    (checked,) = inspect([function])
    assert (checked.layers, checked.external) == ((), (external.sized(),))
    assert messages((checked,)) == []
    (finding,) = validate((grown(checked, 2),), direct_upload=False)
    assert finding.message == (
        "api.zip + shared: 262,144,001 bytes unzipped, 1 over Lambda's 262,144,000; the largest:\n"
        "    262,143,999  100.0%  arn:shared:7"
    )


def test_a_layer_that_no_function_uses(tmp_path: Path) -> None:
    used, alone, function = (
        archive(tmp_path / "used.zip", python_a=1),
        archive(tmp_path / "alone.zip", python_a=1),
        archive(tmp_path / "api.zip", app=1),
    )
    record(
        tmp_path, artifact("used.zip"), artifact("alone.zip"), artifact("api.zip", kind="function", layers=("used",))
    )
    checked = inspect([used, alone, function])
    assert messages(checked) == []
    assert messages((checked[0], grown(checked[1], MAX_UNZIPPED + 1), checked[2])) == [
        "alone.zip: 262,144,001 bytes unzipped, 1 over Lambda's 262,144,000; the largest:"
    ]


def test_layers_alone(tmp_path: Path) -> None:
    checked = inspect([archive(tmp_path / f"{name}.zip", python_a=1) for name in "ab"])
    assert messages(tuple(grown(one, MAX_UNZIPPED) for one in checked)) == []
    assert messages(tuple(grown(one, MAX_UNZIPPED + 1) for one in checked)) == [
        f"{name}.zip: 262,144,001 bytes unzipped, 1 over Lambda's 262,144,000; the largest:" for name in "ab"
    ]


def test_zipped_size_and_emptiness(tmp_path: Path) -> None:
    (empty,) = inspect([archive(tmp_path / "a.zip")])
    assert messages((replace(empty, zipped_size=MAX_ZIPPED + 1),)) == [
        "a.zip would be empty, and Lambda refuses an empty archive",
        "a.zip: 52,428,801 bytes zipped, over the 52,428,800 of a direct upload",
    ]
    assert [
        finding.severity
        for finding in validate([replace(empty, files=1, zipped_size=MAX_ZIPPED + 1)], direct_upload=True)
    ] == ["error"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "File is not a zip file"),
        (b"no zip", "File is not a zip file"),
        (b"PK\3\4" + bytes(50), "File is not a zip file"),
    ],
)
def test_no_zip(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(PolicyError) as caught:
        inspect([path])
    assert str(caught.value) == f"{path} is not a zip file: {problem}\n  hint: build it again"


def test_a_truncated_zip(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", app=1000)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(PolicyError, match="is not a zip file: "):
        inspect([path])


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="is not a zip file: "):
        inspect([tmp_path])


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        inspect([tmp_path / "a.zip"])
    assert str(caught.value) == f"{tmp_path / 'a.zip'} does not exist\n  hint: build it first: lambdabuild package"


IMPORTS = """
from pathlib import Path
from lambdabuild.errors import UsageError
from lambdabuild.steps.validate import inspect
"""
ATTEMPT = """
try:
    inspect([Path(sys.argv[1])])
except UsageError as error:
    print(error)
"""


def test_a_file_that_may_not_be_read() -> None:
    with public_folder() as folder:
        path = archive(folder / "a.zip", app=1)
        path.chmod(0)
        printed = run_unprivileged(IMPORTS, ATTEMPT, path)
        assert printed == f"{path} cannot be read: Permission denied\n"
