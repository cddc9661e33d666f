"""The page with the picture of an import profile: whole, well-formed and by itself."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib.resources import files

from lambdabuild.model.importpage import render_page
from lambdabuild.model.importtime import Imported, Profile

TEMPLATE = (files("lambdabuild.resources") / "importtime.html").read_text(encoding="utf-8")
CHILD = Imported(name="<b>&co", own=250, cumulative=250, owner='"evil" 1.0')
LATER = Imported(name="json", own=500, cumulative=500, owner="(standard library)")
PROFILE = Profile(
    archive="api.zip",
    handler="shop.app",
    target="python3.13 x86_64",
    modules=(
        Imported(name="shop", own=1000, cumulative=1000, owner="(sources)"),
        Imported(name="shop.app", own=250, cumulative=1000, children=(CHILD, LATER), owner="(sources)"),
    ),
)
VOID = {"meta"}


class Reader(HTMLParser):
    """Holds a page to closing what it opens, and keeps its boxes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


def test_the_page_is_well_formed_and_by_itself() -> None:
    page = render_page(PROFILE, TEMPLATE)
    reader = read(page)
    assert reader.open == []
    assert "[[" not in page
    assert not re.search(r"https?:|//[a-z]|@import|url\(", page)
    assert not [tag for tag, attributes in reader.seen if {"src", "href"} & attributes.keys() or tag == "link"]


def test_a_box_is_as_wide_as_its_time_is_long() -> None:
    boxes = [
        (attributes["title"], attributes["style"])
        for tag, attributes in read(render_page(PROFILE, TEMPLATE)).seen
        if tag == "div" and "title" in attributes
    ]
    assert boxes == [
        ("shop.app\ncumulative 2.0 ms", "--x:0;--w:100;--y:0;background:transparent;color:inherit"),
        ("shop\n(sources)\ncumulative 1.0 ms, 50.0%\nself 1.0 ms", "--x:0.0000;--w:50.0000;--y:1"),
        ("shop.app\n(sources)\ncumulative 1.0 ms, 50.0%\nself 0.2 ms", "--x:50.0000;--w:50.0000;--y:1"),
        ('<b>&co\n"evil" 1.0\ncumulative 0.2 ms, 12.5%\nself 0.2 ms', "--x:50.0000;--w:12.5000;--y:2"),
        ("json\n(standard library)\ncumulative 0.5 ms, 25.0%\nself 0.5 ms", "--x:62.5000;--w:25.0000;--y:2"),
    ]


def test_many_distributions_have_colours_of_their_own() -> None:
    modules = tuple(Imported(name=f"m{n}", own=1, cumulative=1, owner=f"d{n} 1.0") for n in range(30))
    page = render_page(Profile(archive="a.zip", handler="a", target="t", modules=modules), TEMPLATE)
    colours = re.findall(r"\.owner-\d+ \{ (.*) \}", page)
    assert len(colours) == len(set(colours)) == 30


def test_nothing_to_show() -> None:
    assert read(render_page(Profile(archive="a.zip", handler="a", target="t", modules=()), TEMPLATE)).open == []
