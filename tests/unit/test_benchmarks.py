"""The benchmark's own parts: figures, runs, comparisons, tables, the picture and the generated monorepo."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.measure import Failed, Run, run
from benchmarks.monorepo import MODULES, POOL, Monorepo, files, write
from benchmarks.own import Own
from benchmarks.page import page, tables
from benchmarks.picture import picture
from benchmarks.projects import EXAMPLE, SMALL, Edited, Snapshot, read_project
from benchmarks.race import Contender, Race, hold
from benchmarks.results import Archive, Comparison, Contestant, Outcome, Results, Spread, document, parse, ratio, spread
from benchmarks.workplace import Workplace, environment
from lambdabuild.configfile import read_config

ROOT = Path(__file__).resolve().parents[2]


def contestant(name: str, label: str, *seconds: float, zipped: int = 0, peak: int = 50_000_000) -> Contestant:
    return Contestant(
        name=name,
        label=label,
        short=f"lambdabuild, {label}" if label.endswith(" functions") else name,
        runs=tuple(Run(seconds=one, cpu=one / 2, peak=peak) for one in seconds),
        archives=(Archive(name="layer.zip", zipped=zipped, unzipped=3 * zipped, files=3345),) if zipped else (),
    )


LAYER = Outcome(
    name="layer",
    title="Layer, cold",
    contestants=(
        contestant("classic", "pip & zip", 12.0, 10.0, 11.0, zipped=75_000_000),
        contestant("lambdabuild", "lambdabuild layer", 1.0, 2.0, 1.5, zipped=73_000_000, peak=200_000_000),
    ),
    comparisons=(
        Comparison(ours="lambdabuild", theirs="classic", at_least=6),
        Comparison(ours="lambdabuild", theirs="classic", at_least=8),
        Comparison(ours="lambdabuild", theirs="classic", figure="size", at_most=1.015),
        Comparison(ours="lambdabuild", figure="memory", at_most=150_000_000),
        Comparison(ours="lambdabuild", theirs="sam", at_least=8),
    ),
    missing={"sam build": "no end after 300 s: sam build\nsome output"},
)
SCALE = Outcome(
    name="monorepo-unchanged",
    title="Monorepo: unchanged",
    contestants=(contestant("n10", "10 functions", 0.1), contestant("n500", "500 functions", 0.25)),
    comparisons=(Comparison(ours="n500", theirs="n10", at_most=3),),
)
RESULTS = Results(day="2026-11-21", rounds=3, machine={"processor": "2 cores, a CPU"}, outcomes=(LAYER, SCALE))


def test_a_median_lies_between_the_smallest_and_the_largest() -> None:
    assert spread([3.0, 1.0, 2.0]) == Spread(median=2.0, low=1.0, high=3.0)
    assert spread([1.0, 4.0]) == Spread(median=2.5, low=1.0, high=4.0)
    with pytest.raises(ValueError, match="a median of nothing"):
        spread([])


def test_a_ratio_is_of_the_medians_and_its_spread_of_the_pairs() -> None:
    assert ratio([12.0, 10.0, 11.0], [1.0, 2.0, 1.5]) == Spread(median=11 / 1.5, low=5.0, high=12.0)
    with pytest.raises(ValueError, match="shorter than"):
        ratio([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("comparison", "median", "reached"),
    [
        (Comparison(ours="lambdabuild", theirs="classic", at_least=6), 11 / 1.5, True),
        (Comparison(ours="lambdabuild", theirs="classic", at_least=8), 11 / 1.5, False),
        (Comparison(ours="lambdabuild", theirs="classic", at_most=1), 1.5 / 11, True),
        (Comparison(ours="classic", theirs="lambdabuild", at_most=1), 11 / 1.5, False),
        (Comparison(ours="lambdabuild", theirs="classic", figure="size", at_most=1.015), 73 / 75, True),
        (Comparison(ours="lambdabuild", figure="memory", at_most=150_000_000), 200_000_000, False),
        (Comparison(ours="lambdabuild", theirs="classic"), 11 / 1.5, None),
    ],
)
def test_a_comparison_says_how_many_times_and_whether_that_is_enough(
    comparison: Comparison, median: float, reached: bool | None
) -> None:
    value = comparison.value(LAYER)
    assert value is not None
    assert value.median == pytest.approx(median)
    assert comparison.reached(LAYER) is reached


def test_nothing_is_said_of_who_was_not_measured() -> None:
    comparison = Comparison(ours="lambdabuild", theirs="sam", at_least=8)
    assert comparison.value(LAYER) is None
    assert comparison.reached(LAYER) is None


def test_results_survive_json() -> None:
    assert parse(json.loads(json.dumps(document(RESULTS)))) == RESULTS
    with pytest.raises(ValueError, match="not the results of this benchmark"):
        parse({"format": 2})


def test_the_tables() -> None:
    ratios, monorepos, figures = re.split(r"\n(?=## )", tables(RESULTS))
    assert ratios == (
        "## Ratios\n\n"
        "| case | lambdabuild | against | ratio | to reach | reached |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| Layer, cold | 1.50 s | pip & zip: 11.00 s | 7.3 times faster (5 to 12) | 6 times faster | yes |\n"
        "| Layer, cold | 1.50 s | pip & zip: 11.00 s | 7.3 times faster (5 to 12) | 8 times faster | **no** |\n"
        "| Layer, cold | 73,000,000 bytes | pip & zip: 75,000,000 bytes | 0.973 | at most 1.015 times | yes |\n"
        "| Layer, cold | 200 MB |  |  | under 150 MB | **no** |\n"
        "| Monorepo: unchanged, 500 functions | 0.25 s | 10 functions: 0.10 s | 2.5 times (2.5 to 2.5) "
        "| at most 3 times | yes |\n"
        "\n* Layer, cold: sam build was not measured: no end after 300 s\n"
    )
    assert monorepos == (
        "## Monorepos\n\n"
        "|  | unchanged |\n"
        "| --- | --- |\n"
        "| 10 functions | 0.10 s (0.10 to 0.10), 50 MB |\n"
        "| 500 functions | 0.25 s (0.25 to 0.25), 50 MB |\n"
    )
    assert figures == (
        "## All figures\n\n"
        "| case |  | time | processor time | memory | zipped | files |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
        "| Layer, cold | pip & zip | 11.00 s (10.00 to 12.00) | 5.50 s | 50 MB | 75 MB | 3,345 |\n"
        "|  | lambdabuild layer | 1.50 s (1.00 to 2.00) | 0.75 s | 200 MB | 73 MB | 3,345 |\n"
    )


def test_the_page_says_how_and_where() -> None:
    text = page(RESULTS)
    assert "Measured on 2026-11-21" in text
    assert ".venv/bin/python -m benchmarks --output docs" in text
    assert "![Seconds for the same work, side by side](benchmarks.svg)" in text
    assert "medians of 3 rounds" in text
    assert "* processor: 2 cores, a CPU\n" in text
    assert "{" not in text


def test_the_page_of_nothing_is_a_page() -> None:
    nothing = replace(RESULTS, outcomes=())
    assert tables(nothing) == ""
    assert ET.fromstring(picture(nothing)).tag == "{http://www.w3.org/2000/svg}svg"


def test_the_picture_is_to_scale_and_needs_nothing_else() -> None:
    text = picture(RESULTS)
    root = ET.fromstring(text)
    bars = root.findall("{http://www.w3.org/2000/svg}rect")
    widths = {bar.get("class"): float(bar.get("width", "")) for bar in bars}
    assert len(bars) == 2  # the monorepos are in a table
    assert widths["theirs"] / widths["ours"] == pytest.approx(11 / 1.5, rel=0.01)
    words = ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "classic" in words
    assert "1.50 s7.3 times faster" in words
    assert "prefers-color-scheme: dark" in text
    for foreign in ("<script", "href", "url(", "@import"):
        assert foreign not in text


def test_a_monorepo_is_as_large_as_it_is_asked_to_be() -> None:
    repo = Monorepo(functions=7, groups=3)
    made = dict(files(repo))
    assert len(made) == 1 + 7 * len(MODULES)
    assert made == dict(files(repo))
    for path, text in made.items():
        if path.endswith(".py"):
            compile(text, path, "exec")
    with pytest.raises(ValueError, match="at least one function and one group"):
        list(files(Monorepo(functions=0, groups=1)))


def test_a_monorepo_is_a_project_of_lambdabuild(tmp_path: Path) -> None:
    write(Monorepo(functions=7, groups=3), tmp_path)
    config = read_config(tmp_path)
    assert list(config.functions) == [f"fn-{number:04}" for number in range(7)]
    assert list(config.layers) == ["group-00", "group-01", "group-02"]
    assert config.functions["fn-0004"].layers == ("group-01",)


def test_the_handlers_of_a_monorepo_run(tmp_path: Path) -> None:
    write(Monorepo(functions=2, groups=1), tmp_path)
    ask = [sys.executable, "-B", "-c", "import handler; print(handler.handler({}, None))"]
    done = subprocess.run(ask, cwd=tmp_path / "functions" / "fn_0001", capture_output=True, text=True, check=True)
    assert done.stdout == "['fn-0001.models', 'fn-0001.rules', 'fn-0001.store', 'fn-0001.views']\n"


def test_the_groups_of_a_monorepo_take_each_distribution_of_the_pool() -> None:
    pyproject = dict(files(Monorepo(functions=1, groups=len(POOL))))["pyproject.toml"]
    assert all(f'"{name}"' in pyproject for name in POOL)


def shell(tmp_path: Path, script: str, *, timeout: float = 60) -> Run:
    return run(["sh", "-c", script], cwd=tmp_path, environ=os.environ, log=tmp_path / "log", timeout=timeout)


def test_a_run_is_timed_and_weighed_with_what_it_starts(tmp_path: Path) -> None:
    took = shell(tmp_path, f"{sys.executable} -c 'b = bytearray(120_000_000); sum(b)' && true")
    assert took.peak > 120_000_000
    assert took.cpu > 0
    assert took.seconds > 0.01


def test_a_failed_run_says_what_it_printed(tmp_path: Path) -> None:
    with pytest.raises(Failed) as failed:
        shell(tmp_path, "echo no such thing >&2; exit 3")
    assert str(failed.value) == "exit 3: sh -c echo no such thing >&2; exit 3\nno such thing"


def test_a_run_that_does_not_end_is_ended_with_what_it_started(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    started = time.monotonic()
    with pytest.raises(Failed, match=r"^no end after 0 s: "):
        shell(tmp_path, "sleep 60 > pipe & wait", timeout=0.2)
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b""  # when nobody is left who could write
    os.close(reader)
    assert time.monotonic() - started < 30


def contender(tmp_path: Path, name: str, script: str, archives: tuple[str, ...] = ()) -> Contender:
    return Contender(
        name=name,
        label=f"the {name}",
        short=name,
        argv=["sh", "-c", script],
        cwd=tmp_path,
        environ=os.environ,
        archives=[tmp_path / archive for archive in archives],
    )


def test_contenders_run_in_turn_and_the_first_round_is_not_counted(tmp_path: Path) -> None:
    race = Race(
        name="race",
        title="A race",
        contenders=[contender(tmp_path, "a", "printf a >> trace"), contender(tmp_path, "b", "printf b >> trace")],
    )
    outcome = hold(race, rounds=2, log=tmp_path / "log")
    assert (tmp_path / "trace").read_text() == "ababab"
    assert [len(one.runs) for one in outcome.contestants] == [2, 2]


def test_a_contender_that_fails_or_makes_nothing_is_out_of_the_race(tmp_path: Path) -> None:
    race = Race(
        name="race",
        title="A race",
        contenders=[
            contender(tmp_path, "a", "printf a >> trace"),
            contender(tmp_path, "b", "printf b >> trace; exit 1"),
            contender(tmp_path, "c", "printf c >> trace", ("layer.zip",)),
        ],
    )
    outcome = hold(race, rounds=1, log=tmp_path / "log")
    assert (tmp_path / "trace").read_text() == "abca"
    assert [one.name for one in outcome.contestants] == ["a"]
    assert list(outcome.missing) == ["the b", "the c"]
    assert outcome.missing["the c"].startswith("layer.zip was not made: ")


def test_an_edit_changes_the_content_and_not_the_length(tmp_path: Path) -> None:
    file = tmp_path / "jobs.py"
    file.write_text("JOBS = 1\n")
    edited = Edited(file)
    seen = []
    for _ in range(3):
        edited.edit()
        seen.append(file.read_text())
    assert len(set(seen)) == 3
    assert {len(text) for text in seen} == {len(seen[0])}


def test_a_snapshot_brings_back_what_was_there(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "kept").write_text("as it was")
    snapshot = Snapshot([folder])
    snapshot.save()
    (folder / "kept").write_text("other")
    (folder / "new").write_text("")
    snapshot.restore()
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("kept", "as it was")]


def example(tmp_path: Path) -> Own:
    """lambdabuild on a copy of the example's pyproject.toml."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_bytes((EXAMPLE / "pyproject.toml").read_bytes())
    place = Workplace(folder=tmp_path, environ={"PATH": "/bin"}, image_template="", docker=None)
    return Own(place=place, project=read_project(project, tmp_path / "cache"), builder="host")


def test_nothing_was_built_and_all_was_downloaded(tmp_path: Path) -> None:
    project = example(tmp_path).project
    kept = project.cache / "v7" / "wheels" / "ab" / "abcd"
    gone = (project.cache / "v7" / "segments" / "a", project.cache / "locks" / "a", project.output / "layer.zip")
    for path in (kept, *gone):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
    project.forget()
    assert kept.exists()
    assert not any(path.exists() for path in gone)


def test_lambdabuild_is_measured_as_the_others_are_and_as_it_comes(tmp_path: Path) -> None:
    own = example(tmp_path)
    plain, proof = own.layer(), replace(own, proof=True).layer()
    assert (plain.name, plain.label) == ("lambdabuild", "lambdabuild layer --builder host --no-verify")
    assert (proof.name, proof.label) == ("proof", "lambdabuild layer --builder host")
    assert proof.argv[1:] == ["layer", "--builder", "host", "--project", str(own.project.folder)]
    assert proof.environ == {"PATH": "/bin", "LAMBDABUILD_CACHE_DIR": str(own.project.cache)}
    assert read_config(own.project.folder).transforms.compression == "fast"
    assert own.small_layer().label == 'lambdabuild layer --builder host --no-verify, compression = "small"'
    assert read_config(own.project.folder).transforms.compression == "small"


def test_the_small_project_is_one_of_lambdabuild(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(SMALL)
    assert list(read_config(tmp_path).functions) == list(read_project(tmp_path, tmp_path).functions) == ["app"]


def test_contenders_see_the_index_and_no_wheels_of_the_machine(tmp_path: Path) -> None:
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nindex-url = https://index.example/simple\nfind-links = /some/wheels\n")
    given = {"PIP_CONFIG_FILE": str(config), "PIP_FIND_LINKS": "/some/wheels", "SSL_CERT_FILE": "/ca.pem"}
    made = environment(given, tmp_path)
    assert made["PIP_INDEX_URL"] == "https://index.example/simple"
    assert made["PIP_CONFIG_FILE"] == os.devnull
    assert made["SSL_CERT_FILE"] == "/ca.pem"
    assert "PIP_FIND_LINKS" not in made
    assert (
        environment({**given, "PIP_INDEX_URL": "https://own/simple"}, tmp_path)["PIP_INDEX_URL"] == "https://own/simple"
    )


def test_a_case_that_there_is_not() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "nonsense"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.endswith(
        "error: argument CASE: no case nonsense; there are layer, dependency, unchanged, floor, code, fat, all, host, "
        "small, size, monorepo\n"
    )
