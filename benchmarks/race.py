"""Contenders that run in turn, round by round, and what is said of them."""

from __future__ import annotations

import shutil
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measure import Failed, Run, run
from benchmarks.results import Archive, Comparison, Contestant, Outcome

TIMEOUT = 900.0


def nothing() -> None:
    """What a contender needs that is in the right state as the last run left it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A command, and the state that it is put in before each run, outside of the timed part."""

    name: str
    label: str
    """What it runs, in a line."""
    short: str
    """What it is called in a picture."""
    argv: Sequence[str]
    cwd: Path
    environ: Mapping[str, str]
    prepare: Callable[[], None] = nothing
    archives: Sequence[Path] = ()
    """What it makes, which must be there and be zips."""
    timeout: float = TIMEOUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """Contenders of one case and the comparisons to make."""

    name: str
    title: str
    contenders: Sequence[Contender]
    comparisons: Sequence[Comparison] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    """Labels of contenders that could not be set up, and why."""
    repeat: int = 1
    """Rounds of this race for each round that is asked for: more, where a run takes a tenth of a second."""


def hold(race: Race, *, rounds: int, log: Path) -> Outcome:
    """Run all contenders in turn, A B C A B C …; the first round is a warm-up and is not counted.

    A contender that fails is out of the race, and the reason is kept.
    """
    runs: dict[str, list[Run]] = {contender.name: [] for contender in race.contenders}
    archives: dict[str, tuple[Archive, ...]] = {}
    missing = dict(race.missing)
    total = 1 + rounds * race.repeat
    for number in range(total):
        for contender in race.contenders:
            if contender.label in missing:
                continue
            try:
                took, archives[contender.name] = _once(contender, log)
            except Failed as error:
                missing[contender.label] = str(error)
                print(f"{contender.label}: {error}", file=sys.stderr)
                continue
            if number:
                runs[contender.name].append(took)
            _tell(race, contender, number, total, took)
    ran = [contender for contender in race.contenders if contender.label not in missing]
    return Outcome(
        name=race.name,
        title=race.title,
        contestants=tuple(
            Contestant(
                name=contender.name,
                label=contender.label,
                short=contender.short,
                runs=tuple(runs[contender.name]),
                archives=archives[contender.name],
            )
            for contender in ran
        ),
        comparisons=tuple(race.comparisons),
        missing=missing,
    )


def _once(contender: Contender, log: Path) -> tuple[Run, tuple[Archive, ...]]:
    contender.prepare()
    took = run(contender.argv, cwd=contender.cwd, environ=contender.environ, log=log, timeout=contender.timeout)
    return took, tuple(map(_look_at, contender.archives))


def _look_at(path: Path) -> Archive:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
    except (OSError, zipfile.BadZipFile) as error:
        raise Failed(f"{path.name} was not made: {error}") from error
    return Archive(
        name=path.name,
        zipped=path.stat().st_size,
        unzipped=sum(info.file_size for info in members),
        files=len(members),
    )


def _tell(race: Race, contender: Contender, number: int, total: int, took: Run) -> None:
    what = f"round {number} of {total - 1}" if number else "warm-up"
    width = shutil.get_terminal_size().columns - 1
    print(f"{race.name}, {what}: {took.seconds:.2f} s, {contender.label}"[:width], file=sys.stderr, flush=True)
