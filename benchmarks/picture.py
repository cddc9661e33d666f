"""The figures as horizontal bars: an SVG without script or font of its own, for light and dark pages. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from benchmarks.page import seconds, times
from benchmarks.results import Contestant, Outcome, Results

_SHOWN = ("layer", "dependency", "unchanged", "code", "fat", "all", "host", "small")
_MARGIN, _WIDTH, _LEFT, _RIGHT, _TOP = 16, 820, 206, 170, 72
_BAR, _ROW, _HEADING, _GAP = 16, 23, 24, 16
_STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #24292f }
  .title { font-size: 17px; font-weight: 600 }
  .case, .gain { font-weight: 600 }
  .soft { fill: #57606a }
  .gain { fill: #0a6e4b }
  .ours { fill: #0b7a53 }
  .theirs { fill: #a3acb7 }
  .line { stroke: #d0d7de; stroke-opacity: .6 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .soft { fill: #9198a1 }
    .gain { fill: #56d4a8 }
    .ours { fill: #3fb98a }
    .theirs { fill: #59636e }
    .line { stroke: #3d444d }
  }
"""


def picture(results: Results) -> str:
    """The cases that compare times, one below the other, on one scale of seconds."""
    outcomes = [one for name in _SHOWN if (one := results.find(name)) and any(ran.runs for ran in one.contestants)]
    longest = max((one.seconds.median for outcome in outcomes for one in outcome.contestants if one.runs), default=1.0)
    scale = (_WIDTH - _LEFT - _RIGHT) / longest
    ticks = _ticks(longest)
    y = float(_TOP)
    body: list[str] = []
    for outcome in outcomes:
        shown, height = _case(outcome, y, scale, ticks)
        body += shown
        y += height
    body += [_text(_LEFT + tick * scale, y + 4, f"{tick:g} s", "soft", anchor="middle") for tick in ticks]
    height = y + _MARGIN
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" width="{_WIDTH}" '
            f'height="{height:.0f}" role="img" aria-label="Seconds for the same work, side by side">',
            f"<style>{_STYLE}</style>",
            _text(_MARGIN, 28, "Seconds for the same work; shorter is better", "title"),
            _text(_MARGIN, 49, _subtitle(results), "soft"),
            *body,
            "</svg>\n",
        )
    )


def _subtitle(results: Results) -> str:
    processor = results.machine.get("processor", "").partition(",")[0]
    facts = ("whole processes, medians, downloads warm", processor, results.day, "compared with the quickest other")
    return " · ".join(filter(None, facts))


def _case(outcome: Outcome, y: float, scale: float, ticks: Sequence[float]) -> tuple[list[str], float]:
    """The elements of a case, and the height that they take."""
    ran = [one for one in outcome.contestants if one.runs]
    top, height = y + _HEADING, len(ran) * _ROW
    shown = [_text(_MARGIN, y + 13, outcome.title, "case")]
    for tick in ticks:
        x = _LEFT + tick * scale
        shown.append(f'<path class="line" d="M{x:.1f} {top - 3:.1f}v{height - 1:.1f}"/>')
    for number, one in enumerate(ran):
        shown += _bar(one, outcome, top + number * _ROW, scale)
    return shown, _HEADING + height + _GAP


def _bar(one: Contestant, outcome: Outcome, y: float, scale: float) -> Iterator[str]:
    ours = one.short.startswith("lambdabuild")
    width = max(one.seconds.median * scale, 1.5)
    yield _text(_LEFT - 8, y + 13, one.short, "" if ours else "soft", anchor="end")
    yield f'<rect class="{"ours" if ours else "theirs"}" x="{_LEFT}" y="{y:.1f}" width="{width:.1f}" height="{_BAR}"/>'
    gain = _gain(one, outcome) if ours else None
    more = f'<tspan class="gain" dx="9">{times(gain)} times faster</tspan>' if gain else ""
    yield _text(_LEFT + width + 7, y + 13, seconds(one.seconds.median), "" if ours else "soft", more=more)


def _gain(one: Contestant, outcome: Outcome) -> float | None:
    """How many times faster than the quickest of those that it is compared with, or None."""
    values = [
        comparison.value(outcome)
        for comparison in outcome.comparisons
        if comparison.ours == one.name and comparison.theirs and comparison.figure == "time" and not comparison.at_most
    ]
    return min((value.median for value in values if value is not None), default=None)


def _ticks(longest: float) -> Sequence[float]:
    """Up to six round numbers from 0 on."""
    step = next((step for step in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200) if longest / step <= 5), 500)
    return [number * step for number in range(int(longest / step) + 1)]


def _text(x: float, y: float, text: str, kind: str, *, anchor: str = "start", more: str = "") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}{more}</text>'
