"""``python -m benchmarks``: measure, print the tables, write the page."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from benchmarks import sam
from benchmarks.cases import CASES, races
from benchmarks.measure import Failed
from benchmarks.page import page, tables
from benchmarks.picture import picture
from benchmarks.projects import EXAMPLE, read_project
from benchmarks.race import hold
from benchmarks.results import Outcome, Results, document, parse
from benchmarks.workplace import describe, workplace

_CASES = """cases:
  layer       the layer: the classic recipe with pip and with uv, sam build --use-container, lambdabuild
  dependency  one dependency changed: the classic recipe, lambdabuild
  unchanged   nothing changed: the classic recipe, lambdabuild
  floor       nothing changed: python -c "import click", lambdabuild
  code        three slim zips after an edit: sam build --cached, lambdabuild
  fat         three fat zips after the layer: zip -qr, lambdabuild
  all         layer, slim and fat zips: the classic recipe, lambdabuild
  host        the layer without Docker: uv's guide, lambdabuild
  small       a layer of pydantic and requests, ten wheels, without Docker: uv's guide, lambdabuild
  size        the layer's zip: zip -9, lambdabuild with compression "fast" and "small"
  monorepo    10, 100, 500 and 2,000 functions: first build, unchanged, one edited

Without Docker, and without a package index, what needs them is named as not measured.
"""


def main(argv: Sequence[str]) -> int:
    """The exit code: 0 when all was measured, whatever the figures; 1 when something was not; 130 and 143 as usual."""
    options = _options(argv)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    try:
        results = parse(json.loads(options.read.read_text(encoding="utf-8"))) if options.read else _measure(options)
    except KeyboardInterrupt:
        print("interrupted; nothing is left behind", file=sys.stderr)
        return 130
    except Failed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(tables(results))
    if options.output:
        _write(results, options.output)
    return 1 if any(outcome.missing for outcome in results.outcomes) else 0


def _measure(options: argparse.Namespace) -> Results:
    rounds = 1 if options.quick else options.rounds
    now = datetime.now(tz=timezone.utc)
    outcomes: list[Outcome] = []
    project = read_project(EXAMPLE, Path())
    with workplace(project.python, project.architecture) as place:
        machine = describe(place, python=project.python, architecture=project.architecture)
        machine["AWS SAM CLI"] = sam.VERSION
        if os.getloadavg()[0] > (os.cpu_count() or 1) / 2:
            print("warning: this machine is busy with something else; ratios will be wide", file=sys.stderr)
        for race in races(place, options.cases or list(CASES)):
            outcomes.append(hold(race, rounds=rounds, log=place.folder / "run.log"))
    return Results(day=now.date().isoformat(), rounds=rounds, machine=machine, outcomes=tuple(outcomes))


def _write(results: Results, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("benchmarks.json", json.dumps(document(results), indent=1) + "\n"),
        ("benchmarks.svg", picture(results)),
        ("benchmarks.md", page(results)),
    ):
        (folder / name).write_text(text, encoding="utf-8")


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Times lambdabuild and what people use today, as whole processes, in turn, on this machine.",
        epilog=_CASES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("cases", nargs="*", metavar="CASE", type=_case, help="[default: all]")
    parser.add_argument("--rounds", type=_count, default=3, metavar="N", help="counted rounds after a warm-up [3]")
    parser.add_argument("--quick", action="store_true", help="one counted round")
    parser.add_argument("--output", type=Path, metavar="DIR", help="write benchmarks.json, .svg and .md there")
    parser.add_argument("--read", type=Path, metavar="FILE", help="measure nothing: the figures of a benchmarks.json")
    return parser.parse_args(argv)


def _case(text: str) -> str:
    if text not in CASES:
        raise argparse.ArgumentTypeError(f"no case {text}; there are {', '.join(CASES)}")
    return text


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("a number from 1 on")
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
