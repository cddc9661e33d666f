"""The tables, and the page docs/benchmarks.md. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from benchmarks.results import Comparison, Contestant, Outcome, Results, Spread

_MONOREPO = "monorepo-"
_INTRODUCTION = """# Benchmarks

How long lambdabuild takes, and how much memory, beside what people use today. Measured on {day}; to measure again:

```sh
.venv/bin/python -m benchmarks --output docs    # or: task bench -- --output docs
.venv/bin/python -m benchmarks layer --quick    # one case, one round
```

![Seconds for the same work, side by side](benchmarks.svg)

"""
_METHOD = """## What is measured

* Whole processes, from before their start until they have ended, with everything that they start. The contenders of a
  case run in turn, A B A B …; the first round is a warm-up and is not counted.
* Figures are medians of {rounds} rounds, or a multiple of that where a run is short; in brackets stand the smallest and
  the largest. A ratio is that of the medians; in brackets stand the smallest and the largest ratio of two runs of one
  round.
* Before each run, and outside of its time, a contender is put in the state that the case names. Downloads are always
  warm: the classic recipes have the cache of pip or uv in a volume, uv's guide has that of uv, and lambdabuild has its
  store of wheels, while everything else of its cache is empty where nothing was built before. `sam build
  --use-container` keeps no downloads, so that it downloads in each run, as it does for its users.
* The others do not try what they build. lambdabuild is measured as they are (`--no-verify`), and as it comes: then it
  imports everything in the image before it publishes. After an edit of code alone it asks no Engine, so nothing is
  tried in that case either.
* `sam build --cached` runs on the host and has no layer in its template, which is the quickest that it can be.
* The fat zips of the classic recipe hold the AWS SDK as well, which lambdabuild leaves to the runtime.
* `zip -9` packs the tree of lambdabuild's own layer.
* Memory is that of the largest single process on the host (`ru_maxrss`). What containers hold is not in it: of the
  classic recipe and of `sam build --use-container` it is the client alone that is weighed. Less than the 30 MB or so of
  the benchmark itself cannot be seen.
* Of pip's configuration only the index holds, so that a machine's own wheels do not distort the comparison.
* Not measured: downloads from an index, pulling the image, arm64, macOS, an Engine on another machine, more than the
  cores named below, and a disk that is slow or full. Other machines give other seconds; the ratios vary less.

"""


def page(results: Results) -> str:
    """docs/benchmarks.md."""
    machine = "\n".join(f"* {name}: {value}" for name, value in results.machine.items())
    return (
        _INTRODUCTION.format(day=results.day)
        + tables(results)
        + "\n"
        + _METHOD.format(rounds=results.rounds)
        + f"## The machine\n\n{machine}\n"
    )


def tables(results: Results) -> str:
    """What is compared, the monorepos, and every figure."""
    parts = [
        ("## Ratios", _comparisons(results)),
        ("## Monorepos", _monorepos(results)),
        ("## All figures", _all(results)),
    ]
    return "\n".join(f"{heading}\n\n{text}" for heading, text in parts if text)


def _comparisons(results: Results) -> str:
    rows = [
        _comparison(outcome, comparison)
        for outcome in results.outcomes
        for comparison in outcome.comparisons
        if comparison.value(outcome) is not None
    ]
    missing = [
        f"* {outcome.title}: {label} was not measured: {why.splitlines()[0].partition(':')[0]}"
        for outcome in results.outcomes
        for label, why in outcome.missing.items()
    ]
    if not rows and not missing:
        return ""
    table = _table(("case", "lambdabuild", "against", "ratio", "to reach", "reached"), rows) if rows else ""
    return table + ("\n" + "\n".join(missing) + "\n" if missing else "")


def _comparison(outcome: Outcome, comparison: Comparison) -> Sequence[str]:
    value, reached = comparison.value(outcome), comparison.reached(outcome)
    ours = outcome.find(comparison.ours)
    theirs = outcome.find(comparison.theirs) if comparison.theirs else None
    assert value is not None and ours is not None
    case = outcome.title + ours.short.removeprefix("lambdabuild")
    return (
        case,
        _figure(ours, comparison),
        f"{_code(theirs.label)}: {_figure(theirs, comparison)}" if theirs else "",
        _ratio(value, comparison) if theirs else "",
        _bound(comparison),
        {True: "yes", False: "**no**", None: ""}[reached],
    )


def _figure(contestant: Contestant, comparison: Comparison) -> str:
    if comparison.figure == "size":
        return f"{contestant.figures('size')[0]:,.0f} bytes"
    return memory(contestant.peak.high) if comparison.figure == "memory" else seconds(contestant.seconds.median)


def _ratio(value: Spread, comparison: Comparison) -> str:
    if comparison.figure == "size":
        return f"{value.median:.3f}"
    word = "times" if comparison.at_most is not None else "times faster"
    return f"{times(value.median)} {word} ({times(value.low)} to {times(value.high)})"


def _bound(comparison: Comparison) -> str:
    if comparison.at_least is not None:
        return f"{times(comparison.at_least)} times faster"
    if comparison.at_most is None:
        return ""
    if comparison.theirs is None:
        return f"under {memory(comparison.at_most)}"
    most = f"{comparison.at_most:g}" if comparison.figure == "size" else times(comparison.at_most)
    return f"at most {most} times"


def _monorepos(results: Results) -> str:
    outcomes = [outcome for outcome in results.outcomes if outcome.name.startswith(_MONOREPO)]
    names = dict.fromkeys((one.name, one.label) for outcome in outcomes for one in outcome.contestants)
    rows = []
    for name, label in names:
        cells = [label]
        for outcome in outcomes:
            one = outcome.find(name)
            cells.append(f"{_spread(one.seconds)}, {memory(one.peak.median)}" if one else "")
        rows.append(cells)
    titles = [outcome.title.removeprefix("Monorepo: ") for outcome in outcomes]
    return _table(("", *titles), rows) if rows else ""


def _all(results: Results) -> str:
    rows = list(_figures(results.outcomes))
    return _table(("case", "", "time", "processor time", "memory", "zipped", "files"), rows) if rows else ""


def _figures(outcomes: Iterable[Outcome]) -> Iterator[Sequence[str]]:
    for outcome in outcomes:
        if outcome.name.startswith(_MONOREPO):
            continue
        case = outcome.title
        for one in outcome.contestants:
            if one.runs:
                yield (
                    case,
                    _code(one.label),
                    _spread(one.seconds),
                    seconds(sorted(run.cpu for run in one.runs)[len(one.runs) // 2]),
                    memory(one.peak.median),
                    memory(sum(archive.zipped for archive in one.archives)) if one.archives else "",
                    f"{sum(archive.files for archive in one.archives):,}" if one.archives else "",
                )
                case = ""


def _spread(value: Spread) -> str:
    return f"{seconds(value.median)} ({value.low:.2f} to {value.high:.2f})"


def seconds(value: float) -> str:
    return f"{value:.2f} s"


def memory(value: float) -> str:
    if value < 1e6:
        return f"{value / 1e3:.0f} kB"
    return f"{value / 1e6:.1f} MB" if value < 10e6 else f"{value / 1e6:.0f} MB"


def times(value: float) -> str:
    return f"{value:.0f}" if value >= 20 or value == round(value) else f"{value:.1f}"


def _code(label: str) -> str:
    return label.replace("|", "\\|")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
