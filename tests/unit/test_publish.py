"""steps.publish: the output folder holds the old artifacts or the new ones, complete, and nothing else."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lambdabuild.errors import MachineError, PolicyError, UsageError
from lambdabuild.locks import held
from lambdabuild.manifest import read_manifest
from lambdabuild.model.report import Artifact
from lambdabuild.steps.publish import Stage, staging
from tests.samples import artifact, member
from tests.unprivileged import public_folder, run_unprivileged


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "dist" / "lambda"


@contextmanager
def stage_of(output: Path) -> Iterator[Stage]:
    with staging(output, locks=_locks(output), waiting=_never) as stage:
        yield stage


def _locks(output: Path) -> Path:
    return output.parent.parent / "locks"


def _never() -> None:
    raise AssertionError("there is nothing to wait for")


def made(stage: Stage, file: str, text: str) -> Artifact:
    written = stage.write(file, [member("a.txt", text)], epoch=None)
    return artifact(file, sha256=written.sha256, zipped_size=written.size)


def publish(output: Path, *, clean: bool = False, **texts: str) -> tuple[Artifact, ...]:
    """Publish archives, by name and content."""
    with stage_of(output) as stage:
        artifacts = tuple(made(stage, f"{name}.zip", text) for name, text in texts.items())
        stage.commit(artifacts, clean=clean)
    return artifacts


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def text_in(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.read("a.txt").decode()


def test_archives_and_their_manifest(output: Path) -> None:
    artifacts = publish(output, layer="LAYER", api="API")
    assert listing(output) == ["api.zip", "layer.zip", "manifest.json"]
    assert text_in(output / "layer.zip") == "LAYER"
    assert read_manifest(output) == tuple(sorted(artifacts, key=lambda one: one.file))
    for one in artifacts:
        data = (output / one.file).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (one.sha256, one.zipped_size)
    text = (output / "manifest.json").read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), indent=2) + "\n"


def test_the_date_goes_into_the_archive(output: Path) -> None:
    with stage_of(output) as stage:
        stage.write("a.zip", [member("a.txt")], epoch=1_700_000_000)
        with zipfile.ZipFile(stage.folder / "a.zip") as archive:
            assert archive.infolist()[0].date_time == (2023, 11, 14, 22, 13, 20)


def test_later_builds_replace_what_they_make_and_keep_the_rest(output: Path) -> None:
    publish(output, layer="OLD", api="API")
    publish(output, layer="NEW")
    assert text_in(output / "layer.zip") == "NEW"
    assert text_in(output / "api.zip") == "API"
    assert [one.file for one in read_manifest(output)] == ["api.zip", "layer.zip"]


def test_the_manifest_forgets_what_was_removed_or_changed_by_others(output: Path) -> None:
    publish(output, gone="1", changed="2", grown="3", stays="4")
    (output / "gone.zip").unlink()
    data = (output / "changed.zip").read_bytes()
    (output / "changed.zip").write_bytes(data[:-1] + b"!")
    (output / "grown.zip").write_bytes(data + b"!")
    publish(output, new="5")
    assert [one.file for one in read_manifest(output)] == ["new.zip", "stays.zip"]
    assert listing(output) == ["changed.zip", "grown.zip", "manifest.json", "new.zip", "stays.zip"]


def test_old_artifacts_stand_when_a_build_fails(output: Path) -> None:
    publish(output, layer="OLD")
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    with pytest.raises(ZeroDivisionError), stage_of(output) as stage:
        made(stage, "layer.zip", "NEW")
        made(stage, "api.zip", "NEW")
        raise ZeroDivisionError
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before


def test_clean_removes_what_the_manifest_names_and_nothing_else(output: Path) -> None:
    publish(output, old="1", gone="2", both="3")
    (output / "gone.zip").unlink()
    (output / "mine.zip").write_text("")
    publish(output, clean=True, both="4", new="5")
    assert listing(output) == ["both.zip", "manifest.json", "mine.zip", "new.zip"]
    assert text_in(output / "both.zip") == "4"
    assert [one.file for one in read_manifest(output)] == ["both.zip", "new.zip"]


def test_a_failed_build_cleans_nothing(output: Path) -> None:
    publish(output, old="1")
    with pytest.raises(ZeroDivisionError), stage_of(output):
        raise ZeroDivisionError
    assert listing(output) == ["manifest.json", "old.zip"]


def test_somebody_elses_manifest_is_refused_and_left(output: Path) -> None:
    output.mkdir(parents=True)
    (output / "manifest.json").write_text('{"name": "a web app"}')
    with pytest.raises(PolicyError) as caught, stage_of(output):
        pass
    assert str(caught.value) == (
        f"{output}/manifest.json is not a manifest that this lambdabuild reads: 'manifest_version'\n"
        "  hint: remove it, or choose another --output"
    )
    assert listing(output) == ["manifest.json"]


def test_folders_made_for_nothing_are_removed(output: Path) -> None:
    with pytest.raises(ZeroDivisionError), stage_of(output) as stage:
        made(stage, "layer.zip", "NEW")
        raise ZeroDivisionError
    assert listing(output.parent.parent) == ["locks"]


def test_folders_that_were_there_stay(output: Path) -> None:
    output.parent.mkdir()
    with stage_of(output):
        pass
    assert listing(output.parent) == []
    output.mkdir()
    with stage_of(output):
        pass
    assert listing(output) == []


def test_stages_of_killed_builds_are_removed(output: Path) -> None:
    stale = output / ".lambdabuild-stale"
    stale.mkdir(parents=True)
    (stale / "layer.zip").write_text("half")
    (output / ".lambdabuild.toml").write_text("mine")
    with stage_of(output) as stage:
        assert listing(output) == sorted([stage.folder.name, ".lambdabuild.toml"])
    assert listing(output) == [".lambdabuild.toml"]


def test_one_build_at_a_time(output: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from lambdabuild.steps.publish import staging\n"
        "output, locks = map(Path, sys.argv[1:])\n"
        "with staging(output, locks=locks, waiting=lambda: print('waiting', flush=True)): print('mine')\n"
    )
    with stage_of(output):
        argv = [sys.executable, "-c", program, output, _locks(output)]
        other = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None
        assert other.stdout.readline() == "waiting\n"
        assert other.poll() is None
    assert other.communicate()[0] == "mine\n"
    assert other.returncode == 0


def test_another_way_to_write_the_folder_has_the_same_lock(output: Path, tmp_path: Path) -> None:
    output.mkdir(parents=True)
    (tmp_path / "link").symlink_to(output)
    with stage_of(output):
        (lock,) = _locks(output).iterdir()
    program = (
        "import os, sys; from pathlib import Path; from lambdabuild.steps.publish import staging\n"
        "with staging(Path(sys.argv[1]), locks=Path(sys.argv[2]), waiting=lambda: os._exit(7)): pass\n"
    )
    with held(lock):
        argv = [sys.executable, "-c", program, tmp_path / "link", _locks(output)]
        assert subprocess.run(argv, check=False).returncode == 7


@pytest.mark.parametrize(
    ("path", "reason"),
    [("file", "File exists"), ("file/below", "Not a directory"), ("x" * 300, "File name too long")],
)
def test_an_output_that_cannot_be(tmp_path: Path, path: str, reason: str) -> None:
    (tmp_path / "file").write_text("mine")
    output = tmp_path / path
    with pytest.raises(UsageError) as caught, staging(output, locks=tmp_path / "locks", waiting=_never):
        pass
    assert str(caught.value) == (
        f"the output folder {output} cannot be written: {reason}\n"
        "  hint: choose another with --output, or mend its permissions"
    )
    assert (tmp_path / "file").read_text() == "mine"


IMPORTS = """
from pathlib import Path
from lambdabuild.errors import UsageError
from lambdabuild.steps.publish import staging
"""
ATTEMPT = """
locks, *outputs = map(Path, sys.argv[1:])
for output in outputs:
    try:
        with staging(output, locks=locks, waiting=print):
            print("made")
    except UsageError as error:
        print(error.message)
"""


def test_folders_that_may_not_be_written() -> None:
    with public_folder() as folder:
        (folder / "locks").mkdir()
        (folder / "locks").chmod(0o777)
        (folder / "closed").mkdir()
        (folder / "closed" / "inner").mkdir()
        (folder / "closed").chmod(0)
        folder.chmod(0o555)
        outputs = [folder, folder / "new", folder / "closed", folder / "closed" / "inner"]
        printed = run_unprivileged(IMPORTS, ATTEMPT, folder / "locks", *outputs)
        assert printed.splitlines() == [
            f"the output folder {output} cannot be written: Permission denied" for output in outputs
        ]


def test_an_artifact_that_is_a_folder_fails_before_anything_moves(output: Path) -> None:
    publish(output, a="OLD", b="OLD")
    (output / "b.zip").unlink()
    (output / "b.zip").mkdir()
    before = (output / "a.zip").read_bytes()
    with pytest.raises(UsageError) as caught:
        publish(output, a="NEW", b="NEW")
    assert str(caught.value) == (
        f"{output / 'b.zip'} is a folder, and an artifact goes there\n"
        "  hint: remove it, or choose another folder with --output"
    )
    assert (output / "a.zip").read_bytes() == before


FULL = """
import resource, sys
from pathlib import Path
from lambdabuild.errors import MachineError
from lambdabuild.steps.publish import staging
from lambdabuild.zipformat import pack
output, locks = map(Path, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with staging(output, locks=locks, waiting=print) as stage:
        stage.write("a.zip", [pack("a", 0o644, bytes(range(256)) * 1000)] * 9, epoch=None)
except MachineError as error:
    print(error.message)
"""


def test_a_disk_that_is_full(output: Path) -> None:
    publish(output, a="OLD")
    argv = [sys.executable, "-c", FULL, output, _locks(output)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout == f"{output / 'a.zip'} cannot be written: File too large\n"
    assert listing(output) == ["a.zip", "manifest.json"]
    assert text_in(output / "a.zip") == "OLD"


def test_a_stage_writes_a_file_once(output: Path) -> None:
    with pytest.raises(MachineError) as caught, stage_of(output) as stage:
        made(stage, "a.zip", "1")
        made(stage, "a.zip", "2")
    assert str(caught.value) == f"{output / 'a.zip'} cannot be written: File exists"
