"""ledger: what was read, and whether it is still what it was."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from lambdabuild import ledger
from lambdabuild.ledger import Changed, find_change, note, recording, renew, written

LONG_AGO = 1_000_000_000
"""Seconds since 1970: long before any test runs."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "folder" / "app.py"
    path.parent.mkdir()
    path.write_text("one")
    return path


def taken(*paths: Path) -> dict[str, list[Any]]:
    """What a ledger of these tells, after it was written and read."""
    with recording() as noted:
        for path in paths:
            note(path)
    return json.loads(json.dumps(noted.take()))


def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on nothing counts as just written."""
    monkeypatch.setattr(ledger, "_TICK", 0)


def test_nothing_changed(file: Path) -> None:
    absent = file.with_name("absent")
    assert find_change(taken(file, file.parent, absent)) is None


def test_outside_of_a_recording_nothing_is_noted(file: Path) -> None:
    with recording() as noted:
        pass
    note(file)
    assert noted.take() == {}


def test_a_recording_within_another(file: Path) -> None:
    with recording() as outer:
        note(file)
        with recording() as inner:
            note(file.parent)
    assert (list(outer.take()), list(inner.take())) == ([str(file), str(file.parent)], [str(file.parent)])


@pytest.mark.parametrize("text", ["two", "longer", ""])
def test_other_content_is_a_change(file: Path, text: str) -> None:
    noted = taken(file)
    file.write_text(text)
    assert find_change(noted) == str(file)


def test_the_same_content_is_none_whatever_the_times(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for settle in (False, True):
        if settle:
            settled(monkeypatch)
        noted = taken(file)
        os.utime(file, (LONG_AGO, LONG_AGO))
        assert find_change(noted) is None
        file.unlink()
        file.write_text("one")
        assert find_change(noted) is None


def test_a_change_that_keeps_size_and_time_is_seen(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.utime(file, (LONG_AGO, LONG_AGO))
    for settle in (False, True):
        if settle:
            settled(monkeypatch)
        noted = taken(file)
        file.write_text("eno" if settle else "two")
        os.utime(file, (LONG_AGO, LONG_AGO))
        assert find_change(noted) == str(file)


def test_what_may_be_executed_is_part_of_a_file(file: Path) -> None:
    noted = taken(file)
    file.chmod(0o755)
    assert find_change(noted) == str(file)


def test_what_comes_and_goes(file: Path) -> None:
    absent = file.with_name(".gitignore")
    noted = taken(absent)
    absent.write_text("")
    assert find_change(noted) == str(absent)
    noted = taken(absent)
    absent.unlink()
    assert find_change(noted) == str(absent)
    noted = taken(absent)
    absent.mkdir()
    assert find_change(noted) == str(absent)


def test_a_folder_is_the_names_in_it(file: Path) -> None:
    noted = taken(file.parent)
    file.write_text("two")
    (file.parent / "__pycache__").mkdir()
    assert find_change(noted) is None
    file.with_name("new.py").write_text("")
    assert find_change(noted) == str(file.parent)


def test_looks_are_enough_for_what_was_not_just_written(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noted = taken(file)
    assert noted[str(file)][0] == []
    settled(monkeypatch)
    noted = taken(file, file.parent)
    read: list[str] = []
    monkeypatch.setattr(ledger, "_digest", read.append)
    assert find_change(noted) is None
    assert read == []


def test_what_this_run_writes_itself_is_no_change(tmp_path: Path, file: Path) -> None:
    with recording() as ledger:
        note(tmp_path)
        note(tmp_path / "lock")
        note(file)
        (tmp_path / "lock").write_text("written")
        renew(tmp_path)
        renew(tmp_path / "lock")
        renew(tmp_path / "never noted")
        taken = ledger.take()
    assert find_change(taken) is None
    assert str(tmp_path / "never noted") not in taken
    (tmp_path / "lock").write_text("by somebody else")
    assert find_change(taken) == str(tmp_path / "lock")


def test_what_is_edited_while_it_is_read_is_told(file: Path) -> None:
    with recording() as noted:
        note(file)
        file.write_text("edited")
    with pytest.raises(Changed) as caught:
        noted.take()
    assert str(caught.value) == str(file)
    with recording() as noted:
        note(file.parent)
        file.with_name("new.py").write_text("")
    with pytest.raises(Changed):
        noted.take()


@pytest.mark.parametrize("settles", [False, True])
def test_what_was_just_written_is_as_a_ledger_takes_it(
    file: Path, monkeypatch: pytest.MonkeyPatch, settles: bool
) -> None:
    if settles:
        settled(monkeypatch)
    digest = hashlib.sha256(b"one").hexdigest()
    assert written(file, digest) == taken(file)
    file.chmod(0o755)
    assert written(file, digest) == taken(file)
    file.unlink()
    assert written(file, digest) == taken(file)


def test_what_was_written_and_then_replaced_is_a_change(file: Path) -> None:
    told = written(file, hashlib.sha256(b"one").hexdigest())
    file.write_text("two")
    assert find_change(told) == str(file)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "requirements.txt"
    os.mkfifo(pipe)
    with recording() as ledger:
        note(pipe)
    seen = ledger.take()
    assert find_change(seen) is None
    pipe.unlink()
    pipe.write_text("six\n")
    assert find_change(seen) == str(pipe)
