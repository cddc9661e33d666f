"""model.requirement_files: what a requirements file names, other files and requirements."""

from __future__ import annotations

import pytest

from lambdabuild.errors import PolicyError
from lambdabuild.model.requirement_files import (
    Meaning,
    Reference,
    check_hashes,
    meaning_of,
    references,
    requirement_lines,
)
from lambdabuild.model.requirements import Pin


@pytest.mark.parametrize(
    ("line", "path", "constrains"),
    [
        ("-r base.txt", "base.txt", False),
        ("-rbase.txt", "base.txt", False),
        ("  -r\t../base.txt  # the rest", "../base.txt", False),
        ("--requirement base.txt", "base.txt", False),
        ("--requirement=base.txt", "base.txt", False),
        ("-r 'my base.txt'", "my base.txt", False),
        ("-c constraints.txt", "constraints.txt", True),
        ('--constraint="constraints.txt"', "constraints.txt", True),
        ("-r a#b.txt", "a#b.txt", False),
    ],
)
def test_a_line_that_names_a_file(line: str, path: str, constrains: bool) -> None:
    assert list(references(line)) == [Reference(path=path, line=1, constrains=constrains)]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "# -r base.txt",
        "six==1.17.0",
        "requests -r base.txt",
        "--require-hashes",
        "-r",
        "-e ./member",
        "--index-url https://index.example/simple",
        "-r https://files.example/base.txt",
        "--constraint=https://files.example/constraints.txt",
    ],
)
def test_a_line_that_names_none(line: str) -> None:
    assert list(references(line)) == []


def test_files_come_in_order_with_their_lines() -> None:
    text = "-r b.txt\r\n\r\nsix\r\n-c c.txt\r\n-r a.txt\r\n"
    assert [(one.path, one.line) for one in references(text)] == [("b.txt", 1), ("c.txt", 4), ("a.txt", 5)]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_requirements(newline: str) -> None:
    lines = [
        "# ours",
        "-r base.txt",
        "--index-url https://index.example/simple",
        "",
        "six==1.17.0  # pinned",
        "requests[socks]>=2.32 ; python_version < '3.14'",
        "demo @ https://files.example/demo-1.0.zip#sha256=00",
        "idna==3.10 \\",
        "    --hash=sha256:00 \\",
        "    --hash=sha256:01",
        "attrs \\",
        "    >=25",
        "anyio==4 --hash=sha256:02",
        "  # indented",
    ]
    assert list(requirement_lines(newline.join(lines))) == [
        "six==1.17.0",
        "requests[socks]>=2.32 ; python_version < '3.14'",
        "demo @ https://files.example/demo-1.0.zip#sha256=00",
        "idna==3.10",
        "attrs >=25",
        "anyio==4",
    ]


# What they mean


def meaning(text: str) -> Meaning:
    return meaning_of([(text, False)])


INDEXES = "--index-url https://a.example/simple\n--extra-index-url https://b.example/simple\n"
PLAIN = f"{INDEXES}idna==3\nsix>=1  ; os_name=='nt'\n"


@pytest.mark.parametrize(
    "text",
    [
        "# ours\n\n" + PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("idna==3", "idna==3  # why"),
        PLAIN.replace("idna==3", "idna==3 \\\n  # why"),
        "six>=1 ; os_name=='nt'\n" + PLAIN.replace("six>=1  ; os_name=='nt'\n", ""),
        PLAIN.replace("six>=1 ", "six>=1\t"),
        PLAIN + "-r more.txt\n",
        PLAIN + "idna==3\n",
    ],
)
def test_what_does_not_change_the_meaning(text: str) -> None:
    assert meaning(text) == meaning(PLAIN)


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace("idna==3", "idna==4"),
        PLAIN.replace("idna==3", "idna==3 --hash=sha256:00"),
        PLAIN.replace("idna==3", "idna#==3"),
        PLAIN.replace("a.example", "c.example"),
        PLAIN.replace("a.example", "x.example").replace("b.example", "a.example").replace("x.example", "b.example"),
        PLAIN + "-e ./member\n",
        PLAIN + "-r https://files.example/base.txt\n",
        PLAIN + "attrs\n",
        PLAIN.replace("idna==3", ""),
    ],
)
def test_what_changes_the_meaning(text: str) -> None:
    assert meaning(text) != meaning(PLAIN)


def test_constraints_are_no_requirements() -> None:
    assert meaning_of([("b\na\n", False), ("d<2\nc\n", True), ("-e .\n--pre\n", False)]) == Meaning(
        options=("--pre",), requirements=("-e .", "a", "b"), constraints=("c", "d<2")
    )


def test_what_is_built_from_source() -> None:
    text = "--no-binary a,b\n--no-binary=:all:\n--only-binary c\nsix\n"
    assert meaning(text).built_from_source == {"a", "b", ":all:"}


HASH, OTHER = "a" * 64, "b" * 64


def pinned(name: str = "alpha", sha256: str = HASH) -> Pin:
    filename = f"{name}-1.0-py3-none-any.whl"
    return Pin(name=name, version="1.0", kind="wheel", url=f"https://index.example/{filename}", sha256=sha256)


@pytest.mark.parametrize(
    "text",
    [
        "alpha==1.0",
        f"alpha==1.0 --hash=sha256:{HASH}",
        f"Alpha[fast] == 1.0 ; python_version > '3' \\\n  --hash=sha256:{OTHER} \\\n  --hash=sha256:{HASH.upper()}",
        f"--require-hashes\nalpha==1.0 --hash sha256:{HASH}",
        f"alpha==1.0 --hash=sha512:{HASH} --hash=sha256:{HASH}",
        f"beta==1.0 --hash=sha256:{OTHER}\nalpha",
    ],
)
def test_a_file_that_the_hashes_name(text: str) -> None:
    check_hashes([pinned()], meaning_of([(text, False)]), what="req.txt")


@pytest.mark.parametrize("constrains", [False, True])
def test_a_file_that_the_hashes_do_not_name(constrains: bool) -> None:
    meaning = meaning_of([(f"alpha==1.0 --hash=sha256:{OTHER}", constrains)])
    with pytest.raises(PolicyError) as caught:
        check_hashes([pinned()], meaning, what="req.txt")
    assert str(caught.value) == (
        "alpha 1.0: alpha-1.0-py3-none-any.whl has another hash than req.txt names\n"
        f"  expected sha256 {OTHER}\n  found    sha256 {HASH}\n"
        "  hint: the file is not the one that was meant: do not use it before you know why"
    )


def test_hashes_of_another_kind_alone() -> None:
    with pytest.raises(PolicyError) as caught:
        check_hashes([pinned()], meaning_of([(f"alpha --hash=sha512:{HASH}", False)]), what="req.txt")
    assert caught.value.message == (
        "alpha 1.0: alpha-1.0-py3-none-any.whl has another hash than req.txt names\n  no sha256 is named\n"
        f"  found    sha256 {HASH}"
    )


def test_hashes_that_are_required() -> None:
    meaning = meaning_of([(f"--require-hashes\nalpha --hash=sha256:{HASH}\nbeta", False)])
    with pytest.raises(PolicyError) as caught:
        check_hashes([pinned(), pinned("beta")], meaning, what="req.txt")
    assert str(caught.value) == (
        "beta 1.0: req.txt says --require-hashes and names no hash for it\n"
        f"  hint: write beta==1.0 --hash=sha256:{HASH} if that file is meant, or leave out --require-hashes"
    )
