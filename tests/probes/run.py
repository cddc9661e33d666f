#!/usr/bin/env python3
"""Builds well-known distributions with default slimming and uses each in the Lambda image: none may fail.

    tests/probes/run.py                        all of probes.toml
    tests/probes/run.py flask moto             these
    tests/probes/run.py --slimming strip       what fails when metadata and tests are left out whatever asks for them

Each probe is a project of its own, a layer and a slim function, that ``lambdabuild package`` builds and
``lambdabuild invoke`` runs. The exit code is 1 when one of them fails.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import tomli

TABLE = Path(__file__).with_name("probes.toml")
HANDLER = '''"""Uses what the layer holds: an answer is a proof, and whatever is raised is a failure."""


def handler(event, context):
    import use

    return {"used": use.__name__}
'''
ANSWER = {"used": "use"}
BUG = 5
"""The exit code of lambdabuild for a mistake of its own."""
TIMEOUT = 120
"""Seconds that the lines of one probe may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One row of the table."""

    name: str
    requirements: tuple[str, ...]
    use: str
    needs: tuple[str, ...]
    python: str
    as_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a probe."""

    name: str
    requirements: tuple[str, ...]
    python: str
    needs: tuple[str, ...]
    error: str | None
    """None when it works; else what says why not."""
    phase: str
    """How far it came: ``build`` or ``use``."""
    unzipped_size: int
    """Bytes of the layer."""
    metadata_size: int
    """Bytes of it that are metadata: what slimming found to be needed."""
    tests_size: int
    """Bytes of it in folders of tests, likewise."""
    build_seconds: float
    use_seconds: float


def read_table(path: Path = TABLE) -> dict[str, Probe]:
    """The probes by name, in their order."""
    document = tomli.loads(path.read_text())
    return {
        name: Probe(
            name=name,
            requirements=tuple(row["requirements"]),
            use=row["use"],
            needs=tuple(row.get("needs", ())),
            python=row.get("python", document["python"]),
            as_of=document["as-of"],
        )
        for name, row in document["probes"].items()
    }


def make_project(probe: Probe, folder: Path, *, slimming: str) -> None:
    """A project with the probe's requirements as its layer and its lines as its function."""
    lines = [
        '[project]\nname = "probe"\nversion = "1"',
        f'requires-python = "=={probe.python}.*"',
        f"[tool.uv]\nexclude-newer = {json.dumps(probe.as_of)}",
        f"[tool.lambdabuild]\npython = {json.dumps(probe.python)}",
        *(f"{key} = {json.dumps(slimming)}" for key in ("dist-info", "tests") if slimming != "auto"),
        f"[tool.lambdabuild.layers.layer]\nrequirements = {json.dumps(probe.requirements)}",
        '[tool.lambdabuild.functions.probe]\nhandler = "function::probe.handler"\nrequirements = false',
    ]
    function = folder / "function"
    function.mkdir(parents=True)
    (folder / "pyproject.toml").write_text("\n".join(lines) + "\n")
    (function / "probe.py").write_text(HANDLER)
    (function / "use.py").write_text(probe.use)


def run_probe(probe: Probe, folder: Path, *, slimming: str) -> Result:
    """Build it and use it, in ``folder``, which is new."""
    make_project(probe, folder, slimming=slimming)
    start = time.monotonic()
    build = ["package", "--builder", "docker", "--no-verify", "--project", str(folder)]
    # Kept whole, some are more than a function may have: that is not what is tried here.
    error = _failure(_lambdabuild(*build, *(["--skip-validation"] if slimming != "auto" else [])))
    built = time.monotonic()
    phase, sizes = "build", (0, 0, 0)
    if error is None:
        phase, sizes = "use", measure(folder / "dist" / "lambda" / "layer.zip")
        error = _used(_lambdabuild("invoke", "probe", "--json", "--timeout", str(TIMEOUT), "--project", str(folder)))
    return Result(
        name=probe.name,
        requirements=probe.requirements,
        python=probe.python,
        needs=probe.needs,
        error=error,
        phase=phase,
        unzipped_size=sizes[0],
        metadata_size=sizes[1],
        tests_size=sizes[2],
        build_seconds=round(built - start, 2),
        use_seconds=round(time.monotonic() - built, 2),
    )


def measure(layer: Path) -> tuple[int, int, int]:
    """The bytes of a layer: all, those of metadata, and those in folders of tests."""
    total = metadata = tests = 0
    with zipfile.ZipFile(layer) as archive:
        for member in archive.infolist():
            folders = PurePosixPath(member.filename).parts[:-1]
            total += member.file_size
            if any(part.endswith(".dist-info") for part in folders):
                metadata += member.file_size
            elif {"test", "tests"}.intersection(folders):
                tests += member.file_size
    return total, metadata, tests


def _lambdabuild(*argv: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lambdabuild", *argv]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)


def _failure(done: subprocess.CompletedProcess[str]) -> str | None:
    """What a command that failed says, without the progress before it; a bug tells all."""
    if done.returncode == 0:
        return None
    _, found, message = done.stderr.rpartition("\nerror: ") if done.returncode != BUG else ("", "", "")
    return message.strip() if found else f"exit status {done.returncode}: {done.stderr.strip()}"


def _used(done: subprocess.CompletedProcess[str]) -> str | None:
    """Why an invocation is no proof; None when it is one."""
    if not done.stdout:
        return _failure(done) or "no answer"
    answer = json.loads(done.stdout)
    error = answer["error"]
    if error is not None:
        trace = error.get("trace")  # of the function; an invocation that did not come so far has none
        where = trace[-1].strip().splitlines()[-1].strip() if trace else ""
        return f"{error.get('type', error.get('code'))}: {error['message'] or where}"
    return None if answer["response"] == ANSWER else f"answered {answer['response']!r}"


def describe(results: Sequence[Result]) -> str:
    """The results as a table in Markdown."""
    rows = ["| probe | distributions | python | works | layer | metadata kept | tests kept |"]
    rows.append("|---|---|---|---|--:|--:|--:|")
    for result in results:
        works = "yes" if result.error is None else f"**no** ({result.phase})"
        sizes = (result.unzipped_size, result.metadata_size, result.tests_size)
        cells = (result.name, ", ".join(result.requirements), result.python, works, *map(_kilobytes, sizes))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _kilobytes(size: int) -> str:
    return f"{size / 1000:,.1f} kB" if size else ""


def _last_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()[-300:]


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build well-known distributions and use each in the Lambda image.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="probes of probes.toml [default: all]")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once [default: one a core]")
    parser.add_argument("--slimming", choices=("auto", "strip", "keep"), default="auto", help="[default: auto]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    parser.add_argument("--folder", type=Path, help="keep the projects there, to look at [default: removed]")
    parsed = parser.parse_args(argv)
    unknown = set(parsed.names) - set(read_table())
    if unknown:
        parser.error(f"no such probe: {', '.join(sorted(unknown))}")
    return parsed


def main(argv: Sequence[str] | None = None) -> int:
    options = parse_arguments(argv)
    probes = [probe for name, probe in read_table().items() if not options.names or name in options.names]
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lambdabuild-probes-") as temporary:
        folder = options.folder or Path(temporary)

        def run(probe: Probe) -> Result:
            result = run_probe(probe, folder / probe.name, slimming=options.slimming)
            state = "works" if result.error is None else f"FAILS ({result.phase}): {_last_line(result.error)}"
            print(f"{probe.name}: {state}", file=sys.stderr, flush=True)
            return result

        with ThreadPoolExecutor(options.jobs) as pool:
            results = list(pool.map(run, probes))
    print(describe(results))
    failed = [result.name for result in results if result.error is not None]
    print(f"\n{len(results)} probes, {len(failed)} failed, {time.monotonic() - start:.0f} s: {', '.join(failed)}")
    if options.slimming == "strip":
        unnoticed = [result.name for result in results if result.needs and result.error is None]
        print(f"work without what they are said to need: {', '.join(unnoticed) or 'none'}")
    if options.json:
        options.json.write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
