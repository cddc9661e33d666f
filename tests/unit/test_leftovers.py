"""leftovers: a note of the engine that a run speaks to, for the next one if it is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from lambdabuild.leftovers import remove_folders, remove_leftovers

RUN = """
import os, sys
from pathlib import Path
from lambdabuild.leftovers import keep_note, leave_note
keep_note(Path(sys.argv[1]), {"DOCKER_HOST": "unix:///there.sock", "SECRET": "canary"})
print(flush=True)
exec(input())
"""


def run(root: Path) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", RUN, root], stdin=pipe, stdout=pipe, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def end(process: subprocess.Popen[str], how: str) -> None:
    process.communicate(f"{how}\n")


def asked(root: Path, *, answers: bool) -> list[str | None]:
    """The engines that are cleaned."""
    engines: list[str | None] = []

    def clean(environ: Mapping[str, str]) -> bool:
        assert environ["HOME"] == "/me"
        assert "DOCKER_CONTEXT" not in environ
        engines.append(environ.get("DOCKER_HOST"))
        return answers

    remove_leftovers(root, {"HOME": "/me", "DOCKER_CONTEXT": "here"}, clean)
    return engines


def test_a_run_that_ends_leaves_no_note(tmp_path: Path) -> None:
    process = run(tmp_path)
    (note,) = (tmp_path / "engines").iterdir()
    assert "canary" not in note.read_text()
    assert asked(tmp_path, answers=True) == []
    end(process, "pass")
    assert list((tmp_path / "engines").iterdir()) == []
    assert asked(tmp_path, answers=True) == []


@pytest.mark.parametrize("how", ["os._exit(9)", "leave_note()"])
def test_the_engine_of_a_run_that_was_killed_or_left_something_is_cleaned_once(tmp_path: Path, how: str) -> None:
    end(run(tmp_path), how)
    assert asked(tmp_path, answers=False) == ["unix:///there.sock"]
    assert asked(tmp_path, answers=True) == ["unix:///there.sock"]
    assert asked(tmp_path, answers=True) == []


def test_an_engine_that_does_not_answer_is_forgotten_after_a_day(tmp_path: Path) -> None:
    end(run(tmp_path), "os._exit(9)")
    (note,) = (tmp_path / "engines").iterdir()
    os.utime(note, (1, 1))
    assert asked(tmp_path, answers=False) == ["unix:///there.sock"]
    assert list((tmp_path / "engines").iterdir()) == []


def test_notes_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    (tmp_path / "engines").mkdir()
    (tmp_path / "engines" / "x.engine").write_text("{")
    assert asked(tmp_path, answers=True) == []
    (tmp_path / "file").write_text("")
    end(run(tmp_path / "file"), "pass")
    assert asked(tmp_path / "file", answers=True) == []


SCRATCH = """
import os, sys
from pathlib import Path
from lambdabuild.scratch import make_scratch
folder, remove = make_scratch(Path(sys.argv[1]))
(folder / "spool").write_text("half")
print(folder.name, flush=True)
exec(input())
"""


def test_the_folder_of_a_killed_run_is_removed_by_one_that_needs_none_and_that_of_a_live_one_stays(
    tmp_path: Path,
) -> None:
    pipe = subprocess.PIPE
    killed, live = (
        subprocess.Popen([sys.executable, "-c", SCRATCH, tmp_path], stdin=pipe, stdout=pipe, text=True) for _ in "12"
    )
    assert killed.stdout is not None
    assert live.stdout is not None
    killed.stdout.readline()
    name = live.stdout.readline().strip()
    end(killed, "os._exit(9)")
    assert len(list(tmp_path.iterdir())) == 4
    remove_folders(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [name, f"{name}.lock"]
    end(live, "remove()")
    assert list(tmp_path.iterdir()) == []
    remove_folders(tmp_path / "no such folder")
