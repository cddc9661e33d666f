"""tests/probes/filesets.py: which differences between a tree and an archive follow from a rule, and which do not."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.probes.filesets import RULES, Comparison, FileSet, Result, compare, page, read_table

LAUNCHER = "#!{}\nimport sys\n"
RECORD = "demo.py,sha256=a,1\n{}demo-1.dist-info/RECORD,,\n"
TREE = {
    ".lock": "",
    "demo.py": "DEMO = 1",
    "demo/tests/test_demo.py": "",
    "__pycache__/demo.cpython-313.pyc": "",
    "bin/demo": LAUNCHER.format("/here/python"),
    "demo-1.dist-info/METADATA": "Name: demo",
    "demo-1.dist-info/licenses/LICENSE": "Anybody may",
    "demo-1.dist-info/INSTALLER": "uv",
    "demo-1.dist-info/RECORD": RECORD.format("bin/demo,sha256=b,1\ndemo-1.dist-info/INSTALLER,sha256=c,2\n"),
}
LEFT_OUT = (".lock", "__pycache__/demo.cpython-313.pyc", "demo-1.dist-info/INSTALLER")
WHOLE = {path: text for path, text in TREE.items() if path not in LEFT_OUT} | {
    "bin/demo": LAUNCHER.format("/var/lang/bin/python3.13"),
    "demo-1.dist-info/RECORD": RECORD.format("bin/demo,sha256=d,9\n"),
}
SLIMMED = {
    "demo.py": TREE["demo.py"],
    "bin/demo": WHOLE["bin/demo"],
    "demo-1.dist-info/METADATA": TREE["demo-1.dist-info/METADATA"],
    "demo-1.dist-info/top_level.txt": "demo",
}


def held(folder: Path, packed: Mapping[str, str], *, slimmed: bool = False, executable: str = "bin/demo") -> Comparison:
    for path, text in TREE.items():
        file = folder / "tree" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755 if path == "bin/demo" else 0o644)
    with zipfile.ZipFile(folder / "layer.zip", "w") as archive:
        for path, text in packed.items():
            info = zipfile.ZipInfo(f"python/{path}")
            info.external_attr = (0o100755 if path == executable else 0o100644) << 16
            archive.writestr(info, text)
    return compare(folder / "tree", folder / "layer.zip", slimmed=slimmed)


def test_what_is_packed_whole_differs_by_what_an_installer_writes(tmp_path: Path) -> None:
    found = held(tmp_path, WHOLE)
    assert found == Comparison(
        files=9, rules={"bytecode": 1, "installer": 2, "launcher": 1, "record": 1}, unexplained=()
    )


def test_what_is_slimmed_differs_by_what_slimming_names(tmp_path: Path) -> None:
    found = held(tmp_path, SLIMMED, slimmed=True)
    counts = {"bytecode": 1, "installer": 2, "launcher": 1, "metadata": 2, "tests": 1, "top_level": 1}
    assert found == Comparison(files=9, rules=counts, unexplained=())
    assert counts.keys() <= RULES.keys()


@pytest.mark.parametrize(
    ("change", "slimmed", "problem"),
    [
        ({"demo.py": "DEMO = 2"}, True, "demo.py has another content"),
        ({"demo.py": None}, True, "demo.py is not in the archive"),
        ({"other.py": ""}, True, "other.py is in the archive alone"),
        ({"bin/demo": LAUNCHER.format("/x") + "more"}, True, "bin/demo has another content"),
        ({"demo-1.dist-info/METADATA": None}, True, "demo-1.dist-info/METADATA is not in the archive"),
        ({"demo-1.dist-info/RECORD": RECORD.format("x.py,,\n")}, False, "demo-1.dist-info/RECORD has another content"),
        ({"demo/tests/test_demo.py": None}, False, "demo/tests/test_demo.py is not in the archive"),
        ({"demo-1.dist-info/top_level.txt": "demo"}, False, "demo-1.dist-info/top_level.txt is in the archive alone"),
    ],
)
def test_any_other_difference_is_named(
    tmp_path: Path, change: Mapping[str, str | None], slimmed: bool, problem: str
) -> None:
    packed = {**(SLIMMED if slimmed else WHOLE), **change}
    found = held(tmp_path, {path: text for path, text in packed.items() if text is not None}, slimmed=slimmed)
    assert found.unexplained == (problem,)


def test_another_mode_is_named(tmp_path: Path) -> None:
    assert held(tmp_path, WHOLE, executable="demo.py").unexplained == (
        "bin/demo is executable in one of them",
        "demo.py is executable in one of them",
    )


def test_the_table_has_well_known_layers_and_other_forms() -> None:
    table = read_table()
    assert len(table) == 31
    assert table["numpy-arm64"] == FileSet(
        name="numpy-arm64",
        requirements=("numpy", "cryptography"),
        python="3.13",
        architecture="arm64",
        as_of=table["numpy"].as_of,
    )


def test_the_page_says_what_differs() -> None:
    good = Comparison(files=1234, rules={"record": 2}, unexplained=())
    same = Comparison(files=1234, rules={}, unexplained=())
    bad = Comparison(files=7, rules={"record": 1}, unexplained=("a.py has another content",))
    text = page(
        [
            Result(name="good", pins=["demo==1"], whole=good, slimmed=same),
            Result(name="bad", pins=["demo==2"], whole=bad, slimmed=good),
            Result(name="ugly", errors=["exit status 1: no"]),
        ],
        day="2026-11-28",
        versions="lambdabuild 1 and uv 2",
    )
    assert "on 2026-11-28 with lambdabuild 1 and uv 2. 1 of them differ by the rules below alone." in text
    assert "| good | 1 | 1,234 | record 2 | the same files |\n" in text
    assert "| bad | 1 | 7 | record 1; **1 more** | record 2 |\n" in text
    assert "| ugly | 0 | | **not built** | |\n" in text
    assert "* good: demo==1\n" in text
