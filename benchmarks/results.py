"""What was measured, as values and as JSON. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from benchmarks.measure import Run

Figure = Literal["time", "size", "memory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A median between the smallest and the largest of its figures."""

    median: float
    low: float
    high: float


def spread(figures: Sequence[float]) -> Spread:
    """Raises ValueError when there is no figure."""
    if not figures:
        raise ValueError("a median of nothing")
    return Spread(median=statistics.median(figures), low=min(figures), high=max(figures))


def ratio(over: Sequence[float], under: Sequence[float]) -> Spread:
    """The ratio of the medians, and the smallest and the largest ratio of two figures of one round.

    The figures of a round were taken one after the other, so their ratio holds when the machine's speed drifts. The
    ratio of the medians may lie outside that span, when a slow round of the one met a quick round of the other.
    """
    paired = [one / other for one, other in zip(over, under, strict=True)]
    return Spread(median=spread(over).median / spread(under).median, low=min(paired), high=max(paired))


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A zip that a contender made; sizes in bytes, the unzipped one as the sum of the files."""

    name: str
    zipped: int
    unzipped: int
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """What a contender's counted runs cost."""

    name: str
    label: str
    """What it ran."""
    short: str
    """What it is called beside its bar."""
    runs: tuple[Run, ...]
    archives: tuple[Archive, ...] = ()

    @property
    def seconds(self) -> Spread:
        return spread([run.seconds for run in self.runs])

    @property
    def peak(self) -> Spread:
        """In bytes."""
        return spread([run.peak for run in self.runs])

    def figures(self, figure: Figure) -> list[float]:
        if figure == "size":
            return [float(sum(archive.zipped for archive in self.archives))]
        return [run.seconds if figure == "time" else float(run.peak) for run in self.runs]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is to be reached: a ratio of two contenders, or a bound on one.

    With ``at_least`` the ratio is theirs over ours, how many times less ours costs; with ``at_most`` it is ours over
    theirs. Without ``theirs``, ``at_most`` bounds our own figure, in bytes or seconds.
    """

    ours: str
    theirs: str | None = None
    figure: Figure = "time"
    at_least: float | None = None
    at_most: float | None = None

    def value(self, outcome: Outcome) -> Spread | None:
        """The ratio or the figure, or None when a contender was not measured."""
        ours = outcome.find(self.ours)
        theirs = outcome.find(self.theirs) if self.theirs else None
        if ours is None or (self.theirs and theirs is None):
            return None
        mine = ours.figures(self.figure)
        if theirs is None:
            return spread(mine)
        other = theirs.figures(self.figure)
        return ratio(mine, other) if self.at_most is not None else ratio(other, mine)

    def reached(self, outcome: Outcome) -> bool | None:
        """Whether the ratio of the medians, or the largest of our own figures, is within the bound.

        None without a bound, or when it was not measured.
        """
        value = self.value(outcome)
        if value is None or (self.at_least is None and self.at_most is None):
            return None
        counts = value.median if self.theirs else value.high
        return counts >= self.at_least if self.at_least is not None else counts <= (self.at_most or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One case: who took part, what is compared, and who could not be measured."""

    name: str
    title: str
    contestants: tuple[Contestant, ...]
    comparisons: tuple[Comparison, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)

    def find(self, name: str) -> Contestant | None:
        return next((one for one in self.contestants if one.name == name and one.runs), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """A whole run of the benchmark."""

    day: str
    rounds: int
    machine: Mapping[str, str]
    """What is said of the machine and of the programs, in the order of the page."""
    outcomes: tuple[Outcome, ...]

    def find(self, name: str) -> Outcome | None:
        return next((outcome for outcome in self.outcomes if outcome.name == name), None)


def document(results: Results) -> dict[str, Any]:
    """For JSON; ``parse`` reads it back."""
    return {"format": 1, **asdict(results)}


def parse(data: Mapping[str, Any]) -> Results:
    """Raises ValueError when it is of another format."""
    if data.get("format") != 1:
        raise ValueError("not the results of this benchmark")
    return Results(
        day=data["day"],
        rounds=data["rounds"],
        machine=data["machine"],
        outcomes=tuple(map(_outcome, data["outcomes"])),
    )


def _outcome(data: Mapping[str, Any]) -> Outcome:
    return Outcome(
        name=data["name"],
        title=data["title"],
        contestants=tuple(
            Contestant(
                name=one["name"],
                label=one["label"],
                short=one["short"],
                runs=tuple(Run(**run) for run in one["runs"]),
                archives=tuple(Archive(**archive) for archive in one["archives"]),
            )
            for one in data["contestants"]
        ),
        comparisons=tuple(Comparison(**one) for one in data["comparisons"]),
        missing=data["missing"],
    )
