"""configfile: what is found, what is read, and the whole message when it is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdabuild.configfile import (
    check_project,
    find_lock,
    find_project,
    find_untold_dependencies,
    has_dependencies,
    holds,
    is_in_project,
    parse_toml,
    read_config,
    read_direct,
    read_python_version_file,
    read_runtimes,
    read_source_date_epoch,
    read_text,
    read_toml,
    refuse_untold_dependencies,
)
from lambdabuild.environment import environment
from lambdabuild.errors import ConfigError, UsageError
from lambdabuild.model.config import PROJECT_KEYS, ProjectConfig
from lambdabuild.model.needs import Locked


def write(path: Path, data: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


# TOML


def test_read_toml(tmp_path: Path) -> None:
    path = write(tmp_path / "a.toml", "a = 1\r\n[b]\r\nc = 'é'\r\n")
    assert read_toml(path) == {"a": 1, "b": {"c": "é"}}


def test_read_toml_passes_over_a_byte_order_mark(tmp_path: Path) -> None:
    assert read_toml(write(tmp_path / "a.toml", b"\xef\xbb\xbfa = 1")) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1\nb = \n", "2:5: Invalid value"),
        ("[project]\nname = 'x'\n[project]\n", "3:9: Cannot declare ('project',) twice"),
        ("a = 'x", '1:7: Expected "\'"'),
    ],
)
def test_malformed_toml_is_located(tmp_path: Path, text: str, expected: str) -> None:
    path = write(tmp_path / "pyproject.toml", text)
    with pytest.raises(UsageError) as caught:
        read_toml(path)
    assert str(caught.value) == f"{path}:{expected}"
    assert caught.value.exit_code == 2
    with pytest.raises(UsageError) as caught:
        parse_toml(text, origin="uv.lock")
    assert str(caught.value) == f"uv.lock:{expected}"


@pytest.mark.parametrize("text", ["a = " + "[" * 1000, "a = 1" + "0" * 5000])
def test_toml_that_is_too_much_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"\Auv\.lock:"):
        parse_toml(text, origin="uv.lock")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\xff\xfea\x00", "1:1: not UTF-8 (byte 0xff)"),
        ("a = 1\nb = 'é".encode() + b"\xe9'", "2:7: not UTF-8 (byte 0xe9)"),
    ],
)
def test_toml_that_is_not_utf_8(tmp_path: Path, data: bytes, expected: str) -> None:
    path = write(tmp_path / "a.toml", data)
    with pytest.raises(UsageError) as caught:
        read_toml(path)
    assert str(caught.value) == f"{path}:{expected}"


def test_toml_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_toml(tmp_path / "absent.toml")
    assert str(caught.value) == f"{tmp_path / 'absent.toml'}: cannot be read: No such file or directory"
    with pytest.raises(UsageError) as caught:
        read_toml(tmp_path)
    assert str(caught.value) == f"{tmp_path}: cannot be read: Is a directory"


@given(st.text("a1=[]{}\"'\n.#-: é\\", max_size=12))
@settings(deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        document = parse_toml(text, origin="o")
    except UsageError as error:
        assert error.message.startswith("o:")
    else:
        assert isinstance(document, dict)


# Text


def test_read_text(tmp_path: Path) -> None:
    assert read_text(write(tmp_path / "a.txt", b"\xef\xbb\xbf\xc3\xa9\r\n\xef\xbb\xbf")) == "é\r\n\ufeff"


def test_text_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_text(write(tmp_path / "a.txt", b"ab\xe9c"))
    assert str(caught.value) == f"{tmp_path / 'a.txt'}: not UTF-8 (byte 2)"
    with pytest.raises(UsageError) as caught:
        read_text(tmp_path)
    assert str(caught.value) == f"{tmp_path}: cannot be read: Is a directory"


# The project


def test_find_project_takes_the_nearest(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "")
    write(tmp_path / "member/pyproject.toml", "")
    deep = tmp_path / "member" / "src" / "pkg"
    deep.mkdir(parents=True)
    assert find_project(deep) == tmp_path / "member"
    assert find_project(tmp_path / "member") == tmp_path / "member"
    assert find_project(tmp_path) == tmp_path


def test_find_project_is_not_content_with_a_directory_of_that_name(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "")
    (tmp_path / "sub" / "pyproject.toml").mkdir(parents=True)
    assert find_project(tmp_path / "sub") == tmp_path


def test_find_project_of_a_relative_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "pyproject.toml", "")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    assert find_project(Path()) == Path.cwd().parent


def test_find_project_finds_none() -> None:
    start = Path(Path.cwd().anchor, "no-such-directory", "below")
    with pytest.raises(UsageError) as caught:
        find_project(start)
    assert str(caught.value) == (
        f"no pyproject.toml or lambdabuild.toml in {start} or any directory above it, and no requirements.txt in it\n"
        "  hint: write a lambdabuild.toml, or let `uv init` make a project; --project DIR names another directory"
    )
    assert find_project(start, bare=True) == start


@pytest.mark.parametrize(
    ("above", "here", "expected"),
    [
        ({"lambdabuild.toml": ""}, (), "above"),
        ({"lambdabuild.toml": ""}, ("requirements.txt",), "above"),
        ({"lambdabuild.toml": ""}, ("pyproject.toml",), "here"),
        ({"pyproject.toml": "[project]\nname = 'shop'"}, ("requirements.txt",), "above"),
        ({"pyproject.toml": "[project]\nname = 'shop'"}, ("lambdabuild.toml",), "here"),
        ({"pyproject.toml": "[tool.lambdabuild]"}, ("requirements.txt",), "above"),
        ({"pyproject.toml": "[tool.ruff]"}, ("requirements.txt",), "here"),
        ({"pyproject.toml": "tool = 1"}, ("requirements.txt",), "here"),
        ({"pyproject.toml": "[tool.ruff]"}, (), "above"),
        ({"requirements.txt": ""}, ("requirements.txt",), "here"),
    ],
)
def test_which_folder_is_the_project(
    tmp_path: Path, above: dict[str, str], here: tuple[str, ...], expected: str
) -> None:
    for name, text in above.items():
        write(tmp_path / name, text)
    folder = tmp_path / "here"
    folder.mkdir()
    for name in here:
        write(folder / name, "")
    assert find_project(folder) == (folder if expected == "here" else tmp_path)
    assert is_in_project(folder)


def test_is_in_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "shop/pyproject.toml", "")
    (tmp_path / "shop" / "src").mkdir()
    (tmp_path / "other" / "pyproject.toml").mkdir(parents=True)
    assert is_in_project(tmp_path / "shop")
    assert is_in_project(tmp_path / "shop" / "src" / "gone")
    assert not is_in_project(tmp_path / "other")
    write(tmp_path / "other" / "requirements.txt", "")
    assert is_in_project(tmp_path / "other")
    monkeypatch.chdir(tmp_path / "shop" / "src")
    assert is_in_project(Path())


def test_check_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "shop/pyproject.toml", "")
    assert check_project(tmp_path / "shop") == tmp_path / "shop"
    write(tmp_path / "a" / "requirements.txt", "")
    write(tmp_path / "b" / "lambdabuild.toml", "")
    for folder in (tmp_path / "a", tmp_path / "b"):
        assert check_project(folder) == folder
    monkeypatch.chdir(tmp_path)
    assert check_project(Path("shop")) == Path.cwd() / "shop"


def test_check_project_does_not_search_upward(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "")
    directory = tmp_path / "sub"
    directory.mkdir()
    with pytest.raises(UsageError) as caught:
        check_project(directory)
    assert str(caught.value) == (
        f"--project: no pyproject.toml, lambdabuild.toml or requirements.txt in {directory}\n"
        f"  hint: `uv init {directory}` makes one"
    )
    assert check_project(directory, bare=True) == directory


def test_check_project_of_what_is_no_directory(tmp_path: Path) -> None:
    file = write(tmp_path / "pyproject.toml", "")
    other = write(tmp_path / "other.toml", "")
    for path, expected in (
        (tmp_path / "absent", f"--project: {tmp_path / 'absent'} does not exist"),
        (
            write(tmp_path / "lambdabuild.toml", ""),
            f"--project: {tmp_path / 'lambdabuild.toml'} is not a directory\n  hint: --project {tmp_path}",
        ),
        (file, f"--project: {file} is not a directory\n  hint: --project {tmp_path}"),
        (other, f"--project: {other} is not a directory"),
    ):
        for bare in (False, True):
            with pytest.raises(UsageError) as caught:
                check_project(path, bare=bare)
            assert str(caught.value) == expected


def test_a_directory_that_may_not_be_looked_into_holds_no_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "pyproject.toml", "")
    locked = write(tmp_path / "locked/pyproject.toml", "")
    stat = Path.stat

    def stat_as_a_user(path: Path) -> os.stat_result:  # root, who may run the tests, looks into every directory
        if path == locked:
            raise PermissionError(13, "Permission denied")
        return stat(path)

    monkeypatch.setattr(Path, "stat", stat_as_a_user)
    assert find_project(locked.parent) == tmp_path


def test_read_config(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", '[project]\nname = "shop"\n[tool.lambdabuild]\npython = "python3.14"\n')
    config = read_config(tmp_path)
    assert (config.name, config.python) == ("shop", "3.14")


def test_problems_of_the_configuration_name_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "pyproject.toml", '[project]\nname = "shop"\n[tool.lambdabuild]\nkepe = []\noutput = ""\n')
    with pytest.raises(ConfigError) as caught:
        read_config(tmp_path)
    assert caught.value.problems == (
        f'{path}: tool.lambdabuild.kepe: unknown key; did you mean "keep"?',
        f"{path}: tool.lambdabuild.output: is empty; expected a directory",
    )


def test_a_configuration_in_a_file_of_its_own(tmp_path: Path) -> None:
    own = write(tmp_path / "lambdabuild.toml", 'python = "3.12"\n[functions.api]\nhandler = "app.handler"\n')
    config = read_config(tmp_path)
    assert (config.name, config.own_file, config.python, [*config.functions]) == ("", True, "3.12", ["api"])
    write(tmp_path / "pyproject.toml", '[project]\nname = "shop"\nrequires-python = ">=3.12"\n[tool.ruff]\n')
    config = read_config(tmp_path)
    assert (config.name, config.requires_python, config.python) == ("shop", ">=3.12", "3.12")
    pyproject = write(tmp_path / "pyproject.toml", "[tool.lambdabuild]\n")
    with pytest.raises(UsageError) as caught:
        read_config(tmp_path)
    assert str(caught.value) == (
        f"{own} cannot stand beside [tool.lambdabuild] in {pyproject}\n  hint: keep one of the two, with all there is"
    )


def test_problems_in_a_file_of_its_own(tmp_path: Path) -> None:
    pyproject = write(tmp_path / "pyproject.toml", "[project]\nname = 1\n")
    own = write(
        tmp_path / "lambdabuild.toml",
        'pyton = "3.12"\n[functions.api]\nhandlr = "x"\n[tool.lambdabuild]\npython = "3.12"\n[project]\n',
    )
    with pytest.raises(ConfigError) as caught:
        read_config(tmp_path)
    assert caught.value.problems == (
        f"{pyproject}: project.name: expected a string, found an integer",
        f"{own}: tool: the keys of [tool.lambdabuild] stand at the top of this file; leave the header out",
        f'{own}: pyton: unknown key; did you mean "python"?',
        f"{own}: project: unknown key; known keys: {', '.join(sorted(PROJECT_KEYS))}",
        f'{own}: functions.api.handlr: unknown key; did you mean "handler"?',
        f'{own}: functions.api.handler: missing; write handler = "package.module.function"',
    )


def test_no_configuration_at_all(tmp_path: Path) -> None:
    assert read_config(tmp_path) == ProjectConfig()
    write(tmp_path / "pyproject.toml", "[tool.ruff]\n")
    assert read_config(tmp_path) == ProjectConfig()


# Files of other tools


def migration(project: Path, file: str) -> str:
    return f"uvx migrate-to-uv   (in {project}: it takes {file} over into pyproject.toml and uv.lock)"


def untold(project: Path, where: str) -> str:
    return (
        f"the dependencies of {project} are in {where}, which lambdabuild does not read: it reads uv.lock, "
        "pylock.toml and requirements files"
    )


NAMED = '[project] with name = "NAME" and version = "0.1.0"'


@pytest.mark.parametrize("file", ["poetry.lock", "Pipfile", "Pipfile.lock"])
def test_a_project_of_another_tool_is_told_the_way(tmp_path: Path, file: str) -> None:
    assert find_untold_dependencies(tmp_path) is None
    write(tmp_path / file, "")
    unnamed = f"write {NAMED} into pyproject.toml, then: {migration(tmp_path, file)}"
    for find in (find_project, check_project):
        with pytest.raises(UsageError) as caught:
            find(tmp_path)
        assert caught.value.hint == unnamed
    for text, hint in (
        ("[tool.poetry]\nname = 'shop'\n", migration(tmp_path, file)),
        ("[tool.lambdabuild]\n", unnamed),
    ):
        write(tmp_path / "pyproject.toml", text)
        with pytest.raises(UsageError) as caught:
            refuse_untold_dependencies(tmp_path)
        assert str(caught.value) == f"{untold(tmp_path, file)}\n  hint: {hint}"
    write(tmp_path / "pyproject.toml", "[project]\nname = 'shop'\n")
    assert read_config(tmp_path).name == "shop"


SETUPTOOLS = '[build-system] with requires = ["setuptools"] and build-backend = "setuptools.build_meta"'


@pytest.mark.parametrize(
    ("project", "files", "where", "hint"),
    [
        (
            "[tool.poetry]\nname = 'shop'\n[tool.poetry.dependencies]\npython = '^3.11'\nsix = '*'\n",
            {"poetry.lock": ""},
            "[tool.poetry.dependencies]",
            "uvx migrate-to-uv   (in {}: it takes [tool.poetry] over into pyproject.toml and uv.lock)",
        ),
        (
            "[project]\nname = 'shop'\ndependencies = []\n[tool.poetry.dependencies]\nsix = '*'\n",
            {},
            "[tool.poetry.dependencies]",
            "remove dependencies = [] from [project], then: uvx migrate-to-uv   (in {}: it takes [tool.poetry] over "
            "into pyproject.toml and uv.lock)",
        ),
        (
            "[project]\nname = 'shop'\n[tool.pdm]\n",
            {"pdm.lock": ""},
            "pdm.lock",
            "pdm export --without-hashes -o requirements.txt   (in {}: that file is read; --without GROUP leaves "
            "out what is for development)",
        ),
        (
            "[project]\nname = 'shop'\n",
            {"setup.py": "setup(install_requires=['six'])"},
            "setup.py",
            f'write dynamic = ["dependencies"] in [project], and {SETUPTOOLS}, into pyproject.toml, then: '
            "uv lock --project {}",
        ),
        (
            "[tool.black]\n",
            {"setup.cfg": "[options]\ninstall_requires = six\n"},
            "setup.cfg",
            f'write {NAMED} and dynamic = ["dependencies"], and {SETUPTOOLS}, into pyproject.toml, then: '
            "uv lock --project {}",
        ),
    ],
)
def test_dependencies_that_uv_is_not_told_of(
    tmp_path: Path, project: str, files: dict[str, str], where: str, hint: str
) -> None:
    write(tmp_path / "pyproject.toml", project)
    for name, text in files.items():
        write(tmp_path / name, text)
    with pytest.raises(UsageError) as caught:
        refuse_untold_dependencies(tmp_path)
    assert str(caught.value) == f"{untold(tmp_path, where)}\n  hint: {hint.replace('{}', str(tmp_path))}"


@pytest.mark.parametrize(
    ("project", "files"),
    [
        ("[project]\nname = 'shop'\ndependencies = ['six']\n", {"poetry.lock": "", "Pipfile": "", "pdm.lock": ""}),
        ("[project]\nname = 'shop'\ndynamic = ['dependencies']\n", {"setup.py": "install_requires"}),
        ("[project]\nname = 'shop'\n", {"setup.py": "setup(ext_modules=[])", "setup.cfg": "[flake8]\n"}),
        ("[project]\nname = 'shop'\n[tool.poetry.dependencies]\npython = '^3.11'\n", {}),
        ("[tool.pdm]\ndistribution = false\n", {}),
        ("", {}),
    ],
)
def test_dependencies_that_are_told_or_that_are_none(tmp_path: Path, project: str, files: dict[str, str]) -> None:
    write(tmp_path / "pyproject.toml", project)
    for name, text in files.items():
        write(tmp_path / name, text)
    refuse_untold_dependencies(tmp_path)


# Dependencies


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        ("project = 1", False),
        ("[project]\nname = 'shop'", False),
        ("[project]\ndependencies = []", False),
        ("[project]\noptional-dependencies.fast = ['orjson']", False),
        ("[project]\ndependencies = ['six']", True),
        ("[project]\ndynamic = ['version']", False),
        ("[project]\ndynamic = ['version', 'dependencies']", True),
    ],
)
def test_has_dependencies(tmp_path: Path, text: str, expected: bool) -> None:
    write(tmp_path / "member" / "pyproject.toml", text)
    assert has_dependencies(tmp_path / "member") is expected
    write(tmp_path / "uv.lock", "")
    assert has_dependencies(tmp_path / "member") is expected
    write(tmp_path / "member" / "uv.lock", "")
    assert has_dependencies(tmp_path / "member")


def test_a_folder_without_a_project_has_dependencies(tmp_path: Path) -> None:
    assert not has_dependencies(tmp_path)


def test_what_a_project_requires(tmp_path: Path) -> None:
    write(
        tmp_path / "pyproject.toml",
        "[project]\nname = 'shop'\ndependencies = ['six']\n"
        "[project.optional-dependencies]\nfast = ['orjson']\n[dependency-groups]\ndata = ['pandas>=2']\n",
    )
    assert read_direct(tmp_path, Locked()) == ("six",)
    assert read_direct(tmp_path, Locked(extras=("fast",), groups=("data",))) == ("six", "orjson", "pandas>=2")
    assert read_direct(tmp_path, Locked(only_groups=("data",))) == ("pandas>=2",)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    members = "[tool.uv.workspace]\nmembers = ['packages/*', 'tools/cli']\n"
    write(tmp_path / "pyproject.toml", f"[project]\nname = 'shop'\ndependencies = ['root']\n{members}")
    write(tmp_path / "uv.lock", "")
    for folder, name in (("packages/api", "Shop.API"), ("packages/worker", "shop-worker"), ("tools/cli", "shop-cli")):
        write(tmp_path / folder / "pyproject.toml", f"[project]\nname = '{name}'\ndependencies = ['of-{name}']\n")
    write(tmp_path / "packages/README.md", "no member")
    write(tmp_path / "elsewhere/pyproject.toml", "[project]\nname = 'stranger'\ndependencies = ['strange']\n")
    return tmp_path


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        (None, ("root",)),
        ("shop", ("root",)),
        ("shop-api", ("of-Shop.API",)),
        ("Shop_Worker", ("of-shop-worker",)),
        ("shop-cli", ("of-shop-cli",)),
        ("stranger", ()),
    ],
)
def test_what_a_member_of_a_workspace_requires(workspace: Path, package: str | None, expected: tuple[str, ...]) -> None:
    assert read_direct(workspace, Locked(package=package)) == expected


def test_what_another_member_of_the_workspace_requires(workspace: Path) -> None:
    api = workspace / "packages" / "api"
    assert read_direct(api, Locked()) == ("of-Shop.API",)
    assert read_direct(api, Locked(package="shop-worker")) == ("of-shop-worker",)
    assert read_direct(api, Locked(package="shop")) == ("root",)


def test_a_workspace_whose_root_is_no_project(workspace: Path) -> None:
    write(workspace / "pyproject.toml", "[tool.uv.workspace]\nmembers = ['packages/*']\n")
    assert read_direct(workspace, Locked(package="shop-api")) == ("of-Shop.API",)
    assert read_direct(workspace, Locked(package="shop")) == ()


def test_read_runtimes_reads_once() -> None:
    runtimes = read_runtimes()
    assert [runtime.name for runtime in runtimes] == [
        "python3.10",
        "python3.11",
        "python3.12",
        "python3.13",
        "python3.14",
        "python3.15",
    ]
    assert read_runtimes() is runtimes


# .python-version


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3.13\n", "3.13"),
        ("3.13.2", "3.13"),
        ("python3.13", "3.13"),
        ("python3.13.2\n", "3.13"),
        ("cpython-3.13", "3.13"),
        ("cpython-3.13.2-linux-x86_64-gnu\n", "3.13"),
        ("# pinned by hand\n\n  3.12  \n3.14\n", "3.12"),
        ("\ufeff3.12\r\n", "3.12"),
        ("", None),
        ("# 3.12\n", None),
        ("3", None),
        ("3.13t", None),
        ("3.13.2t", None),
        ("3.14.0rc1", None),
        ("3.13-dev", None),
        (">=3.12", None),
        ("pypy3.10", None),
        ("pypy-3.10.14", None),
        ("cpython-3.13t-linux", None),
        ("cpython-3.13+freethreaded-linux-x86_64-gnu", None),
        ("cpython", None),
        ("/usr/bin/python3.12", None),
        ("system\n3.12\n", None),
    ],
)
def test_read_python_version_file(tmp_path: Path, text: str, expected: str | None) -> None:
    write(tmp_path / ".python-version", text)
    assert read_python_version_file(tmp_path) == expected


def test_the_python_version_file_of_a_workspace(tmp_path: Path) -> None:
    root, member = tmp_path / "shop", tmp_path / "shop" / "packages" / "api"
    write(tmp_path / ".python-version", "3.10\n")
    write(root / ".python-version", "3.12\n")
    write(member / "pyproject.toml", "")
    assert read_python_version_file(member) is None
    write(root / "uv.lock", "")
    assert read_python_version_file(member) == "3.12"
    write(member.parent / ".python-version", "pypy@3.11\n")
    assert read_python_version_file(member) is None
    write(member / ".python-version", "3.13\n")
    assert read_python_version_file(member) == "3.13"


def test_no_python_version_file(tmp_path: Path) -> None:
    write(tmp_path / ".python-version", "3.12")
    assert read_python_version_file(tmp_path / "below") is None


def test_python_version_file_of_other_bytes(tmp_path: Path) -> None:
    write(tmp_path / ".python-version", b"\xff\xfe3\x00.\x001\x002\x00")
    assert read_python_version_file(tmp_path) is None


def test_python_version_file_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / ".python-version"
    path.mkdir()
    with pytest.raises(UsageError) as caught:
        read_python_version_file(tmp_path)
    assert str(caught.value) == f"{path}: cannot be read: Is a directory"


# The environment


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"SOURCE_DATE_EPOCH": ""}, None),
        ({"SOURCE_DATE_EPOCH": "0"}, 0),
        ({"SOURCE_DATE_EPOCH": "1767225600"}, 1767225600),
        ({"SOURCE_DATE_EPOCH": "-1"}, -1),
    ],
)
def test_read_source_date_epoch(environ: dict[str, str], expected: int | None) -> None:
    assert read_source_date_epoch(environ) == expected


@pytest.mark.parametrize("value", ["now", "1.5", "1_000", " 1", "1\n", "+1", "٣", "0x10", "9" * 13, "9" * 5000])
def test_source_date_epoch_that_is_no_time(value: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_source_date_epoch({"SOURCE_DATE_EPOCH": value})
    assert str(caught.value) == (
        f"SOURCE_DATE_EPOCH: {value!r} is not a number of seconds since 1970-01-01 00:00:00 UTC\n"
        "  hint: export SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)"
    )


def test_environment_is_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMBDABUILD_TEST", "before")
    copy = environment()
    monkeypatch.setenv("LAMBDABUILD_TEST", "after")
    assert copy["LAMBDABUILD_TEST"] == "before"
    assert copy is not os.environ


def test_a_pipe_is_not_waited_for_and_a_device_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / ".python-version"
    os.mkfifo(path)
    with pytest.raises(UsageError) as caught:
        read_python_version_file(tmp_path)
    assert str(caught.value) == f"{path}: cannot be read: it is a pipe"
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(UsageError) as caught:
        read_python_version_file(tmp_path)
    assert str(caught.value) == f"{path}: cannot be read: it is a device"


@pytest.mark.parametrize("name", ["pyproject.toml", "lambdabuild.toml", "uv.lock", "requirements.txt", "poetry.lock"])
def test_a_pipe_in_the_place_of_a_file_is_told_where_it_is_looked_for(tmp_path: Path, name: str) -> None:
    """uv would wait for uv.lock, and nobody would learn why the others are passed over."""
    path = tmp_path / name
    os.mkfifo(path)
    look = {"uv.lock": find_lock, "poetry.lock": find_untold_dependencies}.get(name, find_project)
    with pytest.raises(UsageError) as caught:
        look(tmp_path)
    assert str(caught.value) == f"{path}: cannot be read: it is a pipe"


def test_the_null_device_hides_a_file(tmp_path: Path) -> None:
    """As it does where a container has it mounted over one."""
    for name in ("uv.lock", "lambdabuild.toml", ".python-version"):
        (tmp_path / name).symlink_to(os.devnull)
    assert not holds(tmp_path, "lambdabuild.toml")
    assert find_lock(tmp_path) is None
    assert read_python_version_file(tmp_path) is None
