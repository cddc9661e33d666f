"""The interpreter's account of an import, read and attributed."""

from __future__ import annotations

import subprocess
import sys

from lambdabuild.model.importtime import (
    NAMESPACE,
    NOT_FOUND,
    RUNTIME,
    STANDARD_LIBRARY,
    Imported,
    Owners,
    Profile,
    Total,
    parse_importtime,
    profile_document,
    profile_text,
    with_owners,
)
from lambdabuild.model.tree import SOURCES

TEXT = """\
import time: self [us] | cumulative | imported package
import time:       100 |        100 | shop
said on the way, without an end of lineimport time:        40 |         40 |     pyarrow.lib
import time:       260 |        300 |   pyarrow
import time:        50 |         50 |   json
import time:       150 |        500 | shop.app
"""
ORIGINS = {
    "shop": "/var/task/shop/__init__.py",
    "shop.app": "/var/task/shop/app.py",
    "pyarrow": "/opt/python/pyarrow/__init__.py",
    "pyarrow.lib": "/opt/python/pyarrow/lib.so",
    "json": "/usr/lib/python3.13/json/__init__.py",
    "google": None,
    "google.auth": "/opt/python/google/auth/__init__.py",
    "boto3": "/var/lang/lib/python3.13/site-packages/boto3/__init__.py",
    "awslambdaric": "/var/runtime/awslambdaric/__init__.py",
    "sys": "built-in",
    "own": "/opt/python/own.py",
    "greet": "/var/task/greet.py",
}
OWNERS = Owners(layers={"pyarrow": "pyarrow 26.0.0", "google.auth": "google-auth 2.0"}, function={"greet": "greet 1.0"})

LIB = Imported(name="pyarrow.lib", own=40, cumulative=40)
PYARROW = Imported(name="pyarrow", own=260, cumulative=300, children=(LIB,))
JSON = Imported(name="json", own=50, cumulative=50)
TREE = (
    Imported(name="shop", own=100, cumulative=100),
    Imported(name="shop.app", own=150, cumulative=500, children=(PYARROW, JSON)),
)


def profile() -> Profile:
    modules = with_owners(TREE, ORIGINS, OWNERS)
    return Profile(archive="api.zip", handler="shop.app", target="python3.13 x86_64", modules=modules)


def test_the_tree() -> None:
    assert parse_importtime(TEXT) == TREE


def test_lines_that_miss_their_parent_are_kept() -> None:
    text = "import time: 1 | 1 |     deep\nimport time: 2 | 2 | top\nimport time: 3 | 3 |   left\n"
    assert parse_importtime(text) == (
        Imported(name="top", own=2, cumulative=2, children=(Imported(name="deep", own=1, cumulative=1),)),
        Imported(name="left", own=3, cumulative=3),
    )


def test_what_an_interpreter_writes() -> None:
    argv = [sys.executable, "-I", "-X", "importtime", "-c", "import json.tool"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    tree = parse_importtime(done.stderr)
    (tool,) = [module for module in tree if module.name == "json.tool"]
    decoders = [module.name for module in tool.walk() if module.name.startswith("json.")]
    assert decoders[0] == "json.tool"
    assert "json.decoder" in decoders
    assert all(module.cumulative >= module.own for top in tree for module in top.walk())


def test_whose_a_module_is() -> None:
    owners = {name: OWNERS.of(name, ORIGINS) for name in (*ORIGINS, "pyarrow._gone", "_winapi")}
    assert owners == {
        "shop": SOURCES,
        "shop.app": SOURCES,
        "pyarrow": "pyarrow 26.0.0",
        "pyarrow.lib": "pyarrow 26.0.0",
        "json": STANDARD_LIBRARY,
        "google": NAMESPACE,
        "google.auth": "google-auth 2.0",
        "boto3": RUNTIME,
        "awslambdaric": RUNTIME,
        "sys": STANDARD_LIBRARY,
        "own": SOURCES,
        "greet": "greet 1.0",
        "pyarrow._gone": "pyarrow 26.0.0",
        "_winapi": NOT_FOUND,
    }


def test_totals() -> None:
    assert profile().total == 600
    assert profile().totals() == (
        Total(owner="pyarrow 26.0.0", own=300, modules=2),
        Total(owner=SOURCES, own=250, modules=2),
        Total(owner=STANDARD_LIBRARY, own=50, modules=1),
    )


def test_the_tables() -> None:
    assert profile_text(profile(), most=3) == [
        "  cumulative    self  module    distribution",
        "      0.5 ms  0.1 ms  shop.app  (sources)",
        "      0.3 ms  0.3 ms  pyarrow   pyarrow 26.0.0",
        "      0.1 ms  0.1 ms  shop      (sources)",
        "  … and 2 more",
        "",
        "    self  modules  distribution",
        "  0.3 ms        2  pyarrow 26.0.0",
        "  0.2 ms        2  (sources)",
        "  0.1 ms        1  (standard library)",
        "",
        "shop.app of api.zip: 0.6 ms for 5 modules, python3.13 x86_64",
    ]


def test_as_json() -> None:
    document = profile_document(profile())
    assert document["seconds"] == 0.0006
    assert document["distributions"][0] == {"name": "pyarrow 26.0.0", "self_seconds": 0.0003, "modules": 2}
    assert document["modules"][1]["imports"][0] == {
        "name": "pyarrow",
        "distribution": "pyarrow 26.0.0",
        "self_seconds": 0.00026,
        "cumulative_seconds": 0.0003,
        "imports": [
            {
                "name": "pyarrow.lib",
                "distribution": "pyarrow 26.0.0",
                "self_seconds": 0.00004,
                "cumulative_seconds": 0.00004,
                "imports": [],
            }
        ],
    }
