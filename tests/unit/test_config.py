"""model.config, model.configvalues and model.typed: whole messages, and agreement with the published schema."""

from __future__ import annotations

import importlib.resources
import json
import re
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdabuild.configfile import parse_toml, read_runtimes
from lambdabuild.errors import ConfigError
from lambdabuild.model.config import (
    FUNCTION_KEYS,
    LAYER_KEYS,
    PROJECT_KEYS,
    FunctionConfig,
    LayerConfig,
    ProjectConfig,
    parse_config,
)
from lambdabuild.model.configvalues import find_image_problem
from lambdabuild.model.typed import find_near, key_path, kind, quote

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
SCHEMA = json.loads((importlib.resources.files("lambdabuild.resources") / "config.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)


def parse(toml: str, *, project: str = '[project]\nname = "shop"\n') -> ProjectConfig:
    return parse_config(parse_toml(project + toml, origin="test"), pythons=PYTHONS)


def problems(toml: str, *, project: str = '[project]\nname = "shop"\n') -> list[str]:
    """What parse_config says, without the file's name, which each line must begin with."""
    with pytest.raises(ConfigError) as caught:
        parse(toml, project=project)
    assert all(problem.startswith("pyproject.toml: ") for problem in caught.value.problems)
    return [problem.removeprefix("pyproject.toml: ") for problem in caught.value.problems]


def schema_accepts(toml: str) -> bool:
    table = parse_toml(toml, origin="test").get("tool", {}).get("lambdabuild", {})
    return bool(VALIDATOR.is_valid(table))


def lines(*texts: str) -> str:
    return "\n".join(texts)


def layer(body: str) -> str:
    return f"[tool.lambdabuild.layers.deps]\n{body}"


def function(body: str) -> str:
    return f'[tool.lambdabuild.functions.api]\nhandler = "shop.api.handler"\n{body}'


def handler(text: str) -> str:
    return f"[tool.lambdabuild.functions.api]\nhandler = {text}"


def table(body: str) -> str:
    return f"[tool.lambdabuild]\n{body}"


def default_config(**values: Any) -> ProjectConfig:
    return ProjectConfig(name="shop", **values)


def with_layer(**values: Any) -> ProjectConfig:
    return default_config(layers={"deps": LayerConfig(name="deps", **values)})


def with_function(handler: str = "shop.api.handler", **values: Any) -> ProjectConfig:
    return default_config(functions={"api": FunctionConfig(name="api", handler=handler, **values)})


FULL = """
[tool.lambdabuild]
python = "python3.13"
architecture = "arm64"
output = "build/zips"
image = "mirror.example/lambda/python:{python}-{architecture}"
direct-upload = true
exclude = ["*.md", "!README.md"]
keep = ["tests/data/"]

[tool.lambdabuild.layers.zebra]
groups = ["data"]
extras = ["fast"]
code = ["./src/shared/", "lib//settings.py"]
exclude = ["*.c"]
keep = ["numpy/_core/tests/_natype.py"]

[tool.lambdabuild.layers.apple]
only-groups = ["ml"]

[tool.lambdabuild.functions.worker]
handler = "functions/worker/main.handle"
source = "functions/worker/"
layers = ["apple", "zebra"]
exclude = ["*.sql"]
keep = ["schema.sql"]

[tool.lambdabuild.functions.api]
handler = "shop.api.handler"
"""

FULL_CONFIG = ProjectConfig(
    name="shop",
    requires_python=">=3.12,<3.15",
    python="3.13",
    architecture="arm64",
    output="build/zips",
    image="mirror.example/lambda/python:{python}-{architecture}",
    direct_upload=True,
    exclude=("*.md", "!README.md"),
    keep=("tests/data/",),
    layers={
        "zebra": LayerConfig(
            name="zebra",
            groups=("data",),
            extras=("fast",),
            code=("src/shared", "lib/settings.py"),
            exclude=("*.c",),
            keep=("numpy/_core/tests/_natype.py",),
        ),
        "apple": LayerConfig(name="apple", only_groups=("ml",)),
    },
    functions={
        "worker": FunctionConfig(
            name="worker",
            handler="functions/worker/main.handle",
            source="functions/worker",
            layers=("apple", "zebra"),
            exclude=("*.sql",),
            keep=("schema.sql",),
        ),
        "api": FunctionConfig(name="api", handler="shop.api.handler"),
    },
)

GOOD: dict[str, tuple[str, ProjectConfig]] = {
    "nothing": ("", default_config()),
    "another tool": ("[tool.uv]\npackage = false", default_config()),
    "empty table": (table(""), default_config()),
    "python": (table('python = "3.10"'), default_config(python="3.10")),
    "python as AWS names it": (table('python = "python3.14"'), default_config(python="3.14")),
    "absolute output": (table('output = "/tmp/out"'), default_config(output="/tmp/out")),
    "output outside": (table('output = "../out dir"'), default_config(output="../out dir")),
    "image by digest": (
        table('image = "a.example:5000/x@sha256:00"'),
        default_config(image="a.example:5000/x@sha256:00"),
    ),
    "direct upload off": (table("direct-upload = false"), default_config()),
    "empty arrays": (table("exclude = []\nkeep = []"), default_config()),
    "a layer with only a name": (layer(""), with_layer()),
    "a layer of code": (layer('code = ["src/a.py"]'), with_layer(code=("src/a.py",))),
    "dots that are not parents": (layer('code = ["a..b/..."]'), with_layer(code=("a..b/...",))),
    "groups and extras": (
        layer('groups = ["a-b"]\nextras = ["C.d_e"]'),
        with_layer(groups=("a-b",), extras=("C.d_e",)),
    ),
    "only-groups beside nothing": (layer('only-groups = ["a"]\ngroups = []'), with_layer(only_groups=("a",))),
    "groups beside nothing": (layer('only-groups = []\ngroups = ["a"]'), with_layer(groups=("a",))),
    "a layer with dots": (
        '[tool.lambdabuild.layers."3.x_y-Z"]',
        default_config(layers={"3.x_y-Z": LayerConfig(name="3.x_y-Z")}),
    ),
    "a function": (function(""), with_function()),
    "handler in a module": (handler('"app.handler"'), with_function("app.handler")),
    "handler in a directory": (handler('"a/b/c.d"'), with_function("a/b/c.d")),
    "handler of both kinds": (handler('"a.b/c.d"'), with_function("a.b/c.d")),
    "handler in a directory named for a keyword": (handler('"lambda/app.run"'), with_function("lambda/app.run")),
    "handler not in ASCII": (handler('"bücher.händler"'), with_function("bücher.händler")),
    "source is the project": (function('source = "./"'), with_function(source=".")),
    "source in a hidden directory": (function('source = ".fn/x"'), with_function(source=".fn/x")),
    "no layers": (function("layers = []"), with_function(layers=())),
    "the default layer": (function('layers = ["layer"]'), with_function(layers=("layer",))),
    "everything": (FULL, FULL_CONFIG),
}

BAD: dict[str, tuple[str, list[str]]] = {
    "unknown keys": (
        lines(
            "[tool.lambdabuild]",
            'Pyton = "3.13"',
            "direct_upload = true",
            "zip = 1",
            "[tool.lambdabuild.layers.deps]",
            'only_groups = ["a"]',
            "[tool.lambdabuild.functions.api]",
            'handlr = "a.b"',
            'handler = "a.b"',
            "memory = 128",
        ),
        [
            'tool.lambdabuild.Pyton: unknown key; did you mean "python"?',
            'tool.lambdabuild.direct_upload: unknown key; did you mean "direct-upload"?',
            "tool.lambdabuild.zip: unknown key; known keys: architecture, direct-upload, exclude, functions, image, "
            "keep, layers, output, python",
            'tool.lambdabuild.layers.deps.only_groups: unknown key; did you mean "only-groups"?',
            'tool.lambdabuild.functions.api.handlr: unknown key; did you mean "handler"?',
            "tool.lambdabuild.functions.api.memory: unknown key; known keys: exclude, handler, keep, layers, source",
        ],
    ),
    "wrong types": (
        lines(
            "[tool.lambdabuild]",
            "python = 3.13",
            "architecture = true",
            "output = 1979-05-27",
            "image = [1]",
            'direct-upload = "yes"',
            'exclude = "*.md"',
            "keep = {a = 1}",
            "layers = []",
            'functions.api = "shop.api.handler"',
        ),
        [
            'tool.lambdabuild.python: expected a string such as "3.14", found a float',
            "tool.lambdabuild.architecture: expected a string, found a boolean",
            "tool.lambdabuild.output: expected a string, found a date",
            "tool.lambdabuild.image: expected a string, found an array",
            "tool.lambdabuild.direct-upload: expected a boolean, found a string",
            "tool.lambdabuild.exclude: expected an array of strings, found a string",
            "tool.lambdabuild.keep: expected an array of strings, found a table",
            "tool.lambdabuild.layers: expected a table, found an array",
            "tool.lambdabuild.functions.api: expected a table, found a string; write [tool.lambdabuild.functions.NAME]",
        ],
    ),
    "wrong types in a layer and a function": (
        lines(
            "[tool.lambdabuild.layers.deps]",
            'groups = ["a", 1, "b", 2.5]',
            "code = 07:32:00",
            "[tool.lambdabuild.functions.api]",
            "handler = 1979-05-27T07:32:00Z",
            'layers = ["deps", ["deps"]]',
        ),
        [
            "tool.lambdabuild.layers.deps.groups[1]: expected a string, found an integer",
            "tool.lambdabuild.layers.deps.groups[3]: expected a string, found a float",
            "tool.lambdabuild.layers.deps.code: expected an array of strings, found a time",
            "tool.lambdabuild.functions.api.handler: expected a string, found a date-time",
            "tool.lambdabuild.functions.api.layers[1]: expected a string, found an array",
        ],
    ),
    "a layer without its name": (
        '[tool.lambdabuild.layers]\ngroups = ["data"]',
        ["tool.lambdabuild.layers.groups: expected a table, found an array; write [tool.lambdabuild.layers.NAME]"],
    ),
    "the tool is not a table": ("[tool]\nlambdabuild = 1", ["tool.lambdabuild: expected a table, found an integer"]),
    "python that Lambda has not": (
        table('python = "3.9"'),
        [
            'tool.lambdabuild.python: "3.9" is not a Lambda runtime; '
            'expected one of "3.10", "3.11", "3.12", "3.13", "3.14"',
        ],
    ),
    "python with a patch version": (
        table('python = "3.13.2"'),
        [
            'tool.lambdabuild.python: "3.13.2" is not a Lambda runtime; '
            'expected one of "3.10", "3.11", "3.12", "3.13", "3.14"',
        ],
    ),
    "amd64": (
        table('architecture = "amd64"'),
        ['tool.lambdabuild.architecture: "amd64" is not an architecture of Lambda; did you mean "x86_64"?'],
    ),
    "aarch64": (
        table('architecture = "AArch64"'),
        ['tool.lambdabuild.architecture: "AArch64" is not an architecture of Lambda; did you mean "arm64"?'],
    ),
    "x86-64": (
        table('architecture = "x86-64"'),
        ['tool.lambdabuild.architecture: "x86-64" is not an architecture of Lambda; did you mean "x86_64"?'],
    ),
    "riscv": (
        table('architecture = "riscv"'),
        ['tool.lambdabuild.architecture: "riscv" is not an architecture of Lambda; expected one of "x86_64", "arm64"'],
    ),
    "empty output": (table('output = ""'), ["tool.lambdabuild.output: is empty; expected a directory"]),
    "output with a control character": (
        table(r'output = "a\u0000b"'),
        ["tool.lambdabuild.output: has a control character in it"],
    ),
    "empty image": (table('image = ""'), ['tool.lambdabuild.image: "" is not an image reference']),
    "image with a space": (table('image = "a b"'), ['tool.lambdabuild.image: "a b" is not an image reference']),
    "image with an unknown field": (
        table('image = "x:{pyton}"'),
        ["tool.lambdabuild.image: {pyton} is not a field of an image reference; did you mean {python}?"],
    ),
    "image with a field like nothing": (
        table('image = "x:{}"'),
        ["tool.lambdabuild.image: {} is not a field of an image reference; known are {python} and {architecture}"],
    ),
    "image with half a field": (
        table('image = "x:{python"'),
        ['tool.lambdabuild.image: "x:{python" has a brace without its partner'],
    ),
    "names that are no file names": (
        lines(
            '[tool.lambdabuild.layers."a/b"]',
            '[tool.lambdabuild.functions.""]',
            'handler = "a.b"',
            '[tool.lambdabuild.functions."-x\\n"]',
            'handler = "a.b"',
        ),
        [
            'tool.lambdabuild.layers."a/b": "a/b" cannot be the name of a file; '
            "names are ASCII letters, digits, ., _ and -, and begin with a letter or digit",
            'tool.lambdabuild.functions."": "" cannot be the name of a file; '
            "names are ASCII letters, digits, ., _ and -, and begin with a letter or digit",
            'tool.lambdabuild.functions."-x\\n": "-x\\n" cannot be the name of a file; '
            "names are ASCII letters, digits, ., _ and -, and begin with a letter or digit",
        ],
    ),
    "groups and extras that are no names": (
        layer('groups = ["--all-groups"]\nextras = [""]'),
        [
            'tool.lambdabuild.layers.deps.groups[0]: "--all-groups" is not a name; '
            "names are ASCII letters and digits, with -, _ and . between them",
            'tool.lambdabuild.layers.deps.extras[0]: "" is not a name; '
            "names are ASCII letters and digits, with -, _ and . between them",
        ],
    ),
    "only-groups beside others": (
        layer('only-groups = ["a"]\ngroups = ["b"]\nextras = ["c"]'),
        [
            "tool.lambdabuild.layers.deps.only-groups: replaces the project's dependencies, "
            "so it cannot stand beside groups",
            "tool.lambdabuild.layers.deps.only-groups: replaces the project's dependencies, "
            "so it cannot stand beside extras",
        ],
    ),
    "code outside the project": (
        layer(r'code = ["/etc", "a/../../b", "..", "C:/x", "a\\b", "", ".", "./.", "a\tb"]'),
        [
            'tool.lambdabuild.layers.deps.code[0]: "/etc" is absolute; expected a path inside the project',
            'tool.lambdabuild.layers.deps.code[1]: "a/../../b" leaves the project; expected a path inside it',
            'tool.lambdabuild.layers.deps.code[2]: ".." leaves the project; expected a path inside it',
            'tool.lambdabuild.layers.deps.code[3]: "C:/x" is absolute; expected a path inside the project',
            'tool.lambdabuild.layers.deps.code[4]: "a\\\\b" has a backslash in it; write paths with /',
            "tool.lambdabuild.layers.deps.code[5]: is empty; expected a path inside the project",
            'tool.lambdabuild.layers.deps.code[6]: "." is the project itself; '
            "name the directories and files that the layer shall hold",
            'tool.lambdabuild.layers.deps.code[7]: "./." is the project itself; '
            "name the directories and files that the layer shall hold",
            'tool.lambdabuild.layers.deps.code[8]: "a\\tb" has a control character in it',
        ],
    ),
    "source outside the project": (
        function('source = "../shared"'),
        ['tool.lambdabuild.functions.api.source: "../shared" leaves the project; expected a path inside it'],
    ),
    "no handler": (
        "[tool.lambdabuild.functions.api]",
        ['tool.lambdabuild.functions.api.handler: missing; write handler = "package.module.function"'],
    ),
    "handler of an entry point": (
        handler('"shop.api:handler"'),
        [
            'tool.lambdabuild.functions.api.handler: "shop.api:handler" is not a handler; '
            'did you mean "shop.api.handler"?'
        ],
    ),
    **{
        f"handler {text!r}": (
            handler(quote(text)),
            [
                f"tool.lambdabuild.functions.api.handler: {quote(text)} is not a handler; "
                'write "package.module.function" or "dir/module.function"'
            ],
        )
        for text in (
            "",
            "handler",
            ".handler",
            "app.",
            "a..b",
            "/app.run",
            "a/.run",
            "a.b/c",
            "my-app.run",
            "app .run",
            "1a.b",
        )
    },
    "six layers": (
        lines(
            *(f"[tool.lambdabuild.layers.l{number}]" for number in range(6)),
            function('layers = ["l0", "l1", "l2", "l3", "l4", "l5"]'),
        ),
        ["tool.lambdabuild.functions.api.layers: 6 layers; a function has at most 5"],
    ),
    "a layer twice": (
        lines(layer(""), function('layers = ["deps", "deps"]')),
        ['tool.lambdabuild.functions.api.layers: "deps" is listed 2 times'],
    ),
}

# What one key says of another, and what pathspec says of a pattern, is not in the schema.
NOT_IN_SCHEMA: dict[str, tuple[str, list[str]]] = {
    "patterns": (
        table(r'exclude = ["*.md", "!", "[z-a]"]' + "\n" + r'keep = ["a\\"]'),
        [
            'tool.lambdabuild.exclude[1]: "!" is not a gitignore pattern',
            'tool.lambdabuild.exclude[2]: "[z-a]" is not a gitignore pattern',
            'tool.lambdabuild.keep[0]: "a\\\\" is not a gitignore pattern',
        ],
    ),
    "an unknown layer, almost": (
        lines(layer(""), function('layers = ["dpes"]')),
        ['tool.lambdabuild.functions.api.layers: there is no layer "dpes"; did you mean "deps"?'],
    ),
    "an unknown layer": (
        lines("[tool.lambdabuild.layers.b]", "[tool.lambdabuild.layers.a]", function('layers = ["layer"]')),
        ['tool.lambdabuild.functions.api.layers: there is no layer "layer"; known layers: "b", "a"'],
    ),
    "an unknown layer when none is configured": (
        function('layers = ["deps"]'),
        ['tool.lambdabuild.functions.api.layers: there is no layer "deps"; known layers: "layer"'],
    ),
    "all of six layers": (
        lines(*(f"[tool.lambdabuild.layers.l{number}]" for number in range(6)), function("")),
        ["tool.lambdabuild.functions.api.layers: unset, which means all 6 layers; a function has at most 5"],
    ),
    "two pieces of code of one name": (
        layer('code = ["a/x", "b/y", "c/x/", "a/x"]'),
        [
            'tool.lambdabuild.layers.deps.code: "a/x" and "c/x" would both become "x"',
            'tool.lambdabuild.layers.deps.code: "a/x" and "a/x" would both become "x"',
        ],
    ),
    "a layer and a function of one name": (
        lines("[tool.lambdabuild.layers.api]", function("")),
        ['tool.lambdabuild.functions.api: api.zip would also be the archive of layer "api"; rename one'],
    ),
    "a function named as the default layer": (
        '[tool.lambdabuild.functions.layer]\nhandler = "a.b"',
        ["tool.lambdabuild.functions.layer: layer.zip would also be the archive of the default layer; rename one"],
    ),
    "a function named as a fat one": (
        lines(function(""), '[tool.lambdabuild.functions.api-fat]\nhandler = "a.b"'),
        [
            'tool.lambdabuild.functions.api-fat: api-fat.zip would also be the archive of the fat function "api"; '
            "rename one"
        ],
    ),
    "a layer named as a fat function": (
        lines("[tool.lambdabuild.layers.api-fat]", function("")),
        ['tool.lambdabuild.functions.api: api-fat.zip would also be the archive of layer "api-fat"; rename one'],
    ),
    "functions that differ in case": (
        lines(function(""), '[tool.lambdabuild.functions.API]\nhandler = "a.b"'),
        [
            'tool.lambdabuild.functions.API: API.zip would also be the archive of function "api", '
            "where file names ignore case; rename one"
        ],
    ),
}


@pytest.mark.parametrize(("toml", "expected"), GOOD.values(), ids=GOOD)
def test_good(toml: str, expected: ProjectConfig) -> None:
    project = (
        '[project]\nname = "shop"\nrequires-python = ">=3.12,<3.15"\n' if toml is FULL else '[project]\nname = "shop"\n'
    )
    assert parse(toml, project=project) == expected
    assert schema_accepts(toml)


@pytest.mark.parametrize(("toml", "expected"), BAD.values(), ids=BAD)
def test_bad(toml: str, expected: list[str]) -> None:
    assert problems(toml) == expected
    assert not schema_accepts(toml)


@pytest.mark.parametrize(("toml", "expected"), NOT_IN_SCHEMA.values(), ids=NOT_IN_SCHEMA)
def test_bad_in_ways_that_the_schema_cannot_say(toml: str, expected: list[str]) -> None:
    assert problems(toml) == expected
    assert schema_accepts(toml)


def test_a_function_that_names_its_layers_may_live_among_six() -> None:
    config = parse(lines(*(f"[tool.lambdabuild.layers.l{number}]" for number in range(6)), function('layers = ["l5"]')))
    assert config.functions["api"].layers == ("l5",)


def test_order_is_that_of_the_file() -> None:
    config = parse(FULL)
    assert list(config.layers) == ["zebra", "apple"]
    assert list(config.functions) == ["worker", "api"]


def test_layers_and_functions_are_read_only() -> None:
    config = parse(FULL)
    with pytest.raises(TypeError, match="does not support item assignment"):
        config.layers["new"] = LayerConfig(name="new")  # type: ignore[index]
    with pytest.raises(TypeError, match="does not support item assignment"):
        ProjectConfig(name="x").functions["new"] = FunctionConfig(name="new", handler="a.b")  # type: ignore[index]


@pytest.mark.parametrize(
    ("project", "expected"),
    [
        ("", ["project: missing; lambdabuild needs a [project] table with a name"]),
        ("project = 1\n", ["project: expected a table, found an integer"]),
        ("[project]\n", ["project.name: missing; a [project] table needs a name"]),
        ("[project]\nname = 1\n", ["project.name: expected a string, found an integer"]),
        (
            '[project]\nname = "my shop"\n',
            ['project.name: "my shop" is not a name; names are ASCII letters and digits, with -, _ and . between them'],
        ),
        (
            '[project]\nname = "shop"\nrequires-python = "3.12+"\n',
            ['project.requires-python: "3.12+" is not a version specifier; write it like ">=3.12"'],
        ),
        (
            "[project]\nrequires-python = 3.12\n",
            [
                "project.name: missing; a [project] table needs a name",
                "project.requires-python: expected a string, found a float",
            ],
        ),
        ('tool = "x"\n[project]\nname = "shop"\n', ["tool: expected a table, found a string"]),
    ],
)
def test_project_table(project: str, expected: list[str]) -> None:
    assert problems("", project=project) == expected


def test_all_problems_are_one_message_with_the_path_on_each_line() -> None:
    document = {"tool": {"lambdabuild": {"python": "2.7", "functions": {"a.b": {"handlr": "x.y"}}}}}
    with pytest.raises(ConfigError) as caught:
        parse_config(document, pythons=("3.13", "3.14"), path="shop/pyproject.toml")
    assert caught.value.exit_code == 2
    assert str(caught.value) == lines(
        "shop/pyproject.toml: project: missing; lambdabuild needs a [project] table with a name",
        'shop/pyproject.toml: tool.lambdabuild.python: "2.7" is not a Lambda runtime; expected one of "3.13", "3.14"',
        'shop/pyproject.toml: tool.lambdabuild.functions."a.b".handlr: unknown key; did you mean "handler"?',
        'shop/pyproject.toml: tool.lambdabuild.functions."a.b".handler: missing; '
        'write handler = "package.module.function"',
    )


TEXT = st.text('aB3._-/:{} !\\"\n\x7fé', max_size=5)
SCALARS = st.booleans() | st.integers(0, 9) | st.floats(0, 1) | TEXT | st.sampled_from(("a.b", "deps", "3.13", "arm64"))
VALUES = SCALARS | st.lists(SCALARS, max_size=3)
TABLES = st.dictionaries(st.sampled_from((*LAYER_KEYS, *FUNCTION_KEYS, "handlr")), VALUES, max_size=4)
JSON = VALUES | st.dictionaries(TEXT | st.sampled_from(("api", "deps")), TABLES | SCALARS, max_size=3)


@given(st.dictionaries(st.sampled_from(PROJECT_KEYS), JSON))
@settings(deadline=None)
def test_any_table_is_read_or_refused(values: dict[str, Any]) -> None:
    document = {"project": {"name": "shop"}, "tool": {"lambdabuild": values}}
    try:
        config = parse_config(document, pythons=PYTHONS)
    except ConfigError as error:
        assert error.problems
        assert all("\n" not in problem for problem in error.problems)
    else:
        assert VALIDATOR.is_valid(values)
        assert list(config.layers) == list(values.get("layers", {}))


def test_schema_is_a_schema_and_knows_the_same_keys() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert set(SCHEMA["properties"]) == set(PROJECT_KEYS)
    assert set(SCHEMA["definitions"]["layer"]["properties"]) == set(LAYER_KEYS)
    assert set(SCHEMA["definitions"]["function"]["properties"]) == set(FUNCTION_KEYS)


def test_schema_knows_the_runtimes_and_the_defaults() -> None:
    runtimes = read_runtimes()
    assert SCHEMA["properties"]["python"]["enum"] == [
        *(runtime.python for runtime in runtimes),
        *(runtime.name for runtime in runtimes),
    ]
    config = parse("")
    assert {key: value["default"] for key, value in SCHEMA["properties"].items() if "default" in value} == {
        "architecture": config.architecture,
        "output": config.output,
        "image": "public.ecr.aws/lambda/python:{python}",
        "direct-upload": config.direct_upload,
    }


def test_schema_describes_every_key() -> None:
    tables = (SCHEMA, SCHEMA["definitions"]["layer"], SCHEMA["definitions"]["function"])
    undescribed = [key for each in tables for key, value in each["properties"].items() if not value.get("description")]
    assert undescribed == []


PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_in_the_documentation_are_good(example: str) -> None:
    config = parse(example, project="" if "[project]" in example else '[project]\nname = "shop"\n')
    assert config != default_config()
    assert schema_accepts(example)


@pytest.mark.parametrize("key", (*PROJECT_KEYS[:-2], *LAYER_KEYS, *FUNCTION_KEYS))
def test_every_key_has_its_heading_and_its_example(key: str) -> None:
    assert re.search(rf"^### .*`{key}`", PAGE, re.MULTILINE)
    assert any(re.search(rf"^{key} = ", example, re.MULTILINE) for example in EXAMPLES)


def test_messages_in_the_documentation_are_what_is_said() -> None:
    toml = table('architecture = "amd64"') + "\n" + function('handlr = "a.b"')
    said = {f"    pyproject.toml: {problem}" for problem in problems(toml)}
    assert said == set(re.findall(r"^    pyproject\.toml: .*$", PAGE, re.MULTILINE))


def test_image_default_is_a_good_image() -> None:
    assert find_image_problem(SCHEMA["properties"]["image"]["default"]) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, "a boolean"),
        ("", "a string"),
        (1, "an integer"),
        (1.0, "a float"),
        (datetime(2026, 1, 1), "a date-time"),
        (date(2026, 1, 1), "a date"),
        (time(1), "a time"),
        ([], "an array"),
        ({}, "a table"),
        (None, "a NoneType"),
    ],
)
def test_kind(value: object, expected: str) -> None:
    assert kind(value) == expected


def test_key_path() -> None:
    assert key_path(("tool", "a-b_1", "c.d", 'e"f', "", 3, "é")) == 'tool.a-b_1."c.d"."e\\"f".""[3]."é"'


@pytest.mark.parametrize(
    ("word", "expected"),
    [("handlr", "handler"), ("ONLY_GROUPS", "only-groups"), ("grp", "groups"), ("zzz", None), ("other", "mapped")],
)
def test_find_near(word: str, expected: str | None) -> None:
    assert find_near(word, ("handler", "only-groups", "groups"), {"other": "mapped"}) == expected


@given(TEXT, TEXT)
@settings(deadline=None)
def test_a_key_path_is_read_back_by_toml(first: str, second: str) -> None:
    assert parse_toml(f"{key_path((first, second))} = {quote(first)}", origin="test") == {first: {second: first}}
