"""The command line from outside: real projects, real uv, a real index on the loopback address, real signals."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from lambdabuild import __version__
from tests.index import Answer, Index
from tests.shop import Shop, make_shop
from tests.wheels import sdist, wheel

PYPROJECT = """\
[project]
name = "shop"
version = "0.1"
requires-python = ">=3.10"
dependencies = ["greet"]

[tool.lambdabuild]
python = "3.13"

[tool.lambdabuild.functions.api]
handler = "shop.main.handler"
"""
HANDLER = """\
import greet
from shop import words

def handler(event, context):
    return greet.hello(words.WHO)
"""
GREET = wheel(
    "greet",
    files={
        "greet/__init__.py": "import shout\n\ndef hello(who):\n    return shout.loud(f'hello {who}')\n",
        "greet/tests/test_greet.py": "",
        "greet/data.txt": "some text that deflates well, " * 100,
    },
    requires=["shout>=2"],
)
SHOUT = wheel(
    "shout",
    "2.0",
    {"shout.py": "def loud(text):\n    return text.upper()\n", "_shout.so": b"\0\1"},
    launchers={"shout": "shout:loud"},
    executables=["_shout.so"],
)


PROJECT = {
    "pyproject.toml": PYPROJECT,
    "src/shop/__init__.py": "",
    "src/shop/main.py": HANDLER,
    "src/shop/words.py": "WHO = 'world'\n",
    "src/shop/__pycache__/words.cpython-313.pyc": "old",
}


@pytest.fixture
def shop(tmp_path: Path, index: Index) -> Shop:
    index.add(GREET)
    index.add(SHOUT)
    return make_shop(tmp_path, index).write(PROJECT)


@pytest.fixture
def locked(shop: Shop) -> Shop:
    return shop.lock()


def answer_of(*paths: Path | str) -> str:
    """What the handler answers with these on the import path, and nothing else of the project."""
    program = "import sys; sys.path[:0] = sys.argv[1:]; from shop.main import handler; print(handler({}, None))"
    argv = [sys.executable, "-I", "-c", program, *map(str, paths)]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def test_from_a_project_to_zips_that_run(shop: Shop) -> None:
    made = shop.done("layer", "--lock", "--builder", "host")
    assert made.err == "uv lock …\nreading the lock …\nfetching 2 files …\nreading wheels …\n" + (
        "collecting sources …\nwriting archives …\n"
    )
    lines = made.out.splitlines()
    assert lines[0] == str(shop.output)
    assert lines[1].startswith("  layer.zip  ")
    assert lines[2].startswith(
        "python3.13 x86_64, host builder, not verified, distributions: 2 installed, 0 from the cache, "
    )
    assert len(lines) == 3
    layer = ["_shout.so", "bin/shout", "greet/__init__.py", "greet/data.txt", "shout.py"]
    assert shop.members("layer.zip") == [f"python/{path}" for path in layer]

    again = shop.done("package", "--builder", "host")
    assert ", distributions: 0 installed, 2 from the cache, " in again.out
    code = ["shop/__init__.py", "shop/main.py", "shop/words.py"]
    assert shop.members("api.zip") == code
    assert answer_of(shop.output / "api.zip", shop.output / "layer.zip/python") == "HELLO WORLD\n"

    shop.done("package", "--fat", "--builder", "host")
    assert shop.members("api-fat.zip") == sorted([*layer, *code])
    assert answer_of(shop.output / "api-fat.zip") == "HELLO WORLD\n"

    assert sorted(path.name for path in shop.output.iterdir()) == [
        "api-fat.zip",
        "api.zip",
        "layer.zip",
        "manifest.json",
    ]
    validated = shop.done("validate")
    assert [line.split()[0] for line in validated.out.splitlines()] == [
        str(shop.output / name) for name in ("api-fat.zip", "api.zip", "layer.zip")
    ]
    assert sorted(path.name for path in shop.project.iterdir()) == ["dist", "pyproject.toml", "src", "uv.lock"]


def test_json_and_the_manifest_tell_the_same(locked: Shop) -> None:
    told = json.loads(locked.done("package", "--builder", "host", "--json").out)
    manifest = json.loads((locked.output / "manifest.json").read_text())
    assert told["artifacts"] == manifest["artifacts"]
    assert [(one["path"], one["kind"], one["layers"]) for one in manifest["artifacts"]] == [
        ("api.zip", "function", ["layer"]),
        ("layer.zip", "layer", []),
    ]
    for one in manifest["artifacts"]:
        data = (locked.output / one["path"]).read_bytes()
        assert (one["sha256"], one["zipped_size"]) == (hashlib.sha256(data).hexdigest(), len(data))
    checked = json.loads(locked.done("validate", "--json").out)
    assert [(Path(one["path"]).name, one["zipped_size"]) for one in checked["archives"]] == [
        (one["path"], one["zipped_size"]) for one in manifest["artifacts"]
    ]


def sha256s(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.zip"))}


def test_help_and_version(shop: Shop) -> None:
    assert shop.done("--version").out == f"lambdabuild, version {__version__}\n"
    for command in ("", "layer", "package", "validate"):
        assert shop.done(*command.split(), "-h").out.startswith(f"Usage: python -m lambdabuild {command}".rstrip())


def test_a_handler_on_the_command_line(locked: Shop) -> None:
    locked.done("package", "extra", "--handler", "shop.words.WHO", "--builder", "host", "--output", "out")
    assert sorted(path.name for path in (locked.project / "out").iterdir()) == [
        "extra.zip",
        "layer.zip",
        "manifest.json",
    ]


def test_verbose_shows_commands(locked: Shop) -> None:
    assert "run ['" in locked.done("-v", "layer", "--builder", "host").err


# Exit status 1: the build failed


def test_a_source_distribution_on_the_host(shop: Shop, index: Index) -> None:
    index.add_file("onlysource", *sdist("onlysource"))
    shop.write({"pyproject.toml": PYPROJECT.replace('"greet"', '"onlysource"')})
    ended = shop.run("layer", "--lock", "--builder", "host")
    assert ended.code == 1
    assert ended.error == (
        "error: onlysource 1.0 has no wheel for python3.13 x86_64, only a source distribution\n"
        "the host builder installs wheels only\n"
        "  hint: build in the Lambda image, where source distributions are compiled: --builder docker\n"
    )
    assert not shop.output.exists()


# Exit status 2: usage and configuration


def test_mistakes_in_the_configuration(shop: Shop) -> None:
    shop.write({"pyproject.toml": PYPROJECT.replace("python =", "pyton =")})
    ended = shop.run("layer")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        f'error: {shop.project}/pyproject.toml: tool.lambdabuild.pyton: unknown key; did you mean "python"?\n'
    )


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["layr"], "No such command 'layr'"),
        (["layer", "--fat"], "No such option"),
        (["layer", "--builder", "cloud"], "'cloud' is not one of"),
        (["layer", "--python", "2.7"], "error: Lambda has no Python 2.7 runtime\n"),
        (["layer", "nothing"], 'error: no layer "nothing" is configured; the layers are layer\n'),
        (["package", "apy"], 'error: no function "apy" is configured; did you mean "api"?\n'),
        (
            ["package", "--handler", "shop"],
            'error: --handler: "shop" is not a handler; write "package.module.function"',
        ),
        (["package", "--handler", "shop.mian.handler"], "there is no module shop/mian.py in src or "),
        (["package", "a", "b", "--handler", "a.b"], "error: --handler describes one function\n"),
        (
            ["package", "../api", "--handler", "shop.main.handler"],
            'error: NAME: "../api" cannot be the name of a file; names are ASCII letters, digits, ., _ and -, '
            "and begin with a letter or digit\n",
        ),
        (["package", "layer", "--handler", "shop.main.handler"], 'error: "layer" is a layer\n'),
        (["layer", "--project", "nowhere"], "error: --project: nowhere does not exist\n"),
        (
            ["layer", "--output", "pyproject.toml", "--builder", "host"],
            "pyproject.toml is a file, and the output folder goes there\n",
        ),
        (["validate"], "error: there is nothing to validate in "),
        (["validate", "gone.zip"], "error: gone.zip does not exist\n"),
    ],
)
def test_wrong_usage(locked: Shop, argv: list[str], message: str) -> None:
    ended = locked.run(*argv)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert "Traceback" not in ended.err


def test_wrong_environment_variables(locked: Shop) -> None:
    ended = locked.run("layer", SOURCE_DATE_EPOCH="yesterday")
    assert ended.code == 2
    assert "error: SOURCE_DATE_EPOCH: 'yesterday' is not a number of seconds" in ended.err
    ended = locked.run("layer", LAMBDABUILD_IMAGE="a{b}")
    assert ended.code == 2
    assert "error: LAMBDABUILD_IMAGE: {b} is not a field of an image reference" in ended.err
    ended = locked.run("layer", LAMBDABUILD_BUILDER="cloud")
    assert (ended.code, ended.error) == (
        2,
        'error: LAMBDABUILD_BUILDER: "cloud" is no builder\n  hint: choose one of auto, docker, host\n',
    )


def test_which_builder(locked: Shop, tmp_path: Path) -> None:
    """The option wins over the variable, and that over the configuration; here no engine answers."""
    locked.environ["DOCKER_HOST"] = f"unix://{tmp_path}/no.sock"
    locked.write({"pyproject.toml": PYPROJECT.replace('python = "3.13"', 'python = "3.13"\nbuilder = "docker"')})
    assert locked.run("layer").code == 4
    assert "host builder" in locked.done("layer", LAMBDABUILD_BUILDER="host").out
    assert locked.run("layer", "--builder", "docker", "--clean", LAMBDABUILD_BUILDER="host").code == 4
    assert "host builder" in locked.done("layer", "--builder", "host", "--timings").out


# Exit status 3: refused


def test_no_lock(shop: Shop) -> None:
    ended = shop.run("layer", "--builder", "host")
    assert ended.code == 3
    assert ended.error == (
        f"error: {shop.project} has no uv.lock\n"
        f"  hint: uv lock --project {shop.project}   (or add --lock to this command)\n"
    )


def test_a_wheel_that_changed(locked: Shop, index: Index) -> None:
    other = wheel("shout", "2.0", {"shout.py": "import evil"})
    index.answers[f"/files/{SHOUT.filename}"] = Answer(other.data)
    ended = locked.run("layer", "--builder", "host")
    assert ended.code == 3
    assert ended.error == (
        f"error: {SHOUT.filename} has not the hash that was locked\n"
        f"  expected sha256 {SHOUT.sha256}\n"
        f"  computed sha256 {other.sha256}\n"
        "  hint: the file is not the one that was locked: do not use it before you know why\n"
    )
    assert not locked.output.exists()


def test_too_big(locked: Shop) -> None:
    with (locked.project / "src" / "shop" / "big.bin").open("wb") as file:
        file.truncate(262_144_001)
    ended = locked.run("package", "--builder", "host")
    assert ended.code == 3
    assert "bytes unzipped, " in ended.error
    assert "  (sources)\n" in ended.error
    assert not locked.output.exists()


def test_what_is_no_zip(locked: Shop) -> None:
    assert locked.run("validate", "pyproject.toml").code == 3


def test_a_cache_that_cannot_be_written_is_no_reason_not_to_build(locked: Shop, tmp_path: Path) -> None:
    made = locked.done("package", "--builder", "host")
    archives = sha256s(locked.output)
    cache = locked.project / "pyproject.toml"
    before = cache.read_bytes()
    for _ in range(2):
        ended = locked.done(
            "package", "--builder", "host", LAMBDABUILD_CACHE_DIR=str(cache), TMPDIR=str(tmp_path), HOME=str(tmp_path)
        )
        assert [line for line in ended.err.splitlines() if "…" not in line] == [
            f"note: the cache folder {cache} cannot be written (Not a directory): this build goes on without it, and "
            "keeps nothing for the next (LAMBDABUILD_CACHE_DIR sets another folder)"
        ]
        assert "unchanged" not in ended.out
    assert made.out.splitlines()[0] == ended.out.splitlines()[0]
    assert sha256s(locked.output) == archives
    assert cache.read_bytes() == before
    assert list(tmp_path.glob("lambdabuild-*")) == []
    everything = {"LAMBDABUILD_CACHE_DIR": str(cache), "UV_CACHE_DIR": str(cache / "uv"), "TMPDIR": str(tmp_path)}
    locked.done("package", "--builder", "host", **everything)  # uv's own cannot be written either
    assert sha256s(locked.output) == archives
    for command in ("prune", "clear"):
        ended = locked.run("cache", command, LAMBDABUILD_CACHE_DIR=str(cache))
        assert (ended.code, ended.out, ended.err) == (
            4,
            "",
            f"error: {cache / 'locks'} in the cache cannot be written or removed: Not a directory\n"
            "  hint: mend its permissions, or set LAMBDABUILD_CACHE_DIR to another folder\n",
        )


# Exit status 4: the machine


def test_an_index_that_is_gone(locked: Shop, index: Index) -> None:
    index.close()
    ended = locked.run("layer", "--builder", "host")
    assert ended.code == 4
    hint = "  hint: check the network, the proxy settings and the index\n"
    assert ended.error in [
        f"error: {file} cannot be fetched from {index.url.removeprefix('http://')}: Connection refused\n{hint}"
        for file in (SHOUT.filename, GREET.filename)
    ]


def test_no_engine(locked: Shop, tmp_path: Path) -> None:
    socket = f"unix://{tmp_path}/no.sock"
    ended = locked.run("layer", "--builder", "docker", DOCKER_HOST=socket)
    assert ended.code == 4
    assert ended.error == (
        f"error: no Docker Engine answers at {socket} (DOCKER_HOST): there is no such socket\n"
        "  hint: start Docker, set DOCKER_HOST, or build without it: --builder host\n"
    )
    ended = locked.run("layer", "--builder", "auto", DOCKER_HOST=socket)
    assert ended.code == 0
    assert (
        "note: building on this machine, not in the Lambda image: "
        f"no Docker Engine answers at {socket} (DOCKER_HOST): there is no such socket\n"
        "  The same wheels give the same bytes; source distributions cannot be built this way.\n"
    ) in ended.err


# Exit status 5: a bug


def test_a_bug_says_that_it_is_one() -> None:
    program = (
        "import sys; sys.argv = ['lambdabuild', 'divide']\n"
        "from lambdabuild.cli import cli, main\n"
        "cli.command('divide')(lambda: 1 / 0)\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 5
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert done.stderr.endswith(
        "ZeroDivisionError: division by zero\n"
        "error: this is a bug in lambdabuild; please report it with the lines above\n"
    )


# Exit status 130 and 143: signals


@pytest.mark.parametrize(
    ("number", "ended"),
    [(signal.SIGINT, (130, "", "\ninterrupted\n")), (signal.SIGTERM, (143, "", "terminated\n"))],
)
def test_signals_leave_everything_as_it_was(
    locked: Shop, index: Index, tmp_path: Path, number: int, ended: tuple[int, str, str]
) -> None:
    locked.done("package", "--builder", "host")
    before = sha256s(locked.output)
    cold = {"LAMBDABUILD_CACHE_DIR": str(tmp_path / "cold"), "UV_CACHE_DIR": str(tmp_path / "cold-uv")}
    arrived: Event = index.hold(f"/files/{GREET.filename}")
    process = locked.start("package", "--builder", "host", **cold)
    assert arrived.wait(30)
    process.send_signal(number)
    out, err = process.communicate()
    assert (process.returncode, out, err[err.rindex(" …\n") + 3 :]) == ended
    assert sha256s(locked.output) == before
    assert sorted(path.name for path in locked.output.iterdir()) == ["api.zip", "layer.zip", "manifest.json"]
    left = ["evidence", "exports", "selections", "versions", "wheels"]
    assert sorted(path.name for path in (tmp_path / "cold" / "v3").iterdir()) == left
    wheels = {path.name for path in (tmp_path / "cold" / "v3" / "wheels").rglob("*") if path.is_file()}
    assert GREET.sha256 not in wheels
    assert wheels <= {f"{GREET.sha256}.partial", f"{SHOUT.sha256}.partial", SHOUT.sha256}
