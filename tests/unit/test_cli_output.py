"""The command line where the output matters: a file instead of a folder, what is in the way, and what is left there."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.index import Index
from tests.shop import Shop, make_shop
from tests.wheels import wheel

PYPROJECT = """\
[project]
name = "shop"
version = "1"
requires-python = ">=3.10"
dependencies = ["one"]

[tool.lambdabuild]
python = "3.13"
"""
API = '[tool.lambdabuild.functions.api]\nhandler = "api.handler"\n'
WEB = '[tool.lambdabuild.functions.web]\nhandler = "web.handler"\n'
HANDLER = "import one\n\ndef handler(event, context): ...\n"
HOST = ("--builder", "host", "--no-verify")


@pytest.fixture
def shop(tmp_path: Path, index: Index) -> Shop:
    index.add(wheel("one"))
    files = {"pyproject.toml": PYPROJECT + API + WEB, "api.py": HANDLER, "web.py": HANDLER}
    return make_shop(tmp_path, index).write(files).lock()


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def manifest(folder: Path) -> dict[str, Any]:
    """The artifacts of a manifest, by the names of their files."""
    document = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    schema = Path(__file__).parent.parent.parent / "lambdabuild" / "resources" / "manifest.schema.json"
    jsonschema.validate(document, json.loads(schema.read_text(encoding="utf-8")))
    return {one["path"]: one for one in document["artifacts"]}


# A file as output


def test_a_layer_in_the_file_that_is_asked_for(shop: Shop) -> None:
    made = shop.done("layer", *HOST, "--output", "out/deps-for-all.zip")
    assert made.out.splitlines()[0] == str(shop.project / "out")
    assert made.out.splitlines()[1].startswith("  deps-for-all.zip  ")
    assert listing(shop.project / "out") == ["deps-for-all.zip", "manifest.json"]
    one = manifest(shop.project / "out")["deps-for-all.zip"]
    assert (one["name"], one["kind"]) == ("layer", "layer")
    assert zipfile.ZipFile(shop.project / "out" / "deps-for-all.zip").namelist()[-1] == "python/one.py"
    validated = shop.done("validate", "--output", "out/deps-for-all.zip")
    assert validated.out == shop.done("validate", "--output", "out").out.replace(f"{shop.project}/", "")
    again = shop.done("layer", *HOST, "--output", "out/deps-for-all.zip")
    assert ", unchanged, " in again.out


def test_the_next_builds_work_beside_it(shop: Shop) -> None:
    shop.done("layer", *HOST, "--output", "dist/lambda/layer.zip")
    assert listing(shop.output) == ["layer.zip", "manifest.json"]
    shop.done("package", *HOST)
    assert listing(shop.output) == ["api.zip", "layer.zip", "manifest.json", "web.zip"]
    shop.done("validate")


def test_a_function_in_the_file_that_is_asked_for_and_its_layer_beside_it(shop: Shop) -> None:
    shop.done("package", "api", *HOST, "--output", "out/lambda.zip")
    assert listing(shop.project / "out") == ["lambda.zip", "layer.zip", "manifest.json"]
    assert manifest(shop.project / "out")["lambda.zip"]["name"] == "api"
    shop.done("package", "api", "--fat", *HOST, "-o", "out/all.zip")
    assert listing(shop.project / "out") == ["all.zip", "lambda.zip", "layer.zip", "manifest.json"]
    kinds = {file: one["kind"] for file, one in manifest(shop.project / "out").items()}
    assert kinds == {"all.zip": "fat-function", "lambda.zip": "function", "layer.zip": "layer"}
    lines = shop.done("validate", "--output", "out").out.splitlines()
    assert [line.endswith(" unzipped with layer.zip") for line in lines] == [False, True, False]


def test_the_manifest_has_one_file_of_an_artifact(shop: Shop) -> None:
    shop.done("layer", *HOST)
    moved = shop.done("layer", *HOST, "--output", "dist/lambda/deps.zip")
    assert moved.err.endswith("note: layer.zip of an earlier build stays, but the manifest has another file now\n")
    assert list(manifest(shop.output)) == ["deps.zip"]
    assert listing(shop.output) == ["deps.zip", "layer.zip", "manifest.json"]


def test_one_file_for_several(shop: Shop) -> None:
    for argv, message in (
        (
            ("package", "--output", "out/all.zip"),
            "all.zip is one file, and 2 are built: api.zip, web.zip\n"
            "  hint: name one of them before --output, or give --output a folder\n",
        ),
        (
            ("package", "api", "--output", "out/Layer.zip"),
            'Layer.zip would be the archive of "api" and of its layer\n  hint: give --output another name\n',
        ),
        (("layer", "--split", "--make", "-o", "a.zip"), "--split --make makes several layers, and a.zip is one file\n"),
        (("layer", "--output", "out/a\\b.zip"), "--output: 'a\\\\b.zip' is no name for an archive\n"),
    ):
        ended = shop.run(*argv, *HOST)
        assert (ended.code, ended.out, ended.err) == (2, "", f"error: {message}")
    assert not (shop.project / "out").exists()


def test_what_is_in_the_way(shop: Shop) -> None:
    (shop.project / "out" / "layer.zip").mkdir(parents=True)
    for output in ("out", "out/layer.zip"):
        ended = shop.run("layer", *HOST, "--output", output)
        assert (ended.code, ended.err) == (
            2,
            f"error: {shop.project}/out/layer.zip is a folder, and an artifact goes there\n"
            "  hint: remove it, or choose another place with --output\n",
        )
    (shop.project / "file").touch()
    ended = shop.run("layer", *HOST, "--output", "file/layer.zip")
    assert (ended.code, ended.err) == (
        2,
        f"error: {shop.project}/file is a file, and the output folder goes there\n"
        "  hint: remove it, or choose another folder with --output\n",
    )
    (shop.project / "out" / "layer.zip").rmdir()
    shop.done("layer", *HOST, "--output", "out/layer.zip")


# Nothing as output


@pytest.mark.parametrize(
    ("argv", "what"),
    [
        (["package", "--output", ""], "what follows --output"),
        (["layer", "-o", "  "], "what follows -o"),
        (["layer", "--output="], "--output"),
        (["layer", "--project", ""], "what follows --project"),
        (["layer", "--python", ""], "what follows --python"),
        (["layer", ""], "what follows layer"),
        (["package", "--handler", ""], "what follows --handler"),
        (["package", "--fat", ""], "what follows --fat"),
        (["validate", "", "--json"], "what follows validate"),
        (["validate", "--output", ""], "what follows --output"),
        (["verify", ""], "what follows verify"),
        (["verify", "--project="], "--project"),
        (["invoke", ""], "what follows invoke"),
        (["invoke", "api", "--event", ""], "what follows --event"),
        (["invoke", "api", "--env-file="], "--env-file"),
        (["invoke", "api", "--env", ""], "what follows --env"),
        (["cache", "prune", "--max-size", ""], "what follows --max-size"),
        (["-v", ""], "what follows -v"),
    ],
)
def test_nothing_may_be_empty(shop: Shop, argv: list[str], what: str) -> None:
    before = listing(shop.project)
    ended = shop.run(*argv)
    message, hint = f"{what} is empty", "set the variable that it comes from, or leave it out"
    assert ended.code == 2
    if "--json" in argv:
        assert json.loads(ended.out)["error"]["message"] == message
    else:
        assert (ended.out, ended.err) == ("", f"error: {message}\n  hint: {hint}\n")
    assert listing(shop.project) == before


def test_a_variable_may_be_empty_in_the_function(shop: Shop) -> None:
    ended = shop.run("invoke", "api", "--env=TABLE=", "--env", "STAGE=")
    assert ended.error.startswith('error: no function "api" was built in ')


# What is left


def test_what_is_configured_no_more(shop: Shop) -> None:
    shop.done("package", *HOST)
    shop.done("package", "--fat", *HOST)
    shop.write({"pyproject.toml": PYPROJECT + API})
    note = (
        "note: web-fat.zip, web.zip: made by earlier builds, and not in the configuration; "
        "--clean removes what a build does not make\n"
    )
    for _ in range(2):
        made = shop.done("package", *HOST)
        assert note in made.err
        configured = {file: one["configured"] for file, one in manifest(shop.output).items()}
        assert configured == {
            "api-fat.zip": True,
            "api.zip": True,
            "layer.zip": True,
            "web-fat.zip": False,
            "web.zip": False,
        }
    document = json.loads(shop.done("package", *HOST, "--json").out)
    assert (document["unconfigured"], document["removed"]) == (["web-fat.zip", "web.zip"], [])
    shop.write({"pyproject.toml": PYPROJECT + API + WEB})
    made = shop.done("layer", *HOST)
    assert "configured" not in made.err
    assert all(one["configured"] for one in manifest(shop.output).values())


def test_a_handler_of_the_command_line_makes_no_other_function_unconfigured(shop: Shop) -> None:
    shop.done("package", *HOST)
    made = shop.done("package", "extra", "--handler", "api.handler", *HOST)
    assert "configured" not in made.err
    assert all(one["configured"] for one in manifest(shop.output).values())
    made = shop.done("package", "api", *HOST)
    assert "note: extra.zip: made by earlier builds, and not in the configuration; " in made.err


@pytest.mark.parametrize("names", [(), ("extra",)])
def test_the_slim_zip_of_a_handler_of_the_command_line_stays_beside_its_fat_one(
    shop: Shop, names: tuple[str, ...]
) -> None:
    for mode in ("--layer", "--fat", "--layer"):
        assert "configured" not in shop.done("package", *names, mode, "--handler", "api.handler", *HOST).err
    file = f"{names[0] if names else 'function'}.zip"
    assert {one["configured"] for one in manifest(shop.output).values()} == {True}
    assert f"note: {file.replace('.zip', '-fat.zip')}, {file}: made by earlier builds" in shop.done("layer", *HOST).err


def test_a_module_of_the_project_that_nothing_brings(shop: Shop) -> None:
    """Told without Docker, too; what the hint says is enough."""
    handler = "from jobs.tools import clean\nimport shared\n" + HANDLER
    shop.write({"jobs/run.py": handler, "jobs/tools.py": "", "shared/__init__.py": "import log\n", "log.py": ""})
    tables = "[tool.lambdabuild.functions.function]"
    with_handler = f'{tables} with handler = "jobs/run.handler" packages what lies beside the handler'
    says = (
        "function.zip: jobs/run.py imports {}, which neither the archive nor a layer has\n  hint: {} is not packaged: "
    )
    for _ in range(2):
        made = shop.done("package", "--handler", "jobs/run.handler", *HOST)
        for module, path in (("jobs.tools", "jobs/tools.py"), ("shared", "shared/__init__.py")):
            assert f'warning: {says.format(module, path)}source = "." in {with_handler}\n' in made.err
    table = tables + '\nhandler = "jobs/run.handler"\nsource = "."\n'
    shop.write({"pyproject.toml": PYPROJECT + table})
    assert "neither" not in shop.done("package", *HOST).err
    shop.write({"pyproject.toml": PYPROJECT + table + 'exclude = ["/log.py"]\n'})
    assert (
        "warning: function.zip: shared/__init__.py imports log, which neither the archive nor a layer has\n"
        f'  hint: log.py is left out by "/log.py" (exclude): keep = ["/log.py"] in {tables} takes it\n'
    ) in shop.done("package", *HOST).err
    layer = f'[tool.lambdabuild.layers.code]\ncode = ["log.py"]\n{table}exclude = ["/log.py"]\n'
    shop.write({"pyproject.toml": PYPROJECT + layer})
    assert "neither" not in shop.done("package", *HOST).err


def test_clean_tells_what_it_removes_and_once(shop: Shop) -> None:
    shop.done("package", *HOST)
    (shop.output / "mine.zip").touch()
    cleaned = shop.done("layer", *HOST, "--clean")
    assert cleaned.err.endswith("note: --clean removed api.zip, web.zip\n")
    assert listing(shop.output) == ["layer.zip", "manifest.json", "mine.zip"]
    again = shop.done("layer", *HOST, "--clean")
    assert ", unchanged, " in again.out
    assert again.err == ""
    shop.done("package", *HOST)
    assert json.loads(shop.done("layer", *HOST, "--clean", "--json").out)["removed"] == ["api.zip", "web.zip"]
    again = shop.done("layer", *HOST, "--clean", "--json")
    assert (json.loads(again.out)["removed"], json.loads(again.out)["unchanged"]) == ([], True)


# What others left


def test_an_interrupted_publication_is_finished_and_is_a_change(shop: Shop) -> None:
    shop.done("package", *HOST)
    assert ", unchanged, " in shop.done("package", *HOST).out
    pending = shop.output / ".lambdabuild-publishing"
    pending.mkdir()
    (shop.output / "web.zip").rename(pending / "web.zip")
    for argv in (("validate",), ("validate", "dist/lambda/api.zip"), ("verify",), ("invoke", "api")):
        ended = shop.run(*argv)
        assert ended.code == 3
        assert "was interrupted while it published" in ended.err
    assert ", unchanged, " not in shop.done("package", *HOST).out
    assert listing(shop.output) == ["api.zip", "layer.zip", "manifest.json", "web.zip"]
    shop.done("validate")


@pytest.mark.parametrize("command", ["validate", "verify", "invoke"])
def test_a_manifest_that_is_none_hangs_nobody(shop: Shop, command: str) -> None:
    shop.output.mkdir(parents=True)
    os.mkfifo(shop.output / "manifest.json")
    ended = shop.run(command, *(["api"] if command == "invoke" else []))
    assert (ended.code, ended.err) == (
        3,
        f"error: {shop.output}/manifest.json is not a manifest that this lambdabuild reads: it is a pipe\n"
        "  hint: remove it, or choose another --output\n",
    )


def test_an_archive_that_became_a_pipe_hangs_nobody(shop: Shop) -> None:
    shop.done("layer", *HOST)
    (shop.output / "layer.zip").unlink()
    os.mkfifo(shop.output / "layer.zip")
    for command, end in (
        ("validate", "is not a zip file: it is a pipe\n"),
        ("verify", "cannot be read: it is a pipe\n"),
    ):
        ended = shop.run(command)
        assert ended.code in {2, 3}
        assert ended.err.startswith(f"error: {shop.output}/layer.zip {end}")
    assert shop.run("layer", *HOST).code == 0
