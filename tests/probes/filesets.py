#!/usr/bin/env python3
"""Holds what lambdabuild packs against what ``uv pip install --target`` lays down, file by file, of the same pins.

    tests/probes/filesets.py                      all of filesets.toml
    tests/probes/filesets.py pandas jupyterlab    these
    tests/probes/filesets.py --output docs        writes docs/filesets.md instead of printing it

Each set is built twice by the host builder: with nothing slimmed, and with the defaults. A difference has to follow
from one of the rules below; the exit code is 1 when one does not, or a build fails.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath

import tomli
from uv import find_uv_bin

TABLE = Path(__file__).with_name("filesets.toml")
PLATFORMS = {"3.10": "manylinux_2_17", "3.11": "manylinux_2_17"}
"""What uv is told for a runtime, where it is not the newest of Amazon Linux 2023."""
NEWEST = "manylinux_2_34"
OWN = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"})
"""What an installer writes of itself into the metadata."""
KEPT = frozenset({"METADATA", "entry_points.txt", "top_level.txt"})
"""What slimming keeps of the metadata."""
RULES = {
    "installer": "what an installer writes of itself is left out: INSTALLER, REQUESTED, direct_url.json, .lock",
    "bytecode": "`__pycache__` and other bytecode beside its source is left out",
    "launcher": "the first line of a launcher names the runtime's Python",
    "record": "RECORD is each installer's own: its mode, its launchers, what it writes of itself",
    "metadata": "slimming leaves out all metadata but METADATA, entry_points.txt and top_level.txt",
    "tests": "slimming leaves out the folders `test` and `tests`, where nothing asks for what is in them",
    "top_level": "slimming adds the top_level.txt that a wheel lacks",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSet:
    """One row of the table."""

    name: str
    requirements: tuple[str, ...]
    python: str
    architecture: str
    as_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """An archive beside a tree."""

    files: int
    """In the tree."""
    rules: Mapping[str, int]
    """How many differences follow from which rule."""
    unexplained: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a set."""

    name: str
    pins: Sequence[str] = ()
    whole: Comparison | None = None
    slimmed: Comparison | None = None
    errors: Sequence[str] = field(default=())

    @property
    def holds(self) -> bool:
        made = (self.whole, self.slimmed)
        return not self.errors and all(one is not None and not one.unexplained for one in made)


def read_table(path: Path = TABLE) -> dict[str, FileSet]:
    """The sets by name, in their order."""
    document = tomli.loads(path.read_text())
    return {
        name: FileSet(
            name=name,
            requirements=tuple(row["requirements"]),
            python=row.get("python", document["python"]),
            architecture=row.get("architecture", "x86_64"),
            as_of=document["as-of"],
        )
        for name, row in document["sets"].items()
    }


def compare(tree: Path, archive: Path, *, slimmed: bool) -> Comparison:
    """Every file of both: which there are, what they hold, and whether they are executable."""
    laid = {path.relative_to(tree).as_posix(): path for path in tree.rglob("*") if path.is_file()}
    rules: Counter[str] = Counter()
    unexplained: list[str] = []
    with zipfile.ZipFile(archive) as packed:
        members = {member.filename.removeprefix("python/"): member for member in packed.infolist()}
        for path in sorted(laid.keys() | members.keys()):
            if path not in members:
                rule, problem = _left_out(path, slimmed=slimmed), "is not in the archive"
            elif path not in laid:
                rule, problem = _added(path, slimmed=slimmed), "is in the archive alone"
            else:
                member, file = members[path], laid[path]
                rule, problem = _changed(path, file.read_bytes(), packed.read(member)), "has another content"
                executable = bool(member.external_attr >> 16 & 0o111), bool(file.stat().st_mode & 0o111)
                if not path.endswith(".dist-info/RECORD") and executable[0] != executable[1]:
                    rule, problem = None, "is executable in one of them"
            if rule is None:
                unexplained.append(f"{path} {problem}")
            elif rule:
                rules[rule] += 1
    return Comparison(files=len(laid), rules=dict(sorted(rules.items())), unexplained=tuple(unexplained))


def _left_out(path: str, *, slimmed: bool) -> str | None:
    *folders, name = PurePosixPath(path).parts
    in_metadata = any(folder.endswith((".dist-info", ".egg-info")) for folder in folders)  # those of vendored ones, too
    if path == ".lock" or (in_metadata and len(folders) == 1 and name in OWN - {"RECORD"}):
        return "installer"
    if "__pycache__" in folders or name.endswith((".pyc", ".pyo")):
        return "bytecode"
    if slimmed and in_metadata and name not in KEPT:
        return "metadata"
    return "tests" if slimmed and {"test", "tests"}.intersection(folders) else None


def _added(path: str, *, slimmed: bool) -> str | None:
    return "top_level" if slimmed and path.endswith(".dist-info/top_level.txt") else None


def _changed(path: str, laid: bytes, packed: bytes) -> str | None:
    """Empty for what is the same."""
    if laid == packed:
        return ""
    if path.startswith("bin/") and laid[:2] == packed[:2] == b"#!":
        return "launcher" if laid.partition(b"\n")[2] == packed.partition(b"\n")[2] else None
    if path.endswith(".dist-info/RECORD"):
        return "record" if dict(_rows(laid)) == dict(_rows(packed)) else None
    return None


def _rows(record: bytes) -> Iterator[tuple[str, Sequence[str]]]:
    """Without what is not the wheel's: the metadata of installers, launchers and bytecode."""
    for path, *rest in csv.reader(record.decode().splitlines()):
        if PurePosixPath(path).name not in OWN and "bin/" not in path[:9] and "__pycache__" not in path:
            yield path, rest


def hold(one: FileSet, folder: Path) -> Result:
    """Build a set both ways, install it by uv, and compare."""
    slim, whole = folder / "slimmed", folder / "whole"
    _write_project(one, slim, [])
    _write_project(one, whole, ['tests = "keep"', 'dist-info = "keep"'])
    errors = [error for project in (whole, slim) if (error := _build(project))]
    if errors:
        return Result(name=one.name, errors=errors)
    manifest = json.loads((whole / "dist" / "lambda" / "manifest.json").read_text())
    pins = [f"{row['name']}=={row['version']}" for row in manifest["artifacts"][0]["distributions"]]
    if error := _install(one, pins, folder / "uv"):
        return Result(name=one.name, pins=pins, errors=[error])
    archive = Path("dist", "lambda", "layer.zip")
    return Result(
        name=one.name,
        pins=pins,
        whole=compare(folder / "uv", whole / archive, slimmed=False),
        slimmed=compare(folder / "uv", slim / archive, slimmed=True),
    )


def _write_project(one: FileSet, folder: Path, keys: Sequence[str]) -> None:
    lines = [
        f'[project]\nname = "probe"\nversion = "1"\nrequires-python = "=={one.python}.*"',
        f"[tool.uv]\nexclude-newer = {json.dumps(one.as_of)}",
        f'[tool.lambdabuild]\npython = "{one.python}"\narchitecture = "{one.architecture}"\nboto3 = "bundle"',
        *keys,
        f"[tool.lambdabuild.layers.layer]\nrequirements = {json.dumps(one.requirements)}",
    ]
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text("\n".join(lines) + "\n")


def _build(project: Path) -> str | None:
    # Kept whole, some are more than a function may have: that is not what is tried here.
    options = ["--builder", "host", "--no-verify", "--skip-validation", "--upload", "s3", "--project", str(project)]
    return _failure([sys.executable, "-m", "lambdabuild", "layer", *options])


def _install(one: FileSet, pins: Sequence[str], target: Path) -> str | None:
    platform = f"{one.architecture.replace('arm64', 'aarch64')}-{PLATFORMS.get(one.python, NEWEST)}"
    options = ["--no-deps", "--only-binary", ":all:", "--python-platform", platform, "--python-version", one.python]
    options += ["--no-config", "--quiet", "--exclude-newer", one.as_of, "--python", sys.executable]
    return _failure([find_uv_bin(), "pip", "install", "--target", str(target), *options, *pins])


def _failure(argv: Sequence[str]) -> str | None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"exit status {done.returncode}: {done.stderr.strip()[-600:]}"


def page(results: Sequence[Result], *, day: str, versions: str) -> str:
    """The results in Markdown."""
    rows = ["| set | distributions | files | nothing slimmed | by default |", "|---|--:|--:|---|---|"]
    for result in results:
        if result.whole is None or result.slimmed is None:
            rows.append(f"| {result.name} | {len(result.pins)} | | **not built** | |")
            continue
        cells = (
            result.name,
            str(len(result.pins)),
            f"{result.whole.files:,}",
            *map(_told, (result.whole, result.slimmed)),
        )
        rows.append(f"| {' | '.join(cells)} |")
    pins = "".join(f"* {result.name}: {', '.join(result.pins)}\n" for result in results if result.pins)
    rules = "".join(f"* {name}: {what}\n" for name, what in RULES.items())
    return (
        "# What is packed, beside what uv lays down\n\n"
        f"{len(results)} sets of distributions, each a layer of the host builder, beside `uv pip install --target "
        f"--python-platform … --only-binary :all:` of the same pins, on {day} with {versions}. "
        f"{sum(result.holds for result in results)} of them differ by the rules below alone. To see it again:\n\n"
        "```sh\ntask filesets -- --output docs\n```\n\n"
        + "\n".join(rows)
        + f"\n\nA number is how many files a rule is the reason for:\n\n{rules}\n## The pins\n\n{pins}"
    )


def _told(one: Comparison) -> str:
    rules = ", ".join(f"{name} {count:,}" for name, count in one.rules.items()) or "the same files"
    return f"{rules}; **{len(one.unexplained)} more**" if one.unexplained else rules


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Hold what lambdabuild packs against what uv pip install lays down.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="sets of filesets.toml [default: all]")
    parser.add_argument("--jobs", type=int, default=1, help="how many at once [default: 1]")
    parser.add_argument("--output", type=Path, metavar="DIR", help="write filesets.md there")
    parsed = parser.parse_args(argv)
    if unknown := set(parsed.names) - set(read_table()):
        parser.error(f"no such set: {', '.join(sorted(unknown))}")
    return parsed


def main(argv: Sequence[str] | None = None) -> int:
    options = parse_arguments(argv)
    sets = [one for name, one in read_table().items() if not options.names or name in options.names]

    def run(one: FileSet) -> Result:
        with tempfile.TemporaryDirectory(prefix="lambdabuild-filesets-") as temporary:
            result = hold(one, Path(temporary))
        print(f"{one.name}: {'holds' if result.holds else 'DIFFERS'}", file=sys.stderr, flush=True)
        for comparison in filter(None, (result.whole, result.slimmed)):
            for line in comparison.unexplained[:20]:
                print(f"  {line}", file=sys.stderr)
        for error in result.errors:
            print(f"  {error}", file=sys.stderr)
        return result

    with ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(run, sets))
    commands = ([sys.executable, "-m", "lambdabuild", "--version"], [find_uv_bin(), "--version"])
    told = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for command in commands]
    versions = f"lambdabuild {told[0][-1]} and uv {told[1][1]}"
    text = page(results, day=datetime.now(tz=timezone.utc).date().isoformat(), versions=versions)
    if options.output:
        (options.output / "filesets.md").write_text(text)
    else:
        print(text)
    return 0 if all(result.holds for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
