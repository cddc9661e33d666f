"""steps.publish: the output folder holds the old artifacts or the new ones, complete, and nothing else."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from lambdabuild.errors import MachineError, PolicyError, UsageError
from lambdabuild.manifest import file_sha256, read_manifest
from lambdabuild.model.report import Artifact
from lambdabuild.steps.publish import Stage, staging
from lambdabuild.steps.validate import find_artifacts, inspect
from tests.samples import artifact, member
from tests.unprivileged import public_folder, run_unprivileged

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "dist" / "lambda"


@contextmanager
def stage_of(output: Path) -> Iterator[Stage]:
    with staging(output, waiting=_never) as stage:
        yield stage


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
        f"{output}/manifest.json is not a manifest that this lambdabuild reads: manifest_version is missing\n"
        "  hint: remove it, or choose another --output"
    )
    assert listing(output) == ["manifest.json"]


def test_folders_made_for_nothing_are_removed(output: Path) -> None:
    with pytest.raises(ZeroDivisionError), stage_of(output) as stage:
        made(stage, "layer.zip", "NEW")
        raise ZeroDivisionError
    assert listing(output.parent.parent) == []


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
        assert listing(output) == sorted([stage.folder.name, ".lambdabuild.lock", ".lambdabuild.toml"])
    assert listing(output) == [".lambdabuild.toml"]


def test_one_build_at_a_time(output: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from lambdabuild.steps.publish import staging\n"
        "with staging(Path(sys.argv[1]), waiting=lambda: print('waiting', flush=True)): print('mine')\n"
    )
    with stage_of(output):
        argv = [sys.executable, "-c", program, output]
        other = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None
        assert other.stdout.readline() == "waiting\n"
        assert other.poll() is None
    assert other.communicate()[0] == "mine\n"
    assert other.returncode == 0


def test_another_way_to_write_the_folder_has_the_same_lock(output: Path, tmp_path: Path) -> None:
    output.mkdir(parents=True)
    (tmp_path / "link").symlink_to(output)
    program = (
        "import os, sys; from pathlib import Path; from lambdabuild.steps.publish import staging\n"
        "with staging(Path(sys.argv[1]), waiting=lambda: os._exit(7)): pass\n"
    )
    with stage_of(output):
        assert subprocess.run([sys.executable, "-c", program, tmp_path / "link"], check=False).returncode == 7


def test_two_builds_of_which_the_first_makes_the_folder_for_nothing(output: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from lambdabuild.steps.publish import staging\n"
        "with staging(Path(sys.argv[1]), waiting=lambda: print('waiting', flush=True)) as stage: print(stage.earlier)\n"
    )
    with pytest.raises(ZeroDivisionError), stage_of(output):
        other = subprocess.Popen([sys.executable, "-c", program, output], stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None
        assert other.stdout.readline() == "waiting\n"
        raise ZeroDivisionError
    assert (other.communicate()[0], other.returncode) == ("()\n", 0)


def test_a_lock_that_leads_to_nowhere(output: Path) -> None:
    output.mkdir(parents=True)
    (output / ".lambdabuild.lock").symlink_to("nowhere/lock")
    with pytest.raises(UsageError) as caught, stage_of(output):
        pass
    assert caught.value.message == f"the output folder {output} cannot be written: No such file or directory"


def test_an_output_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to("nowhere")
    remove = "remove it, or choose another folder with --output"
    for path, message, hint in (
        ("file", f"{tmp_path}/file is a file, and the output folder goes there", remove),
        ("file/a/b", f"{tmp_path}/file is a file, and a folder of the output {tmp_path}/file/a/b goes there", remove),
        ("link", f"{tmp_path}/link is a link to nothing, and the output folder goes there", remove),
        (
            "x" * 300,
            f"the output folder {tmp_path / ('x' * 300)} cannot be written: File name too long",
            "choose another with --output",
        ),
    ):
        with pytest.raises(UsageError) as caught, staging(tmp_path / path, waiting=_never):
            pass
        assert (caught.value.message, caught.value.hint) == (message, hint)
    assert (tmp_path / "file").read_text() == "mine"
    assert listing(tmp_path) == ["file", "link"]


IMPORTS = """
from pathlib import Path
from lambdabuild.errors import UsageError
from lambdabuild.steps.publish import staging
"""
ATTEMPT = """
for output in map(Path, sys.argv[1:]):
    try:
        with staging(output, waiting=print):
            print("made")
    except UsageError as error:
        print(error.message)
"""


def test_folders_that_may_not_be_written() -> None:
    with public_folder() as folder:
        (folder / "closed").mkdir()
        (folder / "closed" / "inner").mkdir()
        (folder / "closed").chmod(0)
        folder.chmod(0o555)
        outputs = [folder, folder / "new", folder / "closed", folder / "closed" / "inner"]
        printed = run_unprivileged(IMPORTS, ATTEMPT, *outputs)
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
        "  hint: remove it, or choose another place with --output"
    )
    assert (output / "a.zip").read_bytes() == before


FULL = """
import resource, sys
from pathlib import Path
from lambdabuild.errors import MachineError
from lambdabuild.steps.publish import staging
from lambdabuild.zipformat import pack
output = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with staging(output, waiting=print) as stage:
        stage.write("a.zip", [pack("a", 0o644, bytes(range(256)) * 1000)] * 9, epoch=None)
except MachineError as error:
    print(error.message)
"""


def test_a_disk_that_is_full(output: Path) -> None:
    publish(output, a="OLD")
    argv = [sys.executable, "-c", FULL, output]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout == f"{output / 'a.zip'} cannot be written: File too large\n"
    assert listing(output) == ["a.zip", "manifest.json"]
    assert text_in(output / "a.zip") == "OLD"


def test_a_disk_that_is_full_once_all_was_written(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(MachineError) as caught, stage_of(output) as stage:
        monkeypatch.setattr(os, "fsync", fsync)
        made(stage, "a.zip", "1")
    assert caught.value.code == "disk-full"
    assert str(caught.value) == (
        f"{output / 'a.zip'} cannot be written: No space left on device\n"
        "  hint: free some disk space, or choose another folder with --output"
    )


def test_a_stage_writes_a_file_once(output: Path) -> None:
    with pytest.raises(MachineError) as caught, stage_of(output) as stage:
        made(stage, "a.zip", "1")
        made(stage, "a.zip", "2")
    assert str(caught.value) == f"{output / 'a.zip'} cannot be written: File exists"


KILLED = """
import os, signal, sys
from pathlib import Path
from lambdabuild.steps.publish import staging
from tests.samples import artifact, member

output, moves, number = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])


def stop(event, _):
    global moves
    if event == "os.rename":
        moves -= 1
        if moves == -1:
            os.kill(os.getpid(), number)


with staging(output, waiting=print) as stage:
    made = []
    for name in ("api", "layer"):
        written = stage.write(f"{name}.zip", [member("a.txt", "NEW")], epoch=None)
        made.append(artifact(f"{name}.zip", sha256=written.sha256, zipped_size=written.size))
    sys.addaudithook(stop)
    stage.commit(made, clean=True)
"""
"""Publishes two archives and a manifest, and removes an old one; a signal comes before one of the moves."""
MOVES = 4
"""The stage's own, two archives, the manifest."""


def interrupted(output: Path, moves: int, number: signal.Signals) -> int:
    publish(output, api="OLD", layer="OLD", gone="OLD")
    argv = [sys.executable, "-c", KILLED, output, str(moves), str(int(number))]
    signal_as_usual = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    done = subprocess.run(argv, check=False, cwd=ROOT, stderr=subprocess.DEVNULL, preexec_fn=signal_as_usual)
    return done.returncode


def state(output: Path) -> tuple[str, ...]:
    """What the folder holds, once the next build has begun: whether old or new, and that it is whole."""
    with stage_of(output):
        pass
    artifacts = read_manifest(output)
    assert listing(output) == [*(one.file for one in artifacts), "manifest.json"]
    for one in artifacts:
        assert file_sha256(output / one.file) == one.sha256
    return tuple(f"{one.name} {text_in(output / one.file)}" for one in artifacts)


OLD_STATE = ("api OLD", "gone OLD", "layer OLD")
NEW_STATE = ("api NEW", "layer NEW")


@pytest.mark.parametrize("moves", range(MOVES))
def test_a_build_that_is_killed_between_two_moves(output: Path, moves: int) -> None:
    assert interrupted(output, moves, signal.SIGKILL) == -signal.SIGKILL
    manifest = json.loads((output / "manifest.json").read_text(encoding="utf-8"))
    assert [one["name"] for one in manifest["artifacts"]] == ["api", "gone", "layer"], "it moves last"
    assert text_in(output / "layer.zip") == ("NEW" if moves == MOVES - 1 else "OLD")
    if moves > 0:
        for read in (read_manifest, find_artifacts, lambda folder: inspect([folder / "api.zip"])):
            with pytest.raises(PolicyError) as caught:
                read(output)
            assert str(caught.value) == (
                f"a build into {output} was interrupted while it published: some of its archives are not in their "
                "places\n  hint: build again (lambdabuild package): that finishes it first"
            )
    assert state(output) == (OLD_STATE if moves == 0 else NEW_STATE)


@pytest.mark.parametrize("moves", range(MOVES))
def test_a_build_that_is_interrupted_between_two_moves(output: Path, moves: int) -> None:
    """All or nothing at once: nobody has to build again."""
    assert interrupted(output, moves, signal.SIGINT) != 0
    held = tuple(f"{one.name} {text_in(output / one.file)}" for one in read_manifest(output))
    assert held == (OLD_STATE if moves == 0 else NEW_STATE)
    assert state(output) == held


def test_there_are_no_more_moves(output: Path) -> None:
    assert interrupted(output, MOVES, signal.SIGKILL) == 0


def test_what_cannot_be_moved_is_kept_until_it_can(output: Path) -> None:
    assert interrupted(output, 2, signal.SIGKILL) == -signal.SIGKILL
    (output / "layer.zip").unlink()
    (output / "layer.zip").mkdir()
    for _ in range(2):
        with pytest.raises(UsageError) as caught, stage_of(output):
            pass
        assert str(caught.value) == (
            f"{output / 'layer.zip'} cannot be replaced: Is a directory; "
            f"the new one is {output / '.lambdabuild-publishing' / 'layer.zip'}\n"
            "  hint: remove what is in the way and build again, or choose another folder with --output"
        )
    (output / "layer.zip").rmdir()
    assert state(output) == NEW_STATE


@pytest.mark.parametrize("text", ["", "7", '["../mine.zip", "mine.txt", 7, "/mine.zip"]', "[" * 10])
def test_only_archives_of_the_folder_are_removed(output: Path, text: str) -> None:
    assert interrupted(output, 1, signal.SIGKILL) == -signal.SIGKILL
    (output / ".lambdabuild-publishing" / "removed.json").write_text(text)
    for mine in (output / "mine.txt", output.parent / "mine.zip"):
        mine.write_text("mine")
    with stage_of(output):
        pass
    assert listing(output) == ["api.zip", "gone.zip", "layer.zip", "manifest.json", "mine.txt"]
    assert listing(output.parent) == ["lambda", "mine.zip"]


def test_what_is_moved_is_on_the_disk_before(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The content of every file, then the names in the stage, then the move, then the names in the folder."""
    done: list[str] = []
    sync = os.fsync

    def fsync(file: int) -> None:
        path = Path(f"/proc/self/fd/{file}").readlink()
        name = path.name if path.name.endswith((".zip", ".json")) or path == output else "the stage"
        done.append(f"{name}: {len(listing(path)) if path.is_dir() else path.stat().st_size > 0}")
        sync(file)

    monkeypatch.setattr(os, "fsync", fsync)
    publish(output, a="A")
    assert done == [
        "a.zip: True",
        "manifest.json: True",
        "removed.json: True",
        "the stage: 3",
        "lambda: 2",
        "lambda: 4",
    ]


def test_a_disk_that_gives_other_bytes_than_were_written(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(output, a="OLD")
    before = (output / "a.zip").read_bytes()

    def fsync(file: int) -> None:
        os.pwrite(file, b"!", 40)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(MachineError) as caught:
        publish(output, a="NEW")
    assert str(caught.value) == f"{output / 'a.zip'} did not read back as it was written\n  hint: check the disk"
    assert (output / "a.zip").read_bytes() == before
    assert listing(output) == ["a.zip", "manifest.json"]
