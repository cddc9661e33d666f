"""steps.validate: finished archives, with and without a manifest that tells of them."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from lambdabuild.errors import PolicyError, UsageError
from lambdabuild.model.choices import Upload
from lambdabuild.model.documents import manifest_document
from lambdabuild.model.limits import MAX_UNZIPPED, MAX_ZIPPED, Finding, Sized
from lambdabuild.model.report import Artifact, ExternalLayer
from lambdabuild.steps.validate import Checked, find_artifacts, inspect, measured, validate
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


def messages(checked: tuple[Checked, ...]) -> list[str]:
    return [finding.message.splitlines()[0] for finding in found_in(checked)]


def found_in(checked: Sequence[Checked], *, upload: Upload | None = None) -> list[Finding]:
    return validate(checked, upload=upload, runtimes=("python3.12", "python3.13"))


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
            name="deps",
            zipped_size=layer.stat().st_size,
            files=4,
            sized=Sized(name="deps.zip", unzipped_size=56, shares={"numpy": 50, "six": 5, "lib": 1}),
            layers=None,
            names=("python/numpy/a", "python/numpy/b", "python/six", "lib/c"),
        ),
        Checked(
            path=function,
            name="fn",
            zipped_size=function.stat().st_size,
            files=2,
            sized=Sized(name="fn.zip", unzipped_size=10, shares={"app": 7, "data": 3}),
            layers=("deps.zip",),
            names=("app", "data/x"),
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
    (finding,) = found_in((grown(checked, 2),))
    assert finding.message == (
        "api.zip + shared: 262,144,001 bytes unzipped, 1 over Lambda's 262,144,000; the largest:\n"
        "    262,143,999  arn:shared:7"
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
        "a.zip: 52,428,801 bytes zipped, 1 over the 52,428,800 of a direct upload; the largest, unzipped:",
    ]
    large = [replace(empty, files=1, zipped_size=MAX_ZIPPED + 1)]
    uploads: tuple[Upload | None, ...] = ("direct", None, "s3")
    assert [[one.severity for one in found_in(large, upload=upload)] for upload in uploads] == [
        ["error"],
        ["warning"],
        [],
    ]


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


LOOKS = "; of a layer Lambda looks below python/ and python/lib/python3.13/site-packages/ alone"
MISPLACED = {
    "at the root": (["requests/__init__.py", "six.py"], "at the root (requests, six), and none has a handler"),
    "many at the root": (
        [f"{name}/a.py" for name in "abcde"],
        "at the root (a, b, c and 2 more), and none has a handler",
    ),
    "below another folder": (["layer/python/requests/__init__.py"], "below layer/python/"),
    "below python twice": (["python/python/requests/__init__.py"], "below python/python/"),
    "below another version": (
        ["python/lib/python3.9/site-packages/requests/__init__.py"],
        "below python/lib/python3.9/site-packages/",
    ),
    "below two other versions, with scripts": (
        [
            "python/bin/tool",
            "python/lib/python3.10/site-packages/a.py",
            "python/lib/python3.9/site-packages/a.py",
        ],
        "below python/lib/python3.10/site-packages/ and python/lib/python3.9/site-packages/",
    ),
    "a virtual environment's lib": (["lib/python3.13/site-packages/a.py"], "below lib/python3.13/site-packages/"),
    "a virtual environment": (
        [".venv/lib/python3.13/site-packages/a.py"],
        "below .venv/lib/python3.13/site-packages/",
    ),
    "one in python": (
        ["python/lib/python/site-packages/a.py"],
        "below python/lib/python/site-packages/",
    ),
}
PLACED = {
    "python": ["python/requests/__init__.py"],
    "site-packages": ["python/lib/python3.12/site-packages/a.py"],
    "for several": ["python/lib/python3.9/site-packages/a.py", "python/lib/python3.13/site-packages/a.py"],
    "both": ["python/a.py", "python/lib/python3.9/site-packages/b.py"],
    "with a license at the root": ["LICENSE", "python/a.py"],
    "libraries alone": ["lib/libpq.so.5", "bin/psql"],
    "a runtime of one's own": ["bootstrap", "app/main.py"],
    "a package that is called python": ["layer/__init__.py", "layer/python/a.py", "main_handler/handler.py"],
}
HANDLERS = (
    "def handler(event, context):\n    pass\n",
    "import json\n\nasync def lambda_handler(e, c): ...\n",
    "def main(event, context): ...\n",
    "def run(_event, _): ...\n",
    "app = App()\nhandler = Mangum(app)\n",
    "handler: Callable[..., None] = router.resolve\n",
    "from shop.main import handler\n",
)


@pytest.mark.parametrize("name", MISPLACED)
def test_modules_that_lambda_does_not_find_in_a_layer(tmp_path: Path, name: str) -> None:
    names, place = MISPLACED[name]
    path = archive(tmp_path / "deps.zip")
    with zipfile.ZipFile(path, "w") as made:
        for one in names:
            made.writestr(one, "V = 1\n")
    (finding,) = found_in(inspect([path]))
    assert (finding.severity, finding.message) == ("error", f"deps.zip: the modules lie {place}{LOOKS}")
    assert finding.hint == "zip them below python/, as lambdabuild layer does"


@pytest.mark.parametrize("name", PLACED)
def test_modules_that_lambda_finds(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "deps.zip", "w") as made:
        for one in PLACED[name]:
            made.writestr(one, "handler = 1\n")
    assert messages(inspect([tmp_path / "deps.zip"])) == []


@pytest.mark.parametrize("source", HANDLERS)
def test_an_archive_with_a_handler_is_a_function(tmp_path: Path, source: str) -> None:
    with zipfile.ZipFile(tmp_path / "api.zip", "w") as made:
        made.writestr("shop/__init__.py", "")
        made.writestr("shop/main.py", source)
    assert messages(inspect([tmp_path / "api.zip"])) == []


def test_what_a_manifest_tells_of_is_not_judged_by_its_look(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "api.zip", "w") as made:
        made.writestr("shop/main.py", "class Handler: ...\n")
    assert len(messages(inspect([tmp_path / "api.zip"]))) == 1
    record(tmp_path, artifact("api.zip", kind="function", layers=()))
    assert messages(inspect([tmp_path / "api.zip"])) == []


def test_sizes_beside_the_limits_that_hold(tmp_path: Path) -> None:
    layer, function = inspect([archive(tmp_path / "layer.zip", python_a=1), archive(tmp_path / "api.zip", app=1)])
    checked = [replace(grown(layer, 199_512_331), zipped_size=48_211_004), replace(grown(function, 9), zipped_size=7)]
    assert measured(checked, upload=None) == [
        f"{tmp_path}/layer.zip  48,211,004 of 52,428,800 bytes zipped, 199,512,331 of 262,144,000 unzipped",
        f"{tmp_path}/api.zip    7 of 52,428,800 bytes zipped, 199,512,340 of 262,144,000 unzipped with layer.zip",
    ]
    assert measured(checked[:1], upload="s3") == [
        f"{tmp_path}/layer.zip  48,211,004 bytes zipped, through S3, 199,512,331 of 262,144,000 unzipped",
    ]


def test_layers_of_another_file_name_and_in_parts(tmp_path: Path) -> None:
    for name in ("deps-for-all", "big-1", "big-2"):
        archive(tmp_path / f"{name}.zip", python_a=1)
    archive(tmp_path / "api.zip", app=1)
    function = artifact("api.zip", kind="function", layers=("deps", "big"))
    parts = [artifact(f"big-{number}.zip", part_of="big") for number in (1, 2)]
    record(tmp_path, function, artifact("deps-for-all.zip", name="deps"), *parts)
    (checked,) = inspect([tmp_path / "api.zip"])
    assert checked.layers == ("deps-for-all.zip", "big-1.zip", "big-2.zip")


@pytest.mark.parametrize(("make", "kind"), [(os.mkfifo, "a pipe"), (os.mkdir, "a folder")])
def test_what_is_no_file(tmp_path: Path, make: Callable[[Path], None], kind: str) -> None:
    make(tmp_path / "a.zip")
    with pytest.raises(PolicyError) as caught:
        inspect([tmp_path / "a.zip"])
    assert str(caught.value) == f"{tmp_path / 'a.zip'} is not a zip file: it is {kind}"


def test_a_device() -> None:
    with pytest.raises(PolicyError) as caught:
        inspect([Path("/dev/zero")])
    assert str(caught.value) == "/dev/zero is not a zip file: it is a device"


def test_a_zip_of_somebody_else_is_read_to_the_last_byte(tmp_path: Path) -> None:
    """What a zip's directory says of it is not believed: each case changes a few bytes of a sound zip."""
    path = tmp_path / "layer.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("python/a.py", b"x = 1\n" * 1000)
    sound = path.read_bytes()
    inspect([path])
    directory = sound.rindex(b"PK\x01\x02")
    for at, value, why in (
        (directory + 24, b"\x64\x00\x00\x00", "cannot be read: Bad CRC-32 for file 'python/a.py'"),
        (directory + 10, b"\x63\x00", "is neither stored nor deflated, and Lambda reads nothing else"),
        (directory + 8, b"\x01\x00", "is encrypted"),
        (directory + 42, b"\x05\x00\x00\x00", "cannot be read: Bad magic number for file header"),
        (30 + len("python/a.py"), b"\xff\xff", "cannot be read: Error -3 while decompressing data"),
    ):
        path.write_bytes(sound[:at] + value + sound[at + len(value) :])
        with pytest.raises(PolicyError) as caught:
            inspect([path])
        assert caught.value.message.startswith(f"{path} cannot be unpacked: 'python/a.py' {why}")
        assert str(caught.value.code) == "archive-damaged"


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["python/../../evil.py"], "'python/../../evil.py' lies outside of the folder that it is unpacked into"),
        (["/etc/evil.py"], "'/etc/evil.py' lies outside of the folder that it is unpacked into"),
        (["python/a.py", "python/b.py"], "'python/a.py' is in it 2 times"),
    ],
)
def test_names_that_cannot_be_unpacked(tmp_path: Path, names: list[str], why: str) -> None:
    path = tmp_path / "layer.zip"
    with zipfile.ZipFile(path, "w") as made:
        for name in names:
            made.writestr(name, b"x")
    path.write_bytes(path.read_bytes().replace(b"python/b.py", b"python/a.py"))
    with pytest.raises(PolicyError) as caught:
        inspect([path])
    assert str(caught.value) == f"{path} cannot be unpacked: {why}\n  hint: zip it again"
