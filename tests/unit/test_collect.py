"""steps.collect: which files of a project are packaged, from real folders with real links."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lambdabuild.errors import PolicyError, UsageError
from lambdabuild.model.segment import Member
from lambdabuild.model.sources import Collected, Sources
from lambdabuild.steps.collect import collect_code, collect_sources, find_handler, unread_note
from tests.samples import content, target
from tests.unprivileged import public_folder, run_unprivileged

HANDLER = "def handler(event, context): ...\n"
LINK_HINT = "\n  hint: replace the link by a copy, or exclude it"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
READ_WITH = f"\n  hint: it was read with Python {PYTHON}; code for a newer one needs lambdabuild to run on that"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    return folder


def write(project: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def sources(**changes: Any) -> Sources:
    plain: dict[str, Any] = {
        "owner": "functions.api",
        "handler": "app.handler",
        "source": None,
        "folder": None,
        "reachable": False,
        "include": (),
        "exclude": (),
        "keep": (),
        "gitignore": True,
    }
    return Sources(**{**plain, **changes})


def in_source(source: str = "code", **changes: Any) -> Sources:
    return sources(source=source, **changes)


def collect(project: Path, wanted: Sources | None = None, *, output: str = "dist/lambda") -> Collected:
    return collect_sources(project, wanted or sources(), output=project / output)


def collected(project: Path, wanted: Sources | None = None, *, output: str = "dist/lambda") -> list[str]:
    return [member.path for member in collect(project, wanted, output=output).members]


def usage(project: Path, wanted: Sources) -> str:
    """What finding the handler says, which collecting says too."""
    with pytest.raises(UsageError) as found:
        find_handler(project, wanted, target("3.10"))
    return str(found.value)


def refused(project: Path, wanted: Sources) -> str:
    with pytest.raises(PolicyError) as caught:
        collected(project, wanted)
    return str(caught.value)


# Layouts


def test_a_module(project: Path) -> None:
    write(project, {"app.py": HANDLER, "other.py": "", "tests/test_app.py": ""})
    assert collected(project) == ["app.py"]
    assert find_handler(project, sources(), target("3.10")) == project / "app.py"


def test_a_single_file(project: Path) -> None:
    write(project, {"functions/simple.py": HANDLER, "functions/other.py": "", "functions/__init__.py": ""})
    wanted = sources(handler="functions/simple.handler")
    assert collected(project, wanted) == ["functions/simple.py"]
    assert find_handler(project, wanted, target("3.10")) == project / "functions" / "simple.py"


def test_a_single_file_is_not_looked_for_in_src(project: Path) -> None:
    write(project, {"src/functions/simple.py": HANDLER})
    assert usage(project, sources(handler="functions/simple.handler")) == (
        'functions.api.handler = "functions/simple.handler": '
        f"there is no module functions/simple.py in {project}\n"
        '  hint: did you mean "src/functions/simple.handler"?'
    )


def test_a_package_in_the_place_of_a_single_file(project: Path) -> None:
    write(project, {"functions/big/__init__.py": HANDLER, "functions/big/inner.py": "", "functions/other.py": ""})
    assert collected(project, sources(handler="functions/big.handler")) == [
        "functions/big/__init__.py",
        "functions/big/inner.py",
    ]


def test_a_path_in_a_source_folder(project: Path) -> None:
    write(project, {"code/functions/simple.py": HANDLER, "code/lib.py": ""})
    assert collected(project, in_source(handler="functions/simple.handler")) == ["functions/simple.py", "lib.py"]


def test_a_folder(project: Path) -> None:
    write(project, {"functions/users/handler.py": HANDLER, "functions/users/db.py": "", "functions/users/a/q.sql": ""})
    wanted = sources(handler="handler.handler", folder="functions/users")
    assert collected(project, wanted) == ["a/q.sql", "db.py", "handler.py"]
    assert find_handler(project, wanted, target("3.10")) == project / "functions" / "users" / "handler.py"


def test_a_package(project: Path) -> None:
    write(project, {"shop/__init__.py": "", "shop/api/main.py": HANDLER, "shop/data.csv": "", "other/a.py": ""})
    wanted = sources(handler="shop.api.main.handler")
    assert collected(project, wanted) == ["shop/__init__.py", "shop/api/main.py", "shop/data.csv"]


def test_src_comes_first(project: Path) -> None:
    write(project, {"src/app.py": HANDLER, "app.py": "# not this one"})
    assert find_handler(project, sources(), target("3.10")) == project / "src" / "app.py"
    (member,) = collect(project).members
    assert content(member) == HANDLER.encode()


def test_a_project_beside_an_unrelated_src(project: Path) -> None:
    write(project, {"src/other.py": "", "app.py": HANDLER})
    assert collected(project) == ["app.py"]


def test_a_handler_in_a_package_itself(project: Path) -> None:
    write(project, {"src/app/__init__.py": HANDLER, "src/app/inner.py": "", "src/app.py": "# Python takes the package"})
    assert collected(project) == ["app/__init__.py", "app/inner.py"]


def test_a_module_beside_a_folder_of_its_name(project: Path) -> None:
    write(project, {"app.py": HANDLER, "app/template.html": ""})
    assert collected(project) == ["app.py"]


def test_a_source_folder_is_packaged_whole(project: Path) -> None:
    write(project, {"code/app.py": HANDLER, "code/lib/a.py": "", "code/README.md": "", "else.py": ""})
    assert collected(project, in_source()) == ["README.md", "app.py", "lib/a.py"]


def test_the_project_as_source(project: Path) -> None:
    write(
        project, {"app.py": HANDLER, "dist/lambda/old.zip": "", "dist/wheel.whl": "", ".venv/a.py": "", ".env": "S=1"}
    )
    assert collected(project, in_source(".")) == ["app.py", "dist/wheel.whl"]


# The output folder


def test_the_output_folder_is_never_packaged(project: Path) -> None:
    write(project, {"code/app.py": HANDLER, "code/out/api.zip": "", "code/output.py": ""})
    assert collected(project, in_source(keep=("out/",)), output="code/out") == ["app.py", "output.py"]
    (project / "code" / "link").symlink_to("out")
    (project / "code" / "zip").symlink_to("out/api.zip")
    assert collected(project, in_source(), output="code/out") == ["app.py", "output.py"]


@pytest.mark.parametrize("output", [".", ".."])
def test_an_output_above_the_sources(project: Path, output: str) -> None:
    write(project, {"src/app/__init__.py": HANDLER})
    assert collected(project, output=output) == ["app/__init__.py"]


def test_an_output_that_is_the_source_folder(project: Path) -> None:
    write(project, {"code/app.py": HANDLER})
    with pytest.raises(UsageError) as caught:
        collected(project, in_source(), output="code")
    assert str(caught.value) == (
        f"the output folder {project / 'code'} is a folder that is packaged\n"
        "  hint: choose another with --output, so that no archive holds archives"
    )


# Handlers


def test_a_missing_module(project: Path) -> None:
    write(project, {"src/apps.py": HANDLER, "src/shop/main.py": HANDLER, ".venv/zzzz.py": ""})
    assert usage(project, sources()) == (
        'functions.api.handler = "app.handler": there is no module app.py in src or '
        f'{project}\n  hint: did you mean "apps.handler"?'
    )
    assert usage(project, sources(handler="shop.mian.handler")) == (
        'functions.api.handler = "shop.mian.handler": there is no module shop/mian.py in src or '
        f'{project}\n  hint: did you mean "shop.main.handler"?'
    )
    assert usage(project, sources(handler="zzz.handler")) == (
        'functions.api.handler = "zzz.handler": there is no module zzz.py in src or '
        f"{project}\n  hint: a handler is package.module.function, relative to source"
    )
    with pytest.raises(UsageError, match=r"there is no module app\.py in src or "):
        collected(project)


def test_a_missing_single_file(project: Path) -> None:
    write(project, {"functions/simple.py": HANDLER})
    assert usage(project, sources(handler="functions/simpel.run")) == (
        'functions.api.handler = "functions/simpel.run": '
        f"there is no module functions/simpel.py in {project}\n"
        '  hint: did you mean "functions/simple.handler"?'
    )


def hint(project: Path, wanted: Sources) -> str:
    return usage(project, wanted).partition("\n  hint: ")[2]


PLAIN = "a handler is package.module.function, relative to source"


def test_a_hint_names_no_handler_that_is_not_there(project: Path) -> None:
    write(project, {"src/apps.py": "", "src/shop/main.py": "a = 1\n", "broken/apq.py": "def handler(:"})
    assert hint(project, sources()) == PLAIN
    assert hint(project, sources(handler="shop.mian.handler")) == PLAIN
    write(project, {"src/apps.py": "from a import lambda_handler\n"})
    assert hint(project, sources()) == 'did you mean "apps.lambda_handler"?'
    write(project, {"src/apps.py": "def first(): ...\ndef second(): ...\n"})
    assert hint(project, sources()) == PLAIN


def test_a_hint_waits_for_no_pipe(project: Path) -> None:
    os.mkfifo(project / "apps.py")
    assert hint(project, sources(handler="apps.handler")) == PLAIN


def test_a_module_that_is_elsewhere_in_the_project(project: Path) -> None:
    write(
        project, {"services/a/app.py": HANDLER, "lib/shop/api/__init__.py": HANDLER, "node_modules/x/app.py": HANDLER}
    )
    assert hint(project, sources()) == 'did you mean "services/a::app.handler"?'
    find_handler(project, sources(folder="services/a"), target("3.10"))
    assert hint(project, sources(handler="shop.api.handler")) == 'did you mean "lib::shop.api.handler"?'
    find_handler(project, sources(folder="lib", handler="shop.api.handler"), target("3.10"))
    assert hint(project, sources(folder="lib")) == 'did you mean folder = "services/a"?'
    assert hint(project, sources(source="lib", handler="app.handle")) == (
        'did you mean source = "services/a" and handler = "app.handler"?'
    )
    write(project, {"services/b/app.py": "def handle(event, context): ...\n"})
    assert hint(project, sources()) == 'did you mean "services/a::app.handler" or "services/b::app.handle"?'


def test_a_folder_with_a_dot_in_its_name(project: Path) -> None:
    write(project, {"functions/v1.2/app.py": HANDLER})
    assert hint(project, sources(handler="functions/v1.2/app.handler")) == (
        'did you mean "functions/v1.2::app.handler"?'
    )
    find_handler(project, sources(folder="functions/v1.2"), target("3.10"))


def test_a_missing_module_in_a_source_folder(project: Path) -> None:
    write(project, {"code/main/__init__.py": HANDLER, "app.py": HANDLER})
    assert usage(project, in_source(handler="man.handler")) == (
        'functions.api.handler = "man.handler": there is no module man.py in code\n  hint: did you mean "main.handler"?'
    )


def test_a_missing_source_folder(project: Path) -> None:
    write(project, {"app.py": HANDLER, "code": "a file", "src/lambdas/api/a.py": "", "source": ""})
    hint = "\n  hint: name the folder of the handler's module, as seen from pyproject.toml"
    assert usage(project, in_source()) == (f'functions.api.source = "code": {project / "code"} is not a folder{hint}')
    assert usage(project, in_source("scr")) == (
        f'functions.api.source = "scr": {project / "scr"} is not a folder\n  hint: did you mean "src"?'
    )
    assert usage(project, in_source("src/lambda/api")) == (
        f'functions.api.source = "src/lambda/api": {project / "src/lambda/api"} is not a folder\n'
        '  hint: did you mean "src/lambdas/api"?'
    )
    assert usage(project, in_source("src/lambda/web")) == (
        f'functions.api.source = "src/lambda/web": {project / "src/lambda/web"} is not a folder{hint}'
    )


def test_a_missing_folder(project: Path) -> None:
    write(project, {"functions/users/handler.py": HANDLER})
    assert usage(project, sources(folder="functions/user", handler="handler.handler")) == (
        f'functions.api.folder = "functions/user": {project / "functions/user"} is not a folder\n'
        '  hint: did you mean "functions/users"?'
    )


def test_a_missing_attribute(project: Path) -> None:
    write(project, {"src/app.py": "def handle(event, context): ...\n"})
    assert usage(project, sources()) == (
        'functions.api.handler = "app.handler": src/app.py: it defines no "handler"; did you mean "handle"?'
    )


def test_a_module_that_is_no_python(project: Path) -> None:
    write(project, {"app.py": "x = 1\ndef handler(:\n"})
    assert usage(project, sources()) == ('functions.api.handler = "app.handler": app.py: line 2: invalid syntax')


def test_a_module_that_only_a_newer_python_may_read(project: Path) -> None:
    """It is packaged, whatever the Python that runs this makes of it; without a word where that can read it."""
    write(project, {"app.py": "x = 1\ndef handler(:\n"})
    newer = target("3.15")
    assert find_handler(project, sources(), newer) == project / "app.py"
    assert collected(project) == ["app.py"]
    (note,) = unread_note("api.zip", project, sources(), newer)
    assert (note.severity, note.code, note.hint) == ("note", "not-read", None)
    assert note.message == (
        f"api.zip: app.py: line 2: invalid syntax for Python {PYTHON}, which runs lambdabuild; python3.15 is newer and "
        "may read it, so the handler was not looked for in it"
    )
    assert unread_note("api.zip", project, sources(), target("3.10")) == ()
    (project / "app.py").write_text(HANDLER)
    assert unread_note("api.zip", project, sources(), newer) == ()


def test_escapes_that_python_warns_about(project: Path) -> None:
    write(project, {"app/__init__.py": f"from app import other\n{HANDLER}PATTERN = '\\d'\n", "app/other.py": "'\\d'"})
    assert find_handler(project, sources(), target("3.10")) == project / "app" / "__init__.py"
    assert collected(project, sources(reachable=True)) == ["app/__init__.py", "app/other.py"]


@pytest.mark.parametrize(
    "source",
    [
        "\ufeffdef handler(event, context): ...\n".encode(),
        b"# -*- coding: latin-1 -*-\nNAME = '\xe9'\ndef handler(event, context): ...\n",
        b"def handler(event, context): ...\r\n",
    ],
)
def test_every_encoding_that_python_reads(project: Path, source: bytes) -> None:
    (project / "app.py").write_bytes(source)
    find_handler(project, sources(), target("3.10"))
    (member,) = collect(project).members
    assert content(member) == source


@pytest.mark.parametrize("source", [b"NAME = '\xe9'\n", b"NAME = '\0'\n", b"# coding: nonsense\n"])
def test_an_encoding_that_python_does_not_read(project: Path, source: bytes) -> None:
    (project / "app.py").write_bytes(source)
    assert usage(project, sources()).startswith('functions.api.handler = "app.handler": app.py: ')


@pytest.mark.parametrize(
    ("changes", "reason", "hint"),
    [
        ({"exclude": ("*.py", "!lib.py")}, '"*.py" (exclude)', "venv/app.py"),
        ({"include": ("/data/",)}, "include, which does not name it", "venv/app.py"),
        ({}, '"venv/" (built in)', "venv/app.py"),
    ],
)
def test_a_handler_that_is_left_out(project: Path, changes: dict[str, Any], reason: str, hint: str) -> None:
    folder = "venv" if not changes else "shop"
    write(project, {f"code/{folder}/app.py": HANDLER})
    wanted = in_source(handler=f"{folder}.app.handler", **changes)
    message = (
        f'functions.api.handler = "{folder}.app.handler": code/{folder}/app.py is left out by {reason}\n'
        f'  hint: keep = ["{hint.replace("venv", folder)}"] takes it all the same'
    )
    assert usage(project, wanted) == message
    with pytest.raises(UsageError) as caught:
        collected(project, wanted)
    assert str(caught.value) == message


def test_a_handler_that_git_ignores(project: Path) -> None:
    write(project, {"code/app.py": HANDLER, "code/.gitignore": "# generated\n\napp.py\n", "code/b.py": ""})
    assert usage(project, in_source()) == (
        'functions.api.handler = "app.handler": code/app.py is left out by "app.py" (code/.gitignore:3)\n'
        '  hint: keep = ["/app.py"] takes it all the same'
    )
    assert collected(project, in_source(keep=("/app.py",))) == ["app.py", "b.py"]
    assert collected(project, in_source(gitignore=False)) == ["app.py", "b.py"]


# Patterns


def test_what_is_no_code_is_left_out(project: Path) -> None:
    junk = [
        ".git/config",
        ".venv/a.py",
        "lib/__pycache__/a.pyc",
        "node_modules/x.js",
        ".env",
        ".env.local",
        ".DS_Store",
        ".gitignore",
        ".lambdaignore",
        "lambdabuild.toml",
    ]
    write(project, {"code/app.py": HANDLER, "code/lib/a.py": "", **{f"code/{name}": "" for name in junk}})
    assert collected(project, in_source()) == ["app.py", "lib/a.py"]


def test_exclude_include_and_keep(project: Path) -> None:
    write(
        project,
        {"code/app.py": HANDLER, "code/a.md": "", "code/data/a.csv": "", "code/data/b.csv": "", "code/.env": ""},
    )
    wanted = in_source(exclude=("*.md", "/data/"), keep=("/data/b.csv", ".env"))
    assert collected(project, wanted) == [".env", "app.py", "data/b.csv"]
    assert collected(project, in_source(include=("*.py", "/data/"))) == ["app.py", "data/a.csv", "data/b.csv"]
    assert collected(project, in_source(include=("*.py", "/data/"), exclude=("a.*",))) == ["app.py", "data/b.csv"]
    assert collected(project, in_source(include=("app.py",), keep=("/data/b.csv",))) == ["app.py", "data/b.csv"]


def test_patterns_are_relative_to_the_archive(project: Path) -> None:
    write(project, {"src/shop/__init__.py": HANDLER, "src/shop/data/a.csv": "", "src/shop/b.csv": ""})
    wanted = {"handler": "shop.handler"}
    assert collected(project, sources(**wanted, exclude=("/shop/data/",))) == ["shop/__init__.py", "shop/b.csv"]
    assert len(collected(project, sources(**wanted, exclude=("/data/", "/src/")))) == 3
    assert collected(project, sources(**wanted, include=("/shop/*.*",))) == ["shop/__init__.py", "shop/b.csv"]


def test_git_ignores(project: Path, tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            ".git/HEAD": "",
            ".gitignore": "*.log\n/shop/code/one.txt\n",
            "shop/.gitignore": "*.tmp\n!keep.log\ncode/two.txt\n/three.txt\n",
            "shop/code/.gitignore": "/three.txt\ngenerated/\n",
            "shop/code/app.py": HANDLER,
            **{f"shop/code/{name}": "" for name in ("a.log", "keep.log", "b.tmp", "one.txt", "two.txt", "three.txt")},
            "shop/code/inner/.gitignore": "!*.tmp\nsecret*\r\n",
            **{f"shop/code/inner/{name}": "" for name in ("b.tmp", "secret.py", "three.txt", "generated/a.py")},
        },
    )
    taken = ["app.py", "inner/b.tmp", "inner/three.txt", "keep.log"]
    assert collected(project, in_source()) == taken
    assert len(collected(project, in_source(gitignore=False))) == 11
    assert collected(project, in_source(exclude=("!/a.log", "/inner/"))) == ["a.log", "app.py", "keep.log"]
    assert collected(project, in_source(keep=("generated/",))) == [*taken[:2], "inner/generated/a.py", *taken[2:]]


def test_without_a_repository_git_ignores_what_the_project_says(project: Path, tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "*.csv", "shop/.gitignore": "*.log"})
    write(project, {"code/app.py": HANDLER, "code/a.csv": "", "code/a.log": ""})
    assert collected(project, in_source()) == ["a.csv", "app.py"]
    write(project, {".git": "gitdir: elsewhere"})  # a work tree, whose top is the project
    assert collected(project, in_source()) == ["a.csv", "app.py"]
    write(tmp_path, {".git/HEAD": ""})
    (project / ".git").unlink()
    assert collected(project, in_source()) == ["app.py"]


def test_what_is_asked_for_by_name_is_packaged_whatever_git_ignores(project: Path) -> None:
    write(project, {".gitignore": "/code/\n/lone.py\n/fn/\n/shop/\n", "code/app.py": HANDLER, "fn/lone.py": HANDLER})
    write(project, {"shop/app.py": HANDLER})
    assert collected(project, in_source()) == ["app.py"]
    assert collected(project, sources(handler="fn/lone.handler", exclude=("*.py",))) == ["fn/lone.py"]
    assert collected(project, sources(handler="shop.app.handler")) == ["shop/app.py"]


def test_a_gitignore_that_git_would_shrug_at(project: Path) -> None:
    lines = ["[z-a]", "a\\", "!", "[[b].txt", "\ufeff", "caf\udce9*"]
    write(project, {"code/app.py": HANDLER, "code/b.txt": "", "code/c.txt": ""})
    (project / "code" / ".gitignore").write_bytes("\n".join(lines).encode(errors="surrogateescape"))
    (project / "code" / os.fsdecode(b"caf\xe9.txt")).write_text("")
    assert collected(project, in_source()) == ["app.py", "c.txt"]


def test_lambdaignore(project: Path) -> None:
    write(
        project,
        {
            ".gitignore": "*.json\n",
            ".lambdaignore": "!*.json\n*.md\n/code/one.txt\n",
            "code/.lambdaignore": "!/README.md\n/two.txt\n",
            "code/inner/.lambdaignore": "*",
            "code/app.py": HANDLER,
            **{f"code/{name}": "" for name in ("a.json", "a.md", "README.md", "one.txt", "two.txt", "inner/two.txt")},
        },
    )
    assert collected(project, in_source()) == ["README.md", "a.json", "app.py", "inner/two.txt"]
    assert collected(project, in_source(gitignore=False, exclude=("!/a.md", "*.txt"))) == [
        "README.md",
        "a.json",
        "a.md",
        "app.py",
    ]
    write(project, {"src/.lambdaignore": "*.csv\n", "src/shop/app.py": HANDLER, "src/shop/a.csv": ""})
    assert collected(project, sources(handler="shop.app.handler")) == ["shop/app.py"]


def test_a_lambdaignore_with_mistakes(project: Path) -> None:
    write(project, {"code/app.py": HANDLER, "code/.lambdaignore": "*.md\n!\n\n[z-a]\n"})
    assert usage(project, in_source()) == (
        'code/.lambdaignore:2: "!" is not a gitignore pattern\n'
        'code/.lambdaignore:4: "[z-a]" is not a gitignore pattern\n'
        "  hint: its lines are patterns as in a .gitignore"
    )


def test_two_thousand_files_take_no_time(project: Path) -> None:
    write(project, {f"code/package{n % 100}/module{n}.py": "" for n in range(2000)} | {"code/app.py": HANDLER})
    write(project, {f"code/node_modules/{n}/index.js": "" for n in range(200)})
    write(project, {".gitignore": "".join(f"/none{n}/\n*.none{n}\n" for n in range(50))})
    started = time.perf_counter()
    assert len(collected(project, in_source())) == 2001
    assert time.perf_counter() - started < 5  # some tenths of a second on an idle machine


# Reachable modules

SHOP = {
    "src/shop/__init__.py": "",
    "src/shop/api.py": f"from shop import db\nimport json\n{HANDLER}",
    "src/shop/db/__init__.py": "from .queries import one",
    "src/shop/db/queries.py": "",
    "src/shop/db/one.sql": "",
    "src/shop/db/sql/two.sql": "",
    "src/shop/admin/__init__.py": "import shop.admin.forms",
    "src/shop/admin/forms.py": "",
    "src/shop/admin/form.html": "",
    "src/shop/plugins/late.py": "import shop.plugins.base",
    "src/shop/plugins/base.py": "",
    "src/shop/py.typed": "",
    "src/other/a.py": "",
}


def test_reachable(project: Path) -> None:
    write(project, SHOP)
    wanted = sources(handler="shop.api.handler", source="src", reachable=True)
    found = collect(project, wanted)
    assert [member.path for member in found.members] == [
        "shop/__init__.py",
        "shop/api.py",
        "shop/db/__init__.py",
        "shop/db/one.sql",
        "shop/db/queries.py",
        "shop/db/sql/two.sql",
        "shop/py.typed",
    ]
    assert found.left_out == (
        "other/a.py",
        "shop/admin/__init__.py",
        "shop/admin/forms.py",
        "shop/plugins/base.py",
        "shop/plugins/late.py",
    )
    assert collect(project, sources(handler="shop.api.handler", reachable=True)).left_out == found.left_out[1:]
    assert collect(project, sources(handler="shop.api.handler")).left_out == ()


def test_what_is_kept_is_reached(project: Path) -> None:
    write(project, SHOP)
    keep = ("/shop/plugins/late.py", "form.html")
    found = collect(project, sources(handler="shop.api.handler", source="src", reachable=True, keep=keep))
    assert found.left_out == ("other/a.py", "shop/admin/__init__.py", "shop/admin/forms.py")
    assert "shop/admin/form.html" in [member.path for member in found.members]


def test_what_is_excluded_is_not_reached(project: Path) -> None:
    write(project, SHOP)
    found = collect(project, sources(handler="shop.api.handler", reachable=True, exclude=("/shop/db/", "plugins/")))
    assert [member.path for member in found.members] == ["shop/__init__.py", "shop/api.py", "shop/py.typed"]
    assert found.left_out == ("shop/admin/__init__.py", "shop/admin/forms.py")


def test_reached_modules_that_are_no_python(project: Path) -> None:
    write(project, SHOP | {"src/shop/db/queries.py": "x = 1\nx =\n"})
    with pytest.raises(UsageError) as caught:
        collect(project, sources(handler="shop.api.handler", reachable=True))
    assert str(caught.value) == (
        f'functions.api.sources = "reachable": shop/db/queries.py:2: invalid syntax{READ_WITH}'
    )


# Files


def test_files_stand_in_a_fixed_order(project: Path) -> None:
    names = ["b.py", "a.py", "Z.py", "é.py", "a/b.py", "a-b.py"]
    write(project, {f"code/{name}": "" for name in names} | {"code/app.py": HANDLER})
    assert sorted(collected(project, in_source())) == sorted([*names, "app.py"])
    first = collected(project, in_source())
    for name in reversed(names):
        (project / "code" / name).rename(project / "moved")
        (project / "moved").rename(project / "code" / name)
    assert collected(project, in_source()) == first


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_modes_do_not_depend_on_the_umask(project: Path, umask: Callable[[int], int], mask: int) -> None:
    umask(mask)
    write(project, {"code/app.py": HANDLER, "code/run.sh": "", "code/group.sh": ""})
    (project / "code" / "run.sh").chmod(0o4700)
    (project / "code" / "group.sh").chmod(0o654)
    members = collect(project, in_source()).members
    assert {member.path: oct(member.mode) for member in members} == {
        "app.py": "0o644",
        "group.sh": "0o644",
        "run.sh": "0o755",
    }


def test_a_name_that_is_not_utf8(project: Path) -> None:
    write(project, {"code/app.py": HANDLER})
    (project / "code" / os.fsdecode(b"caf\xe9.txt")).write_text("")
    assert refused(project, in_source()) == (
        "'caf\\udce9.txt' is not a path that may be packaged: "
        "a path is relative, below its root, and of printable UTF-8"
    )
    assert collected(project, in_source(exclude=("caf*",))) == ["app.py"]


IMPORTS = """
from pathlib import Path
from lambdabuild.errors import UsageError
from lambdabuild.steps.collect import collect_code
"""
ATTEMPT = """
project, *codes = sys.argv[1:]
plain = {"owner": "layers.base", "exclude": (), "keep": (), "gitignore": True}
for code in codes:
    try:
        print(len(collect_code(Path(project), (code,), output=Path(project, "dist"), **plain).members))
    except UsageError as error:
        print(error)
"""


def test_what_may_not_be_read() -> None:
    with public_folder() as project:
        write(project, {"closed/a.py": "", "open/secret.py": "", "fine/a.py": ""})
        (project / "closed").chmod(0)
        (project / "open" / "secret.py").chmod(0)
        assert run_unprivileged(IMPORTS, ATTEMPT, project, "closed", "open", "fine") == (
            f"{project / 'closed'} cannot be read: Permission denied\n"
            f"{project / 'open' / 'secret.py'} cannot be read: Permission denied\n"
            "1\n"
        )


# Symbolic links


def test_links_that_stay_inside_are_followed(project: Path) -> None:
    write(project, {"code/app.py": HANDLER, "code/shared/a.py": "A", "code/tool": "#!"})
    (project / "code" / "tool").chmod(0o755)
    (project / "code" / "file.py").symlink_to("shared/a.py")
    (project / "code" / "folder").symlink_to("shared")
    (project / "code" / "run").symlink_to(project / "code" / "tool")
    members = {member.path: member for member in collect(project, in_source()).members}
    assert sorted(members) == ["app.py", "file.py", "folder/a.py", "run", "shared/a.py", "tool"]
    assert content(members["file.py"]) == content(members["folder/a.py"]) == b"A"
    assert members["run"].mode == 0o755


def test_links_that_stay_in_the_project_are_followed(project: Path) -> None:
    write(project, {"functions/a/app.py": HANDLER, "shared/common/b.py": "B", "shared/common/c.log": "", "d.txt": "D"})
    write(project, {"shared/common/.gitignore": "*.log\n", "dist/lambda/old.zip": ""})
    folder = project / "functions" / "a"
    (folder / "common").symlink_to("../../shared/common")
    (folder / "d.txt").symlink_to("../../d.txt")
    (folder / "built").symlink_to("../../dist")
    found = collect(project, in_source("functions/a"))
    assert [(member.path, content(member)) for member in found.members] == [
        ("app.py", HANDLER.encode()),
        ("common/b.py", b"B"),
        ("d.txt", b"D"),
    ]
    assert found.ignored == ("common/c.log",)


@pytest.mark.parametrize(
    ("link", "target", "problem"),
    [
        ("out", "../../secret.py", "leaves the project, {project}"),
        ("out", "../..", "loops"),
        ("out", "/etc/passwd", "leaves the project, {project}"),
        ("gone", "nowhere.py", "dangles"),
        ("inner/gone", "../nowhere/at/all", "dangles"),
        ("self", "self", "loops"),
        ("inner/up", "..", "loops"),
        ("inner/up", "../..", "loops"),
        ("inner/here", ".", "loops"),
    ],
)
def test_links_that_do_not(project: Path, link: str, target: str, problem: str) -> None:
    code = project / "code"
    write(project, {"code/app.py": HANDLER, "code/inner/a.py": "", "../secret.py": ""})
    (code / link).symlink_to(target)
    problem = problem.format(project=project)
    assert refused(project, in_source()) == f"{code / link} -> {target}: the symbolic link {problem}{LINK_HINT}"


@pytest.mark.parametrize("target", ["../secret", "nowhere", "link", ".", ".."])
@pytest.mark.parametrize("keep", [(), ("app.md",)])
def test_links_that_are_excluded_may_be_anything(project: Path, target: str, keep: tuple[str, ...]) -> None:
    write(project, {"code/app.py": HANDLER, "code/app.md": "", "secret/a.py": ""})
    (project / "code" / "link").symlink_to(target)
    assert collected(project, in_source(exclude=("/link", "*.md"), keep=keep)) == [*keep, "app.py"]


@pytest.mark.parametrize("keep", [(), ("app.md",)])
def test_a_virtual_environment_that_is_a_link(project: Path, keep: tuple[str, ...]) -> None:
    write(project, {"code/app.py": HANDLER, "code/app.md": "", "venv/a.py": ""})
    (project / "code" / ".venv").symlink_to("../venv")
    assert collected(project, in_source(exclude=("*.md",), keep=keep)) == [*keep, "app.py"]


def test_links_to_each_other(project: Path) -> None:
    write(project, {"code/app.py": HANDLER, "code/a/x.py": "", "code/b/x.py": ""})
    (project / "code" / "a" / "to-b").symlink_to("../b")
    (project / "code" / "b" / "to-a").symlink_to("../a")
    loop = project / "code" / "a" / "to-b" / "to-a"
    assert refused(project, in_source()) == f"{loop} -> ../a: the symbolic link loops{LINK_HINT}"


def test_the_source_folder_itself_may_be_a_link(project: Path) -> None:
    write(project, {"real/app.py": HANDLER, "real/inner/a.py": ""})
    (project / "code").symlink_to("real")
    (project / "real" / "link.py").symlink_to("inner/a.py")
    assert collected(project, in_source()) == ["app.py", "inner/a.py", "link.py"]


def test_a_single_file_that_is_a_link(project: Path) -> None:
    write(project, {"shared/simple.py": HANDLER, "../outside.py": HANDLER, "functions/a.py": ""})
    (project / "functions" / "simple.py").symlink_to("../shared/simple.py")
    (project / "functions" / "wrong.py").symlink_to("../../outside.py")
    assert collected(project, sources(handler="functions/simple.handler")) == ["functions/simple.py"]
    assert refused(project, sources(handler="functions/wrong.handler")) == (
        f"{project / 'functions' / 'wrong.py'} -> ../../outside.py: the symbolic link leaves the project, {project}"
        f"{LINK_HINT}"
    )


def test_a_link_through_a_file_dangles(project: Path) -> None:
    write(project, {"code/app.py": HANDLER})
    (project / "code" / "link").symlink_to("app.py/inner")
    assert refused(project, in_source()) == (
        f"{project / 'code' / 'link'} -> app.py/inner: the symbolic link dangles{LINK_HINT}"
    )


def test_what_is_no_file(project: Path) -> None:
    write(project, {"code/app.py": HANDLER})
    problem = "is not a regular file but a pipe, socket or device, which no archive holds"
    hint = "\n  hint: remove it, or exclude it"
    os.mkfifo(project / "code" / "pipe")
    assert refused(project, in_source()) == f"{project / 'code' / 'pipe'} {problem}{hint}"
    (project / "code" / "link").symlink_to("pipe")
    assert refused(project, in_source(exclude=("pipe",))) == f"{project / 'code' / 'link'} {problem}{hint}"
    assert collected(project, in_source(exclude=("pipe", "link"))) == ["app.py"]
    with socket.socket(socket.AF_UNIX) as listening, pytest.MonkeyPatch.context() as patch:
        patch.chdir(project / "code")  # a socket's path is short
        listening.bind("socket")
        assert refused(project, in_source(exclude=("pipe", "link"))) == (
            f"{project / 'code' / 'socket'} {problem}{hint}"
        )


# Code of layers


def code_of(project: Path, *code: str, **changes: Any) -> tuple[Member, ...]:
    plain: dict[str, Any] = {"exclude": (), "keep": (), "gitignore": True}
    return collect_code(project, code, owner="layers.base", output=project / "dist", **{**plain, **changes}).members


def test_code_of_layers_goes_under_its_own_name(project: Path) -> None:
    write(project, {"src/common/__init__.py": "", "src/common/a.md": "", "src/one.py": "", "src/.env": ""})
    members = code_of(project, "src/common", "src/one.py", exclude=("*.md",))
    assert [member.path for member in members] == ["common/__init__.py", "one.py"]
    assert [member.path for member in code_of(project, "src/common", exclude=("/common/",), keep=("*.md",))] == [
        "common/a.md"
    ]
    assert code_of(project) == ()


def test_ignore_files_hold_for_code_of_layers(project: Path) -> None:
    write(project, {".gitignore": "*.log\n/src/common/a.txt\n", ".lambdaignore": "*.md\n"})
    write(project, {f"src/common/{name}": "" for name in ("a.py", "a.log", "a.md", "a.txt", "b.txt")})
    write(project, {"src/common/.lambdaignore": "/b.txt"})
    assert [member.path for member in code_of(project, "src/common")] == ["common/a.py"]
    assert [member.path for member in code_of(project, "src/common", gitignore=False)] == [
        "common/a.log",
        "common/a.py",
        "common/a.txt",
    ]


def test_code_that_is_not_there(project: Path) -> None:
    write(project, {"src/one.py": ""})
    with pytest.raises(UsageError) as caught:
        code_of(project, "src/one.py", "src/two.py")
    assert str(caught.value) == (
        f'layers.base.code[1] = "src/two.py": {project / "src/two.py"} does not exist\n'
        "  hint: code lists folders and files relative to pyproject.toml"
    )


@pytest.mark.parametrize("name", ["app.pyc", "app.abi3.so", "app.cpython-313-x86_64-linux-gnu.so"])
def test_a_handler_without_source(project: Path, name: str) -> None:
    write(project, {name: "compiled", "application.abi3.so": "another"})
    assert find_handler(project, sources(), target("3.13")) == project / name
    assert collected(project, sources()) == [name]
    write(project, {f"code/{name}": "compiled", "code/.gitignore": "data.txt\n", "code/data.txt": ""})
    assert collected(project, in_source()) == [name]
    with pytest.raises(UsageError) as caught:
        collect_sources(project, in_source(reachable=True), output=project / "dist")
    assert str(caught.value) == (
        f'functions.api.sources = "reachable": {name} has no source that tells what it imports\n'
        '  hint: leave out sources = "reachable": then all of the package goes in'
    )
    write(project, {"app.py": HANDLER})
    assert find_handler(project, sources(), target("3.13")) == project / "app.py"
