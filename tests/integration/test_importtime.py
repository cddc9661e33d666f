"""The import profile of a built handler, from the runtime image."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

from tests.wheels import wheel

SLOW = wheel(
    "slow",
    files={
        "slow/__init__.py": "import time\ntime.sleep(0.2)\nfrom slow import part\n",
        "slow/part.py": "import time, space.inner\ntime.sleep(0.1)\n",
    },
)
SPACE = wheel("spaced", files={"space/inner/__init__.py": "import wave\n"})
HANDLER = "import slow\ntry:\n    import nothere\nexcept ImportError:\n    pass\nraise_it = {raises}\n"


def make(folder: Path, *, raises: str = "None") -> Path:
    (folder / "wheels").mkdir(parents=True)
    sources = ""
    for one in (SLOW, SPACE):
        (folder / "wheels" / one.filename).write_bytes(one.data)
        sources += f'{one.name} = {{ path = "wheels/{one.filename}" }}\n'
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "project"\nversion = "1"\nrequires-python = ">=3.10"\n'
        f'dependencies = ["slow", "spaced"]\n[tool.uv.sources]\n{sources}'
        '[tool.lambdabuild]\npython = "3.13"\n'
        '[tool.lambdabuild.functions.app]\nhandler = "shop.app.handler"\nsource = "src"\n'
    )
    (folder / "src" / "shop").mkdir(parents=True)
    (folder / "src" / "shop" / "__init__.py").write_text("")
    text = HANDLER.format(raises=raises) + "def handler(event, context):\n    return 1\n"
    (folder / "src" / "shop" / "app.py").write_text(text)
    subprocess.run([sys.executable, "-m", "uv", "lock", "--quiet", "--project", folder], check=True)
    return folder


class Titles(HTMLParser):
    """The boxes of the picture; and that nothing comes from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.modules: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        assert not {"src", "href"} & attributes.keys()
        if tag == "div" and (title := attributes.get("title")):
            self.modules.append(title.splitlines()[0])


def read_boxes(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    assert "http:" not in text
    assert "https:" not in text
    titles = Titles()
    titles.feed(text)
    return titles.modules


def test_whose_time_it_is(tmp_path: Path, lambdabuild: Callable) -> None:
    folder = make(tmp_path / "project")
    lambdabuild("package", "--no-verify", "--project", folder)
    done = lambdabuild("verify", "--importtime", "app", "--project", folder, "--json")
    document = json.loads(done.stdout)
    page = folder / "dist" / "lambda" / "app.importtime.html"
    assert (document["path"], document["handler"], document["page"]) == ("app.zip", "shop.app", str(page))
    assert [module["name"] for module in document["modules"]] == ["shop", "shop.app"]
    own = {total["name"]: total["self_seconds"] for total in document["distributions"]}
    assert own.keys() == {
        "slow 1.0",
        "spaced 1.0",
        "(sources)",
        "(standard library)",
        "(not found)",
        "(namespace package)",
    }
    assert 0.3 <= own["slow 1.0"] < 3
    slow = next(one for one in document["modules"][1]["imports"] if one["name"] == "slow")
    (part,) = [one for one in slow["imports"] if one["name"] == "slow.part"]
    assert part["cumulative_seconds"] >= 0.1
    assert 0.2 <= slow["self_seconds"] <= slow["cumulative_seconds"] - part["cumulative_seconds"] + 0.001
    boxes = read_boxes(page)
    assert boxes[:3] == ["shop.app", "shop", "shop.app"]
    assert {"slow", "slow.part", "space.inner", "wave", "nothere"} <= set(boxes)
    table = lambdabuild("verify", "--importtime", "app", "--project", folder).stdout.splitlines()
    assert table[0].split() == ["cumulative", "self", "module", "distribution"]
    assert table[1].split()[4:] == ["shop.app", "(sources)"]
    assert table[2].split()[4:] == ["slow", "slow", "1.0"]
    assert table[-1] == str(page)


def test_of_spectra(spectra: Path, tmp_path: Path, lambdabuild: Callable) -> None:
    options = ("--project", spectra, "--output", tmp_path)
    lambdabuild("package", "--no-verify", "worker", *options)
    document = json.loads(lambdabuild("verify", "--importtime", "worker", *options, "--json").stdout)
    names = {total["name"].partition(" ")[0] for total in document["distributions"]}
    assert {"pyarrow", "pydantic", "boto3", "botocore", "(sources)"} <= names
    assert "(runtime)" not in names
    assert "pyarrow.lib" in read_boxes(tmp_path / "worker.importtime.html")


def test_a_handler_that_cannot_be_imported(tmp_path: Path, lambdabuild: Callable) -> None:
    folder = make(tmp_path / "project", raises="1 / 0")
    lambdabuild("package", "--no-verify", "--project", folder)
    done = lambdabuild("verify", "--importtime", "app", "--project", folder, code=3)
    assert done.stderr[done.stderr.index("error: ") :] == (
        "error: shop.app cannot be imported: ZeroDivisionError: division by zero\n"
        "  hint: lambdabuild verify tells what is wrong with it\n"
    )
    assert not (folder / "dist" / "lambda" / "app.importtime.html").exists()


def test_one_function(tmp_path: Path, lambdabuild: Callable) -> None:
    folder = make(tmp_path / "project")
    done = lambdabuild("verify", "--importtime", "--project", folder, code=2)
    assert done.stderr == ("error: --importtime is about one function\n  hint: lambdabuild verify --importtime NAME\n")
