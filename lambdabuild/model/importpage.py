"""The import profile as one page: a picture whose widths are times, and tables, with nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from itertools import chain, count

from lambdabuild.model.importtime import (
    NAMESPACE,
    NOT_FOUND,
    RUNTIME,
    STANDARD_LIBRARY,
    Imported,
    Profile,
)
from lambdabuild.model.tree import SOURCES

_HUES = (28, 152, 276, 348, 48, 186, 318, 96, 244, 8)
"""Degrees, for the distributions that took longest; far from each other, and from the blue of the project's own."""
_FIXED = {SOURCES: (212, 88), STANDARD_LIBRARY: (215, 10), RUNTIME: (40, 12), NAMESPACE: (215, 4), NOT_FOUND: (215, 4)}
"""Hue and saturation of what is no distribution."""
_GOLDEN_ANGLE = 137
"""Degrees between the hues of the others, which are paler."""


def render_page(profile: Profile, template: str) -> str:
    """The page, in HTML. The template has ``[[title]]``, ``[[colours]]``, ``[[rows]]`` and ``[[body]]``."""
    classes = {total.owner: f"owner-{number}" for number, total in enumerate(profile.totals())}
    boxes = list(_boxes(profile.modules, start=0, depth=1))
    parts = {
        "title": escape(f"{profile.handler}: import profile"),
        "colours": "\n".join(_colours(classes)),
        "rows": str(max((depth for _, _, depth in boxes), default=0) + 1),
        "body": "\n".join(_body(profile, boxes, classes)),
    }
    return re.sub(r"\[\[(\w+)\]\]", lambda at: parts[at[1]], template)


def _boxes(modules: Iterable[Imported], *, start: int, depth: int) -> Iterator[tuple[Imported, int, int]]:
    """Each module with where it begins, in microseconds, and how deep it lies."""
    for module in modules:
        yield module, start, depth
        yield from _boxes(module.children, start=start, depth=depth + 1)
        start += module.cumulative


def _colours(classes: Mapping[str, str]) -> Iterator[str]:
    colours = chain(((hue, 74) for hue in _HUES), ((number * _GOLDEN_ANGLE % 360, 40) for number in count()))
    for owner, name in classes.items():
        hue, saturation = _FIXED.get(owner) or next(colours)
        yield f".{name} {{ --h: {hue}; --s: {saturation}% }}"


def _body(profile: Profile, boxes: Sequence[tuple[Imported, int, int]], classes: Mapping[str, str]) -> Iterator[str]:
    yield f"<h1>{escape(profile.handler)}</h1>"
    yield f"<p>Import profile of the handler's module in {escape(profile.archive)}, {escape(profile.target)}</p>"
    yield '<ul class="facts">'
    yield f"<li><b>{_ms(profile.total)}</b><span>to import it</span></li>"
    yield f"<li><b>{len(boxes)}</b><span>modules</span></li>"
    yield f"<li><b>{_distributions(profile)}</b><span>distributions</span></li>"
    yield "</ul>"
    yield '<div class="bar"><h2>By import</h2>'
    yield '<p id="told">Width is time, with all that a module imports first; below it is what it imports.</p>'
    yield '<button id="out" type="button" hidden>Show all</button></div>'
    yield from _icicle(profile, boxes, classes)
    yield "<h2>By distribution</h2>"
    yield from _owners(profile, classes)
    yield from _table(boxes, classes)
    yield (
        "<p>Measured once, by the interpreter's own -X importtime, which makes imports somewhat slower, and on this "
        "machine: Lambda's are another. Modules that the runtime has imported for itself cost the handler nothing.</p>"
    )


def _distributions(profile: Profile) -> int:
    return sum(total.owner not in _FIXED for total in profile.totals())


def _owners(profile: Profile, classes: Mapping[str, str]) -> Iterator[str]:
    whole = sum(total.own for total in profile.totals()) or 1
    yield '<div class="share">'
    for total in profile.totals():
        share = total.own / whole
        title = escape(f"{total.owner}: {_ms(total.own)}, {share:.1%}")
        yield f'<i class="{classes[total.owner]}" style="width:{share * 100:.3f}%" title="{title}"></i>'
    yield "</div>"
    yield '<table class="owners"><thead><tr><th>distribution</th><th class="n">self</th><th class="n">share</th>'
    yield '<th class="n">modules</th></tr></thead><tbody>'
    for total in profile.totals():
        name = classes[total.owner]
        yield (
            f'<tr data-owner="{name}"><td><i class="{name}"></i>{escape(total.owner)}</td>'
            f'<td class="n">{_ms(total.own)}</td><td class="n">{total.own / whole:.1%}</td>'
            f'<td class="n">{total.modules}</td></tr>'
        )
    yield "</tbody></table>"


def _icicle(profile: Profile, boxes: Sequence[tuple[Imported, int, int]], classes: Mapping[str, str]) -> Iterator[str]:
    whole = profile.total or 1
    title = escape(f"{profile.handler}\ncumulative {_ms(profile.total)}")
    yield '<div class="icicle">'
    yield (
        f'<div title="{title}" style="--x:0;--w:100;--y:0;background:transparent;color:inherit">'
        f"all imports<small>{_ms(profile.total)}</small></div>"
    )
    for module, start, depth in boxes:
        title = escape(
            f"{module.name}\n{module.owner}\n"
            f"cumulative {_ms(module.cumulative)}, {module.cumulative / whole:.1%}\nself {_ms(module.own)}"
        )
        place = f"--x:{start / whole * 100:.4f};--w:{module.cumulative / whole * 100:.4f};--y:{depth}"
        yield (
            f'<div class="{classes[module.owner]}" title="{title}" style="{place}">'
            f"{escape(module.name)}<small>{_ms(module.cumulative)}</small></div>"
        )
    yield "</div>"


def _table(boxes: Sequence[tuple[Imported, int, int]], classes: Mapping[str, str]) -> Iterator[str]:
    yield f"<details><summary>All {len(boxes)} modules</summary><table><thead><tr><th>module</th>"
    yield '<th>distribution</th><th class="n">self</th><th class="n">cumulative</th></tr></thead><tbody>'
    for module, _, _ in sorted(boxes, key=lambda box: -box[0].cumulative):
        yield (
            f'<tr><td>{escape(module.name)}</td><td><i class="{classes[module.owner]}"></i>{escape(module.owner)}</td>'
            f'<td class="n">{_ms(module.own)}</td><td class="n">{_ms(module.cumulative)}</td></tr>'
        )
    yield "</tbody></table></details>"


def _ms(microseconds: int) -> str:
    return f"{microseconds / 1000:.1f} ms" if microseconds < 100_000 else f"{microseconds / 1000:.0f} ms"
