"""A dozen of tests/probes: well-known distributions, built with default slimming and used in the Lambda image."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RUN = Path(__file__).parents[1] / "probes" / "run.py"
CHOSEN = (
    "pydantic-email",  # metadata of another distribution, by its name
    "click",  # by a name that is given
    "jsonschema",  # its own
    "importlib-metadata",  # with the backport
    "apscheduler-pkg-resources",  # with setuptools
    "sentry-flask",  # of whatever there is
    "function-looks-up",  # by the function's code
    "keyring",  # entry points that nobody misses
    "markdown",  # entry points that are missed
    "opentelemetry-older",  # entry points, of which the first is taken
    "scipy-numpy22",  # a test module that is imported
    "django",  # a package called test that is no test
    "ruamel-yaml",  # a namespace
)
STRIPPED = {
    "importlib-metadata": "PackageNotFoundError: No package metadata was found for importlib_metadata",
    "opentelemetry-older": "StopIteration: return next(  # type: ignore",
    "scipy-numpy22": "ModuleNotFoundError: No module named 'numpy._core.tests'",
}

Results = dict[str, dict[str, Any]]


def run(names: tuple[str, ...], folder: Path, environ: Mapping[str, str], *options: str, code: int) -> Results:
    made = folder / "results.json"
    command = [sys.executable, RUN, *names, "--json", made, *options]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return {result["name"]: result for result in json.loads(made.read_text())}


def test_none_fails_with_default_slimming(tmp_path: Path, environ: Mapping[str, str]) -> None:
    results = run(CHOSEN, tmp_path, environ, code=0)
    assert {name: result["error"] for name, result in results.items()} == dict.fromkeys(CHOSEN)
    for result in results.values():
        kept = {"dist-info": result["metadata_size"] > 0, "tests": result["tests_size"] > 0}
        assert all(kept[need] for need in result["needs"]), result["name"]


def test_they_fail_without_what_they_need(tmp_path: Path, environ: Mapping[str, str]) -> None:
    results = run(tuple(STRIPPED), tmp_path, environ, "--slimming", "strip", code=1)
    assert {name: result["error"] for name, result in results.items()} == STRIPPED
    assert {(result["phase"], result["metadata_size"], result["tests_size"]) for result in results.values()} == {
        ("use", 0, 0)
    }
