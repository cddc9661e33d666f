"""The table of tests/probes: complete, pinned, and able to run without a network."""

import ast
import re
from pathlib import Path

import pytest
import tomli

TABLE = tomli.loads(Path(__file__).parents[1].joinpath("probes", "probes.toml").read_text())
PROBES = TABLE["probes"]
PIN = re.compile(r"(?P<name>[\w.-]+)(\[[\w,-]+\])?==[\w.]+")
KNOWN_TO_NEED_METADATA = {
    *("email-validator", "fastapi", "openai", "anthropic", "transformers", "huggingface-hub", "xarray", "dask", "moto"),
    *("elasticsearch", "paramiko", "importlib-metadata", "jsonschema", "flask", "click", "structlog", "attrs"),
    *("opentelemetry-distro", "opentelemetry-sdk", "keyring", "sqlalchemy", "fsspec", "networkx"),
}


def names(probe: str) -> set[str]:
    pins = [PIN.fullmatch(requirement) for requirement in PROBES[probe]["requirements"]]
    return {pin["name"] for pin in pins if pin is not None}


def test_the_table_has_what_is_known_to_break() -> None:
    assert len(PROBES) >= 60
    needing = set().union(*(names(probe) for probe, row in PROBES.items() if "dist-info" in row.get("needs", ())))
    assert needing >= KNOWN_TO_NEED_METADATA
    tests = [probe for probe, row in PROBES.items() if "tests" in row.get("needs", ())]
    assert {"numpy", "scipy"} <= set().union(*map(names, tests))


@pytest.mark.parametrize("probe", PROBES)
def test_a_probe_is_pinned_and_asserts(probe: str) -> None:
    row = PROBES[probe]
    assert set(row) <= {"requirements", "use", "needs", "python"}
    assert len(names(probe)) == len(row["requirements"]), "not pinned"
    assert set(row.get("needs", ())) <= {"dist-info", "tests"}
    asserts = [node for node in ast.walk(ast.parse(row["use"])) if isinstance(node, ast.Assert)]
    assert asserts, "an import alone proves little"
