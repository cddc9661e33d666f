"""Medians, and how far the single figures lie from them. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A median between the smallest and the largest of its figures."""

    median: float
    low: float
    high: float


def spread(figures: Sequence[float]) -> Spread:
    """Raises ValueError when there is no figure."""
    if not figures:
        raise ValueError("a median of nothing")
    return Spread(median=statistics.median(figures), low=min(figures), high=max(figures))


def ratio(over: Sequence[float], under: Sequence[float]) -> Spread:
    """The ratio of the medians, and the smallest and the largest ratio of two figures of one round.

    The figures of a round were taken one after the other, so their ratio holds when the machine's speed drifts. The
    ratio of the medians may lie outside that span, when a slow round of the one met a quick round of the other.
    """
    paired = [one / other for one, other in zip(over, under, strict=True)]
    return Spread(median=spread(over).median / spread(under).median, low=min(paired), high=max(paired))
