"""model.filenames: names that not every disk can have, or tell apart."""

from __future__ import annotations

import pytest

from lambdabuild.model.filenames import remark_file_names
from lambdabuild.model.lint import Remark


@pytest.mark.parametrize(
    ("paths", "clashes"),
    [
        (["a.py", "b.py", "A/x.py", "B/a.py"], ""),
        (["A.py", "a.py"], "A.py and a.py"),
        (
            ["python/a/B.TXT", "python/a/b.Txt", "python/a/b.txt"],
            "python/a/B.TXT and python/a/b.Txt and python/a/b.txt",
        ),
        (["Pkg/a.py", "pkg/a.py", "pkg/b.py"], "Pkg and pkg"),
        (["data", "Data/x"], "Data and data"),
        (["straße", "STRASSE"], "STRASSE and stra\\xdfe"),
        (["caf\u00e9.py", "cafe\u0301.py"], "cafe\\u0301.py and caf\\xe9.py"),
        (["é/a", "É/a"], "\\xc9 and \\xe9"),
        (["a1", "A1", "b1", "B1", "c1", "C1", "d1", "D1"], "A1 and a1, B1 and b1, C1 and c1 and 1 more"),
    ],
)
def test_names_that_are_one_on_some_disks(paths: list[str], clashes: str) -> None:
    expected = Remark(
        artifact="a.zip",
        code="case-collision",
        text=f"names that are one where a disk ignores case or how accents are composed: {clashes}",
        hint="rename all but one of them: Lambda tells them apart, macOS and Windows do not",
    )
    assert list(remark_file_names(paths, artifact="a.zip")) == ([expected] if clashes else [])


@pytest.mark.parametrize(
    ("paths", "strange"),
    [
        (["a/c:d.py", "a/b.py"], "a/c:d.py"),
        (["CON.txt", "con", "Aux.tar.gz", "console.py", "a.con", "com1.py", "com.py"], "Aux.tar.gz, CON.txt, com1.py"),
        (["trail./x.py", "dot./y.py"], "dot., trail."),
        (["end ", "two words.py", ".hidden", "a b/c"], "end "),
        (["what?.txt", "a*b", "<x>"], "<x>, a*b, what?.txt"),
        (["nul", "lpt9"], "lpt9, nul"),
    ],
)
def test_names_that_windows_cannot_have(paths: list[str], strange: str) -> None:
    found = [one for one in remark_file_names(paths, artifact="a.zip") if one.code == "unportable-name"]
    told = "names that Windows cannot have, so that nobody there can unpack the archive: "
    assert found[0].text.startswith(told)
    assert found[0].text.removeprefix(told).partition(" and ")[0] == strange
    assert found[0].hint == "rename them, or exclude them where nothing needs them"
    assert len(found) == 1
