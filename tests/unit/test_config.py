"""model.config and what it is made of, model.typed: whole messages, and agreement with the published schema."""

from __future__ import annotations

import importlib.resources
import itertools
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
from lambdabuild.model.choices import ARCHITECTURES
from lambdabuild.model.config import (
    FUNCTION_KEYS,
    LAYER_KEYS,
    PROJECT_KEYS,
    ExternalLayer,
    FunctionConfig,
    LayerConfig,
    ProjectConfig,
    parse_config,
)
from lambdabuild.model.configbuild import BUILD_KEYS, BuildConfig
from lambdabuild.model.configdependencies import BOTO3
from lambdabuild.model.configfunction import SOURCES
from lambdabuild.model.configlayer import LAYOUTS
from lambdabuild.model.configmany import DEFAULT_HANDLER, Folders
from lambdabuild.model.configvalues import find_image_problem
from lambdabuild.model.treatment import BYTECODE, COMPRESSION, MODES, Slimming, Transforms
from lambdabuild.model.typed import find_near, key_path, kind, quote

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.15")
SCHEMA = json.loads((importlib.resources.files("lambdabuild.resources") / "config.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)
ARN = "arn:aws:lambda:eu-central-1:123456789012:layer:pandas_3-1:7"


def parse(toml: str, *, project: str = '[project]\nname = "shop"\n') -> ProjectConfig:
    return parse_config(parse_toml(project + toml, origin="test"), pythons=PYTHONS, list_folders=list_folders)


def list_folders(pattern: str, module: str) -> Folders:
    """What there is for the patterns of these tests."""
    return {
        "functions/*": Folders(found=("functions/get-user", "functions/report"), passed=("functions/shared",)),
        "*/fn": Folders(found=("a/fn", "b/fn")),
        "odd/*": Folders(found=("odd/my fn", "odd/ok", "odd/\udcff")),
        "functons/*": Folders(near="functions/*"),
        "libs/*": Folders(passed=("libs/a", "libs/b", "libs/c", "libs/d")),
    }.get(pattern, Folders())


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


def many(body: str, pattern: str = "functions/*") -> str:
    return f'[tool.lambdabuild.functions."*"]\nfrom = "{pattern}"\n{body}'


PASSED = "functions/shared has no app.py, so it is no function"


def table(body: str) -> str:
    return f"[tool.lambdabuild]\n{body}"


def external(body: str = "") -> str:
    return layer(f'arn = "{ARN}"\nunzipped-size = 4096\n{body}')


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
builder = "docker"
image = "mirror.example/lambda/python:{python}-{architecture}"
upload = "s3"
dist-info = "strip"
tests = "keep"
strip-symbols = true
bytecode = "compile"
compression = "small"
strict = true
build = { network = ["Native.Thing", "other"], repair = true }
gitignore = false
exclude = ["*.md", "!README.md"]
keep = ["tests/data/"]

[tool.lambdabuild.layers.zebra]
groups = ["data"]
extras = ["fast"]
package = "Shop.Core"
layout = "site-packages"
python = "python3.14"
architecture = "x86_64"
boto3 = "runtime"
code = ["./src/shared/", "lib//settings.py"]
exclude = ["*.c"]
keep = ["numpy/_core/tests/_natype.py"]

[tool.lambdabuild.layers.apple]
only-groups = ["ml"]

[tool.lambdabuild.layers.pandas]
arn = "arn:aws:lambda:eu-central-1:123456789012:layer:pandas_3-1:7"
unzipped-size = 104857600
distributions = ["NumPy==2.2.6", "zope.interface == 8.00"]
python = "3.12"
architecture = "x86_64"

[tool.lambdabuild.functions.worker]
handler = "functions/worker/main.handle"
source = "functions/worker/"
sources = "reachable"
include = ["*.py", "schema.sql"]
exclude = ["*.sql"]
keep = ["schema.sql"]
gitignore = true
layers = ["apple", "zebra"]
python = "python3.14"
architecture = "x86_64"
groups = ["data"]
extras = ["fast"]
package = "worker"
boto3 = "bundle"
verify = { env = { TABLE = "orders", PORT = "1" } }

[tool.lambdabuild.functions.users]
handler = "./functions//users::handler.process"
requirements = [" requests[socks] >= 2 ; python_version > '3' ", "own @ git+https://git.example/own@v1"]

[tool.lambdabuild.functions.api]
handler = "shop.api.handler"
"""

FULL_CONFIG = ProjectConfig(
    name="shop",
    requires_python=">=3.12,<3.15",
    python="3.13",
    architecture="arm64",
    output="build/zips",
    builder="docker",
    image="mirror.example/lambda/python:{python}-{architecture}",
    upload="s3",
    gitignore=False,
    exclude=("*.md", "!README.md"),
    keep=("tests/data/",),
    slimming=Slimming(dist_info="strip", tests="keep"),
    transforms=Transforms(strip_symbols=True, bytecode="compile", compression="small"),
    strict=True,
    build=BuildConfig(network=frozenset({"native-thing", "other"}), repair=True),
    layers={
        "zebra": LayerConfig(
            name="zebra",
            groups=("data",),
            extras=("fast",),
            package="Shop.Core",
            layout="site-packages",
            python="3.14",
            architecture="x86_64",
            boto3="runtime",
            code=("src/shared", "lib/settings.py"),
            exclude=("*.c",),
            keep=("numpy/_core/tests/_natype.py",),
        ),
        "apple": LayerConfig(name="apple", only_groups=("ml",)),
        "pandas": LayerConfig(
            name="pandas",
            python="3.12",
            architecture="x86_64",
            external=ExternalLayer(
                arn=ARN, unzipped_size=104857600, distributions={"numpy": "2.2.6", "zope-interface": "8.0"}
            ),
        ),
    },
    functions={
        "worker": FunctionConfig(
            name="worker",
            handler="functions/worker/main.handle",
            source="functions/worker",
            sources="reachable",
            include=("*.py", "schema.sql"),
            exclude=("*.sql",),
            keep=("schema.sql",),
            gitignore=True,
            layers=("apple", "zebra"),
            python="3.14",
            architecture="x86_64",
            groups=("data",),
            extras=("fast",),
            package="worker",
            boto3="bundle",
            verify_env=(("PORT", "1"), ("TABLE", "orders")),
        ),
        "users": FunctionConfig(
            name="users",
            handler="handler.process",
            folder="functions/users",
            requirements=(
                "requests[socks] >= 2 ; python_version > '3'",
                "own @ git+https://git.example/own@v1",
            ),
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
        table(f'image = "a.example:5000/x@sha256:{"0" * 64}"'),
        default_config(image=f"a.example:5000/x@sha256:{'0' * 64}"),
    ),
    "builder": (table("builder = 'host'"), default_config(builder="host")),
    "upload": (table("upload = 'direct'"), default_config(upload="direct")),
    "empty arrays": (table("exclude = []\nkeep = []"), default_config()),
    "a layer with only a name": (layer(""), with_layer()),
    "a layer for several runtimes": (
        layer('compatible-runtimes = ["python3.12", "3.13"]'),
        with_layer(compatible_runtimes=("3.12", "3.13")),
    ),
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
    "handler in a file and folder that are no identifiers": (
        handler('"functions/get-user/01 app.run"'.replace(" ", "_")),
        with_function("functions/get-user/01_app.run"),
    ),
    "handler in a module with dashes": (handler('"my-app.run"'), with_function("my-app.run")),
    "handler of odd characters": (handler('"a+b/c@d,(1).run"'), with_function("a+b/c@d,(1).run")),
    "source is the project": (function('source = "./"'), with_function(source=".")),
    "source in a hidden directory": (function('source = ".fn/x"'), with_function(source=".fn/x")),
    "no layers": (function("layers = []"), with_function(layers=())),
    "the default layer": (function('layers = ["layer"]'), with_function(layers=("layer",))),
    "metadata kept": (table('dist-info = "keep"'), default_config(slimming=Slimming(dist_info="keep"))),
    "tests stripped": (table('tests = "strip"'), default_config(slimming=Slimming(tests="strip"))),
    "symbols stripped": (table("strip-symbols = true"), default_config(transforms=Transforms(strip_symbols=True))),
    "compiled": (table('bytecode = "compile"'), default_config(transforms=Transforms(bytecode="compile"))),
    "small": (table('compression = "small"'), default_config(transforms=Transforms(compression="small"))),
    "strict": (table("strict = true"), default_config(strict=True)),
    "treatment as it is anyway": (
        table('dist-info = "auto"\ntests = "auto"\nstrip-symbols = false\nbytecode = "strip"\ncompression = "fast"'),
        default_config(),
    ),
    "sources are not git's": (table("gitignore = true"), default_config()),
    "requirements of a file": (layer('requirements = "./reqs//base.in"'), with_layer(requirements="reqs/base.in")),
    "requirements of a file named as a distribution": (
        layer('requirements = "requests"'),
        with_layer(requirements="requests"),
    ),
    "requirements of a function": (function('requirements = ["a", "b==1"]'), with_function(requirements=("a", "b==1"))),
    "a wheel by its URL": (
        layer('requirements = ["a@https://x.example/a-1-py3-none-any.whl#sha256=00"]'),
        with_layer(requirements=("a@https://x.example/a-1-py3-none-any.whl#sha256=00",)),
    ),
    "no requirements": (function("requirements = false"), with_function(requirements=())),
    "an empty array of requirements": (function("requirements = []"), with_function(requirements=())),
    "code without dependencies": (
        layer('requirements = false\ncode = ["a"]'),
        with_layer(requirements=(), code=("a",)),
    ),
    "requirements beside empty arrays": (
        layer('requirements = ["a"]\ngroups = []\nonly-groups = []\nextras = []'),
        with_layer(requirements=("a",)),
    ),
    "pylock": (layer('pylock = "pylock.toml"'), with_layer(pylock="pylock.toml")),
    "pylock of a name": (function('pylock = "a/pylock.aws-1.toml"'), with_function(pylock="a/pylock.aws-1.toml")),
    "only-groups of a member": (
        layer('only-groups = ["a"]\npackage = "b"'),
        with_layer(only_groups=("a",), package="b"),
    ),
    "a layout": (layer('layout = "python"'), with_layer(layout="python")),
    "an external layer": (external(), with_layer(external=ExternalLayer(arn=ARN, unzipped_size=4096))),
    "an external layer of the partition of China": (
        external().replace("arn:aws:", "arn:aws-cn:"),
        with_layer(external=ExternalLayer(arn=ARN.replace("aws", "aws-cn"), unzipped_size=4096)),
    ),
    "an external layer, which has no archive, named as a function": (
        lines(external(), '[tool.lambdabuild.functions.deps]\nhandler = "a.b"'),
        default_config(
            layers={"deps": LayerConfig(name="deps", external=ExternalLayer(arn=ARN, unzipped_size=4096))},
            functions={"deps": FunctionConfig(name="deps", handler="a.b")},
        ),
    ),
    "a folder": (function('folder = "./functions/users/"'), with_function(folder="functions/users")),
    "a folder that is the project": (function('folder = "."'), with_function(folder=".")),
    "a folder before the handler": (handler('"a-b/c d::e/f.g"'), with_function("e/f.g", folder="a-b/c d")),
    "a folder of one letter before the handler": (handler('"a::b.c"'), with_function("b.c", folder="a")),
    "reachable from a module": (
        handler('"a.b"\nsources = "reachable"'),
        with_function("a.b", sources="reachable"),
    ),
    "reachable from a file below source": (
        handler('"a/b.c"\nsource = "src"\nsources = "reachable"'),
        with_function("a/b.c", source="src", sources="reachable"),
    ),
    "all of a folder": (handler('"a::b.c"\nsources = "all"'), with_function("b.c", folder="a", sources="all")),
    "what holds for the whole project": (
        table('boto3 = "runtime"\nlayout = "site-packages"\nsources = "reachable"\ninclude = ["*.py"]'),
        default_config(boto3="runtime", layout="site-packages", sources="reachable", include=("*.py",)),
    ),
    "git's files too": (function("gitignore = false"), with_function(gitignore=False)),
    "many functions": (
        many(""),
        default_config(
            functions={
                "get-user": FunctionConfig(name="get-user", handler="app.handler", folder="functions/get-user"),
                "report": FunctionConfig(name="report", handler="app.handler", folder="functions/report"),
            },
            passed=(PASSED,),
        ),
    ),
    "many functions, of which some say more": (
        lines(
            many(
                'handler = "main.run"\ngroups = ["data"]\nextras = ["x"]\nboto3 = "runtime"\nkeep = ["a"]\nlayers = []'
            ),
            '[tool.lambdabuild.functions.report]\nrequirements = ["jinja2"]\nkeep = ["b"]',
            '[tool.lambdabuild.functions.shared]\nhandler = "other.run"',
            '[tool.lambdabuild.functions.user]\nhandler = "functions/get-user::app.handler"',
        ),
        default_config(
            functions={
                "report": FunctionConfig(
                    name="report",
                    handler="main.run",
                    folder="functions/report",
                    requirements=("jinja2",),
                    boto3="runtime",
                    keep=("b",),
                    layers=(),
                ),
                "shared": FunctionConfig(
                    name="shared",
                    handler="other.run",
                    folder="functions/shared",
                    groups=("data",),
                    extras=("x",),
                    boto3="runtime",
                    keep=("a",),
                    layers=(),
                ),
                "user": FunctionConfig(name="user", handler="app.handler", folder="functions/get-user"),
            },
        ),
    ),
    "a folder of many under another name": (
        lines(many("", "*/fn"), '[tool.lambdabuild.functions.b]\nhandler = "app.handler"\nfolder = "./b/fn/"'),
        default_config(
            functions={
                "b": FunctionConfig(name="b", handler="app.handler", folder="b/fn"),
                "fn": FunctionConfig(name="fn", handler="app.handler", folder="a/fn"),
            }
        ),
    ),
    "everything": (FULL, FULL_CONFIG),
}

PLACES = {
    "requirements": '["a"]',
    "pylock": '"pylock.toml"',
    "groups": '["a"]',
    "only-groups": '["a"]',
    "extras": '["a"]',
    "package": '"a"',
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
            'tool.lambdabuild.direct_upload: is now upload, which is "direct" or "s3"',
            "tool.lambdabuild.zip: unknown key; known keys: architecture, boto3, build, builder, bytecode, "
            "compression, dist-info, exclude, functions, gitignore, image, include, keep, layers, layout, output, "
            "python, sources, strict, strip-symbols, tests, upload",
            'tool.lambdabuild.layers.deps.only_groups: unknown key; did you mean "only-groups"?',
            'tool.lambdabuild.functions.api.handlr: unknown key; did you mean "handler"?',
            "tool.lambdabuild.functions.api.memory: unknown key; known keys: architecture, boto3, exclude, extras, "
            "folder, gitignore, groups, handler, include, keep, layers, only-groups, package, pylock, python, "
            "requirements, source, sources, verify",
        ],
    ),
    "wrong types": (
        lines(
            "[tool.lambdabuild]",
            "python = 3.13",
            "architecture = true",
            "output = 1979-05-27",
            "builder = false",
            "image = [1]",
            "upload = true",
            'exclude = "*.md"',
            "keep = {a = 1}",
            "layers = []",
            'functions.api = "shop.api.handler"',
        ),
        [
            'tool.lambdabuild.python: expected a string such as "3.15", found a float',
            "tool.lambdabuild.architecture: expected a string, found a boolean",
            "tool.lambdabuild.output: expected a string, found a date",
            "tool.lambdabuild.builder: expected a string, found a boolean",
            "tool.lambdabuild.image: expected a string, found an array",
            "tool.lambdabuild.upload: expected a string, found a boolean",
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
            'expected one of "3.10", "3.11", "3.12", "3.13", "3.14", "3.15"',
        ],
    ),
    "python with a patch version": (
        table('python = "3.13.2"'),
        [
            'tool.lambdabuild.python: "3.13.2" is not a Lambda runtime; '
            'expected one of "3.10", "3.11", "3.12", "3.13", "3.14", "3.15"',
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
    "blank output": (table('output = "  "'), ["tool.lambdabuild.output: is empty; expected a directory"]),
    "an archive as output": (
        table('output = "dist/layer.zip"'),
        [
            'tool.lambdabuild.output: "dist/layer.zip" is the name of a file; expected a directory '
            "(--output names the file of one archive)"
        ],
    ),
    "empty patterns": (
        table('exclude = [""]\nkeep = ["a", " "]'),
        [
            "tool.lambdabuild.exclude[0]: is empty; expected a gitignore pattern",
            "tool.lambdabuild.keep[1]: is empty; expected a gitignore pattern",
        ],
    ),
    "runtimes that a layer cannot be for": (
        lines(layer('compatible-runtimes = ["python3.12", "3.12", "nodejs22.x"]\nlayout = "site-packages"')),
        [
            'tool.lambdabuild.layers.deps.compatible-runtimes[2]: "nodejs22.x" is not a Lambda runtime; '
            f"expected one of {', '.join(json.dumps(python) for python in PYTHONS)}",
            "tool.lambdabuild.layers.deps.compatible-runtimes: names a runtime twice",
        ],
    ),
    "blank paths": (
        lines(layer('code = [" "]'), function('source = "  "')),
        [
            "tool.lambdabuild.layers.deps.code[0]: is empty; expected a path inside the project",
            "tool.lambdabuild.functions.api.source: is empty; expected a path inside the project",
        ],
    ),
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
            'tool.lambdabuild.layers.deps.code[6]: "." is the project itself; name what is inside it',
            'tool.lambdabuild.layers.deps.code[7]: "./." is the project itself; name what is inside it',
            'tool.lambdabuild.layers.deps.code[8]: "a\\tb" has a control character in it',
        ],
    ),
    "names that no file can have": (
        lines(f"[tool.lambdabuild]\noutput = {quote(256 * 'x')}", function(f"source = {quote('a/' + 256 * 'x')}")),
        [
            "tool.lambdabuild.output: has a name of 256 bytes in it; a file's has at most 255",
            "tool.lambdabuild.functions.api.source: has a name of 256 bytes in it; a file's has at most 255",
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
            "app.run-it",
            "a//b.c",
            "../a.b",
            "a.b.1c",
        )
    },
    "many functions, but from where": (
        '[tool.lambdabuild.functions."*"]\nform = "functions/*"\n[tool.lambdabuild.functions.api]\nkeep = [1]',
        [
            'tool.lambdabuild.functions."*".form: unknown key; did you mean "from"?',
            'tool.lambdabuild.functions."*".from: missing; write from = "functions/*"',
            "tool.lambdabuild.functions.api.keep[0]: expected a string, found an integer",
        ],
    ),
    "many functions, each mistake once": (
        lines(
            many('handler = "app"\nfolder = "a"\nsource = "b"\nsources = "reachable"\ngroups = ["a b"]\npylock = "x"'),
            '[tool.lambdabuild.functions.api]\nhandler = "app.handler"\nfrom = "functions/*"',
        ),
        [
            'tool.lambdabuild.functions.api.from: is for [tool.lambdabuild.functions."*"], which describes many',
            'tool.lambdabuild.functions."*".folder: cannot stand beside from, which names the folders',
            'tool.lambdabuild.functions."*".source: cannot stand beside from, which names the folders',
            'tool.lambdabuild.functions."*".handler: "app" is not a handler; '
            'write "package.module.function" or "dir/module.function"',
            'tool.lambdabuild.functions."*".groups[0]: "a b" is not a name; '
            "names are ASCII letters and digits, with -, _ and . between them",
            'tool.lambdabuild.functions."*".pylock: "x" is not a lock of PEP 751, '
            "which is called pylock.toml or pylock.NAME.toml",
            'tool.lambdabuild.functions."*".pylock: cannot stand beside groups; dependencies come from one place',
            'tool.lambdabuild.functions."*".sources: "reachable" is not for a folder, of which all files are packaged',
        ],
    ),
    **{
        f"many functions from {pattern!r}": (
            f'[tool.lambdabuild.functions."*"]\nfrom = {quote(pattern)}',
            [f'tool.lambdabuild.functions."*".from: {problem}'],
        )
        for pattern, problem in {
            "": "is empty; expected a path inside the project",
            "/functions/*": '"/functions/*" is absolute; expected a path inside the project',
            "../*": '"../*" leaves the project; expected a path inside it',
            "x" * 256 + "/*": "has a name of 256 bytes in it; a file's has at most 255",
            "functions/**": '"functions/**" has ** in it; a * stands for one folder, as in "services/*/functions/*"',
            "functions/*.py": '"functions/*.py" names files; each function is a folder, as in "functions/*"',
        }.items()
    },
    "handlers with spaces": (
        lines(
            '[tool.lambdabuild.functions.a]\nhandler = "my app.run"',
            '[tool.lambdabuild.functions.b]\nhandler = "app\\u3000.run"',
        ),
        [
            'tool.lambdabuild.functions.a.handler: "my app.run" has a space in it, '
            "which Lambda does not take in a handler",
            'tool.lambdabuild.functions.b.handler: "app\u3000.run" has a space in it, '
            "which Lambda does not take in a handler",
        ],
    ),
    **{
        f"handler {text!r} that was meant in another way": (
            handler(quote(text)),
            [f"tool.lambdabuild.functions.api.handler: {quote(text)} is not a handler; did you mean {quote(meant)}?"],
        )
        for text, meant in {
            "app.py:handler": "app.handler",
            "./functions/app.handler": "functions/app.handler",
            "functions\\app.handler": "functions/app.handler",
        }.items()
    },
    "handlers of a folder": (
        lines(
            *(
                f"[tool.lambdabuild.functions.f{number}]\nhandler = {quote(text)}"
                for number, text in enumerate(
                    (
                        "functions/users:handler.process",
                        "functions/users::process",
                        "functions/users/handler.py::process",
                        "::handler.process",
                        "a::handler",
                        "a b::handler",
                        "a:::b.c",
                        "../users::handler.process",
                        "C:users::handler.process",
                        "a/..::handler.process",
                    )
                )
            ),
        ),
        [
            'tool.lambdabuild.functions.f0.handler: "functions/users:handler.process" is not a handler; '
            'did you mean "functions/users::handler.process"?',
            'tool.lambdabuild.functions.f1.handler: "functions/users::process" is not a handler; '
            'did you mean "functions/users.process"?',
            'tool.lambdabuild.functions.f2.handler: "functions/users/handler.py::process" is not a handler; '
            'did you mean "functions/users/handler.process"?',
            'tool.lambdabuild.functions.f3.handler: "::handler.process" is not a handler; '
            'write "folder::module.function"',
            'tool.lambdabuild.functions.f4.handler: "a::handler" is not a handler; did you mean "a.handler"?',
            'tool.lambdabuild.functions.f5.handler: "a b::handler" is not a handler; write "folder::module.function"',
            'tool.lambdabuild.functions.f6.handler: "a:::b.c" is not a handler; write "folder::module.function"',
            'tool.lambdabuild.functions.f7.handler: "../users" leaves the project; expected a path inside it',
            'tool.lambdabuild.functions.f8.handler: "C:users" is absolute; expected a path inside the project',
            'tool.lambdabuild.functions.f9.handler: "a/.." leaves the project; expected a path inside it',
        ],
    ),
    "a folder and more": (
        lines(
            "[tool.lambdabuild.functions.a]",
            'handler = "h.p"\nfolder = "a"\nsource = "b"',
            "[tool.lambdabuild.functions.b]",
            'handler = "a::h.p"\nfolder = "a"',
            "[tool.lambdabuild.functions.c]",
            'handler = "./a/::h.p"\nsource = "b"',
            "[tool.lambdabuild.functions.d]",
            'handler = "h.p"\nfolder = "/a"',
        ),
        [
            "tool.lambdabuild.functions.a.folder: cannot stand beside source; folder alone says what is packaged",
            'tool.lambdabuild.functions.b.folder: cannot stand beside a handler that names its folder, "a"',
            'tool.lambdabuild.functions.c.source: cannot stand beside a handler that names its folder, "a"',
            'tool.lambdabuild.functions.d.folder: "/a" is absolute; expected a path inside the project',
        ],
    ),
    "reachable where no import is followed": (
        lines(
            "[tool.lambdabuild.functions.a]",
            'handler = "h.p"\nfolder = "a"\nsources = "reachable"',
            "[tool.lambdabuild.functions.b]",
            'handler = "a::h.p"\nsources = "reachable"',
            "[tool.lambdabuild.functions.c]",
            'handler = "functions/simple.handler"\nsources = "reachable"',
        ),
        [
            'tool.lambdabuild.functions.a.sources: "reachable" is not for a folder, of which all files are packaged',
            'tool.lambdabuild.functions.b.sources: "reachable" is not for a folder, of which all files are packaged',
            'tool.lambdabuild.functions.c.sources: "reachable" is not for a single file, which is packaged alone; '
            'write handler = "package.module.function", or say with source where its imports are looked for',
        ],
    ),
    "how it is built": (
        lines(
            "[tool.lambdabuild.build]",
            'network = ["native", "no name", 1]',
            "repair = 1",
            "netwrk = true",
        ),
        [
            'tool.lambdabuild.build.netwrk: unknown key; did you mean "network"?',
            'tool.lambdabuild.build.network[1]: "no name" is not a name; names are ASCII letters and digits, with -, _ '
            "and . between them",
            "tool.lambdabuild.build.network[2]: expected a string, found an integer",
            "tool.lambdabuild.build.repair: expected a boolean, found an integer",
        ],
    ),
    "words that are no choices": (
        lines(
            table('dist-info = "striped"\ntests = "none"\nstrip-symbols = "yes"\nbytecode = true\ncompression = 9'),
            table("strict = 1").partition("\n")[2],
            layer('layout = "site_packages"\nboto3 = true'),
            function('sources = "some"\nboto3 = "Runtime"\ngitignore = "no"'),
        ),
        [
            'tool.lambdabuild.dist-info: "striped" is no choice; did you mean "strip"?',
            'tool.lambdabuild.tests: "none" is no choice; expected one of "auto", "strip", "keep"',
            "tool.lambdabuild.strip-symbols: expected a boolean, found a string",
            "tool.lambdabuild.bytecode: expected a string, found a boolean",
            "tool.lambdabuild.compression: expected a string, found an integer",
            "tool.lambdabuild.strict: expected a boolean, found an integer",
            "tool.lambdabuild.layers.deps.boto3: expected a string, found a boolean",
            'tool.lambdabuild.layers.deps.layout: "site_packages" is no choice; did you mean "site-packages"?',
            'tool.lambdabuild.functions.api.sources: "some" is no choice; expected one of "all", "reachable"',
            "tool.lambdabuild.functions.api.gitignore: expected a boolean, found a string",
            'tool.lambdabuild.functions.api.boto3: "Runtime" is no choice; did you mean "runtime"?',
        ],
    ),
    "targets of a layer and a function": (
        lines(
            layer('python = "3.9"\narchitecture = "amd64"'),
            function('python = 3.13\narchitecture = "aarch64"'),
        ),
        [
            'tool.lambdabuild.layers.deps.python: "3.9" is not a Lambda runtime; '
            'expected one of "3.10", "3.11", "3.12", "3.13", "3.14", "3.15"',
            'tool.lambdabuild.layers.deps.architecture: "amd64" is not an architecture of Lambda; '
            'did you mean "x86_64"?',
            'tool.lambdabuild.functions.api.python: expected a string such as "3.15", found a float',
            'tool.lambdabuild.functions.api.architecture: "aarch64" is not an architecture of Lambda; '
            'did you mean "arm64"?',
        ],
    ),
    "gitignore that is no boolean": (
        table("gitignore = 0"),
        ["tool.lambdabuild.gitignore: expected a boolean, found an integer"],
    ),
    "requirements of another type": (
        lines(layer("requirements = true"), function("requirements = 0")),
        [
            "tool.lambdabuild.layers.deps.requirements: true says nothing; "
            "write a path, an array of requirements, or false for none",
            "tool.lambdabuild.functions.api.requirements: expected a path, an array of requirements, or false, "
            "found an integer",
        ],
    ),
    "requirements of a file outside the project": (
        lines(layer('requirements = "../base.txt"'), function('requirements = "."')),
        [
            'tool.lambdabuild.layers.deps.requirements: "../base.txt" leaves the project; expected a path inside it',
            'tool.lambdabuild.functions.api.requirements: "." is the project itself; name what is inside it',
        ],
    ),
    **{
        f"requirement {line!r}": (
            layer(f"requirements = [{quote('requests>=2')}, {quote(line)}]"),
            [f"tool.lambdabuild.layers.deps.requirements[1]: {problem}"],
        )
        for line, problem in {
            "": '"" is not a requirement; write it like "requests>=2"',
            "# comment": '"# comment" is not a requirement; write it like "requests>=2"',
            "./libs/own": '"./libs/own" is not a requirement; write it like "requests>=2"',
            " -r base.txt": '" -r base.txt" is an option; options stand in a requirements file: requirements = "PATH"',
            "--pre": '"--pre" is an option; options stand in a requirements file: requirements = "PATH"',
            "https://x.example/a.whl": '"https://x.example/a.whl" has no name; write "NAME @ https://x.example/a.whl"',
            "git+https://me:hush@x.example/a@v1#egg=a": '"git+https://x.example/a@v1#egg=a" has no name; '
            'write "NAME @ git+https://x.example/a@v1#egg=a"',
            "file:/a": '"file:/a" has no name; write "NAME @ file:/a"',
            "a\n--pre": '"a\\n--pre" has a control character in it',
            "a @ https://x.example/\n--pre": '"a @ https://x.example/\\n--pre" has a control character in it',
            "a_": '"a_" is not a name; names are ASCII letters and digits, with -, _ and . between them',
        }.items()
    },
    "pylock of another name": (
        lines(layer('pylock = "poetry.lock"'), function('pylock = "pylock.a.b.toml"\nrequirements = 1')),
        [
            'tool.lambdabuild.layers.deps.pylock: "poetry.lock" is not a lock of PEP 751, '
            "which is called pylock.toml or pylock.NAME.toml",
            "tool.lambdabuild.functions.api.requirements: expected a path, an array of requirements, or false, "
            "found an integer",
            'tool.lambdabuild.functions.api.pylock: "pylock.a.b.toml" is not a lock of PEP 751, '
            "which is called pylock.toml or pylock.NAME.toml",
            "tool.lambdabuild.functions.api.requirements: cannot stand beside pylock; dependencies come from one place",
        ],
    ),
    "pylock outside the project": (
        layer('pylock = "/pylock.toml"'),
        ['tool.lambdabuild.layers.deps.pylock: "/pylock.toml" is absolute; expected a path inside the project'],
    ),
    "a package that is no name": (
        layer('package = "../core"'),
        [
            'tool.lambdabuild.layers.deps.package: "../core" is not a name; '
            "names are ASCII letters and digits, with -, _ and . between them"
        ],
    ),
    "dependencies from three places": (
        layer('requirements = "a.txt"\npylock = "pylock.toml"\ngroups = ["a"]\npackage = "b"'),
        [
            "tool.lambdabuild.layers.deps.requirements: cannot stand beside pylock, groups, package; "
            "dependencies come from one place"
        ],
    ),
    **{
        f"{first} beside {second}": (
            make(f"{first} = {PLACES[first]}\n{second} = {PLACES[second]}"),
            [f"{path}.{first}: cannot stand beside {second}; dependencies come from one place"],
        )
        for make, path in ((layer, "tool.lambdabuild.layers.deps"), (function, "tool.lambdabuild.functions.api"))
        for first, second in itertools.product(("requirements", "pylock"), PLACES)
        if first != second and (first, second) != ("pylock", "requirements")
    },
    "only-groups of a function beside others": (
        function('only-groups = ["a"]\nextras = ["c"]'),
        [
            "tool.lambdabuild.functions.api.only-groups: replaces the project's dependencies, "
            "so it cannot stand beside extras",
        ],
    ),
    "a layer of nothing": (
        lines("[tool.lambdabuild.layers.a]\nrequirements = false", layer("requirements = []\ncode = []")),
        [
            f"tool.lambdabuild.layers.{name}: neither dependencies nor code; "
            "leave requirements out, or write code = [...]"
            for name in ("a", "deps")
        ],
    ),
    **{
        f"arn {arn}": (
            layer(f"arn = {quote(arn)}\nunzipped-size = 1"),
            [
                f"tool.lambdabuild.layers.deps.arn: {quote(arn)} is not the ARN of a layer's version; "
                "write it like arn:PARTITION:lambda:REGION:ACCOUNT:layer:NAME:VERSION"
            ],
        )
        for arn in (ARN.removesuffix(":7"), ARN.replace("123", ""), ARN.replace("layer", "function"), "pandas", "")
    },
    "an external layer without its size": (
        layer(f"arn = {quote(ARN)}"),
        [
            "tool.lambdabuild.layers.deps.unzipped-size: missing; "
            "write the bytes that the external layer takes of Lambda's limit"
        ],
    ),
    "sizes that are none": (
        lines(
            external().replace("4096", "0"),
            "[tool.lambdabuild.layers.b]",
            f'arn = {quote(ARN)}\nunzipped-size = "4 MB"',
            "[tool.lambdabuild.layers.c]",
            f"arn = {quote(ARN)}\nunzipped-size = true",
        ),
        [
            "tool.lambdabuild.layers.deps.unzipped-size: expected an integer of at least 1, found 0",
            "tool.lambdabuild.layers.b.unzipped-size: expected an integer, found a string",
            "tool.lambdabuild.layers.c.unzipped-size: expected an integer, found a boolean",
        ],
    ),
    "what an external layer holds, without the layer": (
        layer('unzipped-size = 1\ndistributions = ["a==1"]'),
        [
            'tool.lambdabuild.layers.deps.unzipped-size: says what an external layer holds; write arn = "ARN" too',
            'tool.lambdabuild.layers.deps.distributions: says what an external layer holds; write arn = "ARN" too',
        ],
    ),
    "an external layer with keys of others": (
        external('requirements = false\nexclude = []\nlayout = "python"\nboto3 = "bundle"\ncode = ["a", "b/a"]'),
        [
            f"tool.lambdabuild.layers.deps.{key}: cannot stand beside arn; an external layer is used as it is"
            for key in ("requirements", "boto3", "code", "layout", "exclude")
        ],
    ),
    "distributions that are not pinned": (
        external('distributions = ["numpy", "numpy>=2", "numpy===2", "numpy==2.*", "numpy[x]==2", "==2", ""]'),
        [
            f'tool.lambdabuild.layers.deps.distributions[{index}]: "{text}" is not one version of a distribution; '
            'write it like "numpy==2.2.6"'
            for index, text in enumerate(
                ("numpy", "numpy>=2", "numpy===2", "numpy==2.*", "numpy[x]==2", "==2", ""),
            )
        ],
    ),
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
    "a pattern that names nothing, almost": (
        many("", "functons/*"),
        ['tool.lambdabuild.functions."*".from: "functons/*" names no folder; did you mean "functions/*"?'],
    ),
    "a pattern that names nothing": (
        many("", "zzz/*"),
        ['tool.lambdabuild.functions."*".from: "zzz/*" names no folder with a handler\'s module in it'],
    ),
    "a pattern that names other folders": (
        many("", "libs/*"),
        [
            'tool.lambdabuild.functions."*".from: "libs/*" names no folder with the handler\'s module; '
            "these have others: libs/a, libs/b, libs/c, …"
        ],
    ),
    "two folders of one name": (
        many("", "*/fn"),
        [
            'tool.lambdabuild.functions."*".from: "a/fn" and "b/fn" would both be "fn"; '
            'give it a table with a name of its own and folder = "b/fn"'
        ],
    ),
    "a folder with a name that no function has": (
        many("", "odd/*"),
        [
            'tool.lambdabuild.functions."*".from: "odd/my fn": "my fn" cannot be the name of a file; names are ASCII '
            "letters, digits, ., _ and -, and begin with a letter or digit; "
            'give it a table with a name of its own and folder = "odd/my fn"',
            'tool.lambdabuild.functions."*".from: "odd/\udcff": "\udcff" cannot be the name of a file; names are ASCII '
            "letters, digits, ., _ and -, and begin with a letter or digit; rename it",
        ],
    ),
    "a folder with the name of another function": (
        lines(many(""), '[tool.lambdabuild.functions.report]\nhandler = "jobs/report::app.handler"'),
        [
            'tool.lambdabuild.functions."*".from: "functions/report" would be "report", which has a folder of its own; '
            'give it a table with a name of its own and folder = "functions/report"'
        ],
    ),
    "many functions that share a name with a layer": (
        lines("[tool.lambdabuild.layers.report]", many("")),
        ['tool.lambdabuild.functions.report: report.zip would also be the archive of layer "report"; rename one'],
    ),
    "a layer for several runtimes that one reads": (
        layer('compatible-runtimes = ["python3.12", "python3.13"]\nlayout = "site-packages"'),
        [
            'tool.lambdabuild.layers.deps.compatible-runtimes: cannot stand beside layout = "site-packages", which one '
            "runtime alone reads"
        ],
    ),
    "a handler that is too long for Lambda": (
        handler(f'"{"a" * 127}.b"'),
        ["tool.lambdabuild.functions.api.handler: has 129 characters; a handler has at most 128 on Lambda"],
    ),
    "patterns": (
        table(r'exclude = ["*.md", "!", "[z-a]"]' + "\n" + r'keep = ["a\\"]'),
        [
            'tool.lambdabuild.exclude[1]: "!" is not a gitignore pattern',
            'tool.lambdabuild.exclude[2]: "[z-a]" is not a gitignore pattern',
            'tool.lambdabuild.keep[0]: "a\\\\" is not a gitignore pattern',
        ],
    ),
    "patterns of what is included": (
        function('include = ["*.py", "!"]'),
        ['tool.lambdabuild.functions.api.include[1]: "!" is not a gitignore pattern'],
    ),
    **{
        f"requirement {line!r}": (
            function(f"requirements = [{quote(line)}]"),
            [f"tool.lambdabuild.functions.api.requirements[0]: {problem}"],
        )
        for line, problem in {
            "a>>1": '"a>>1" is not a requirement; write it like "requests>=2"',
            "a @": '"a @" is not a requirement; write it like "requests>=2"',
            "a @ https://me:hush@x.example/a b": '"a @ https://x.example/a b" is not a requirement; '
            'write it like "requests>=2"',
            "a==1 --hash=sha256:00": '"a==1 --hash=sha256:00" has an option in it; '
            'options stand in a requirements file: requirements = "PATH"',
        }.items()
    },
    "requirements that are no path": (
        lines(
            *(
                f"[tool.lambdabuild.functions.f{number}]\nhandler = 'a.b'\nrequirements = {quote(text)}"
                for number, text in enumerate(("requests>=2", "a[x]", "a @ b", "a;os_name=='x'", "https://me@x.y/z"))
            ),
        ),
        [
            'tool.lambdabuild.functions.f0.requirements: "requests>=2" is a requirement and not a path; '
            'write ["requests>=2"]',
            'tool.lambdabuild.functions.f1.requirements: "a[x]" is a requirement and not a path; write ["a[x]"]',
            'tool.lambdabuild.functions.f2.requirements: "a @ b" is a requirement and not a path; write ["a @ b"]',
            "tool.lambdabuild.functions.f3.requirements: \"a;os_name=='x'\" is a requirement and not a path; "
            "write [\"a;os_name=='x'\"]",
            'tool.lambdabuild.functions.f4.requirements: "https://x.y/z" is a URL; expected a path inside the project',
        ],
    ),
    "distributions of an external layer": (
        external('distributions = ["Num_Py==2.0", "num-py == 2", "a==x"]'),
        [
            'tool.lambdabuild.layers.deps.distributions[2]: "a==x" is not one version of a distribution; '
            'write it like "numpy==2.2.6"',
            "tool.lambdabuild.layers.deps.distributions: num-py is listed twice",
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
    assert list(config.layers) == ["zebra", "apple", "pandas"]
    assert list(config.functions) == ["worker", "users", "api"]


def test_layers_and_functions_are_read_only() -> None:
    config = parse(FULL)
    with pytest.raises(TypeError, match="does not support item assignment"):
        config.layers["new"] = LayerConfig(name="new")  # type: ignore[index]
    with pytest.raises(TypeError, match="does not support item assignment"):
        ProjectConfig(name="x").functions["new"] = FunctionConfig(name="new", handler="a.b")  # type: ignore[index]
    pandas = config.layers["pandas"].external
    assert pandas is not None
    with pytest.raises(TypeError, match="does not support item assignment"):
        pandas.distributions["new"] = "1"  # type: ignore[index]


@pytest.mark.parametrize(
    ("project", "expected"),
    [
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
        'shop/pyproject.toml: tool.lambdabuild.python: "2.7" is not a Lambda runtime; expected one of "3.13", "3.14"',
        'shop/pyproject.toml: tool.lambdabuild.functions."a.b".handlr: unknown key; did you mean "handler"?',
        'shop/pyproject.toml: tool.lambdabuild.functions."a.b".handler: missing; '
        'write handler = "package.module.function"',
    )


TEXT = st.text('aB3._-/:{} !\\"\n\x7fé', max_size=5)
SCALARS = (
    st.booleans()
    | st.integers(0, 9)
    | st.floats(0, 1)
    | TEXT
    | st.sampled_from(("a.b", "a/b.c", "a::b.c", "deps", "3.13", "arm64", "a==1", "a@ b", " a", "pylock.toml", ARN))
    | st.sampled_from((*LAYOUTS, *SOURCES, *BOTO3, *MODES, *BYTECODE))
)
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
    assert set(SCHEMA["properties"]["build"]["properties"]) == set(BUILD_KEYS)
    many = {"from", *FUNCTION_KEYS} - {"folder", "source"}
    assert set(SCHEMA["definitions"]["functions"]["properties"]) == many


def test_schema_knows_the_runtimes_and_the_defaults() -> None:
    runtimes = read_runtimes()
    assert SCHEMA["definitions"]["architecture"]["enum"] == [*ARCHITECTURES]
    assert SCHEMA["definitions"]["python"]["enum"] == [
        *(runtime.python for runtime in runtimes),
        *(runtime.name for runtime in runtimes),
    ]
    config = parse("")
    assert {key: value["default"] for key, value in SCHEMA["properties"].items() if "default" in value} == {
        "architecture": config.architecture,
        "output": config.output,
        "builder": "auto",
        "image": "public.ecr.aws/lambda/python:{python}",
        "dist-info": config.slimming.dist_info,
        "tests": config.slimming.tests,
        "strip-symbols": config.transforms.strip_symbols,
        "bytecode": config.transforms.bytecode,
        "compression": config.transforms.compression,
        "strict": config.strict,
        "gitignore": config.gitignore,
        "sources": config.sources,
        "layout": config.layout,
    }


def test_schema_knows_the_choices_and_their_defaults() -> None:
    assert SCHEMA["definitions"]["layout"]["enum"] == [*LAYOUTS]
    assert SCHEMA["definitions"]["sources"]["enum"] == [*SOURCES]
    assert SCHEMA["definitions"]["functions"]["properties"]["handler"]["default"] == DEFAULT_HANDLER
    assert SCHEMA["definitions"]["boto3"]["enum"] == [*BOTO3]
    assert SCHEMA["definitions"]["mode"]["enum"] == [*MODES]
    assert SCHEMA["properties"]["bytecode"]["enum"] == [*BYTECODE]
    assert SCHEMA["properties"]["compression"]["enum"] == [*COMPRESSION]


def test_a_name_that_is_misspelt() -> None:
    build = BuildConfig(network=frozenset({"natve", "pandas", "rust-tool"}))
    assert list(build.misspelt({"native", "pandas", "numpy"})) == [("natve", "native")]


def test_schema_describes_every_key() -> None:
    tables = (SCHEMA, SCHEMA["properties"]["build"], SCHEMA["definitions"]["layer"], SCHEMA["definitions"]["function"])
    undescribed = [key for each in tables for key, value in each["properties"].items() if not value.get("description")]
    assert undescribed == []


PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_in_the_documentation_are_good(example: str) -> None:
    config = parse(example, project="" if "[project]" in example else '[project]\nname = "shop"\n')
    assert config != default_config()
    assert schema_accepts(example)


SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize(
    ("section", "key"),
    [
        *(("`[tool.lambdabuild]`", key) for key in PROJECT_KEYS[:-3]),
        *(("`[tool.lambdabuild.build]`", key) for key in BUILD_KEYS),
        *(("`[tool.lambdabuild.layers.NAME]`", key) for key in LAYER_KEYS),
        *(("`[tool.lambdabuild.functions.NAME]`", key) for key in FUNCTION_KEYS),
    ],
)
def test_every_key_has_its_heading_its_default_and_its_example(section: str, key: str) -> None:
    parts = re.split(r"^### ", SECTIONS[section], flags=re.MULTILINE)
    mine = [part for part in parts if f"`{key}`" in part.partition("\n")[0]]
    assert len(mine) == 1
    assert re.search(r"^\* Type: ", mine[0], re.MULTILINE)
    assert re.search(r"^\* (Default: |Required)", mine[0], re.MULTILINE)
    assert re.search(rf"^```toml\n([^`]*\n)?{key} = ", mine[0], re.MULTILINE)


def test_messages_in_the_documentation_are_what_is_said() -> None:
    toml = table('architecture = "amd64"') + "\n" + function('handlr = "a.b"')
    said = set(problems(toml))
    assert said == set(re.findall(r"^    (?:error: )?/home/me/shop/pyproject\.toml: (.*)$", PAGE, re.MULTILINE))


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
