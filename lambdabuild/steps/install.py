"""Pins to segments: what the cache lacks is installed and kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial

from lambdabuild.builders.base import Builder, Image, Installation
from lambdabuild.builders.recipe import own_recipe_digest
from lambdabuild.cache import Cache
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.requirements import Pin
from lambdabuild.model.segment import Segment, segment_key
from lambdabuild.model.target import Target
from lambdabuild.zipformat import COMPRESSOR

_IMAGES = "images"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The segments of the pins of one target, and where they came from."""

    segments: Mapping[Pin, Segment]
    builder: str
    """Name of the builder, ``none`` when there was nothing to install."""
    image: Image | None
    """What they were installed in."""
    fresh: int
    """How many were not in the cache."""
    asked: bool = False
    """Whether the builder was asked for anything."""


def install(
    pins: Sequence[Pin],
    target: Target,
    *,
    builder: Builder,
    cache: Cache,
    uv_version: str,
    listen: Listener,
    refresh: bool = False,
) -> Installed:
    """The segment of every pin.

    Where the cache has them all for the image that was used last, no engine is asked for it; with ``refresh`` it is.
    Raises what ``Builder.install`` raises, and PolicyError when what was installed is not what a RECORD claims.
    """
    if not pins:
        return Installed(segments={}, builder="none", image=None, fresh=0)
    place = hashlib.sha256(f"{builder.place} {target}".encode()).hexdigest()
    used = None if refresh else _recall(cache, place)
    if used is not None:
        keys = _keys(pins, target, uv_version, used[1])
        segments = {pin: segment for pin, key in keys.items() if (segment := cache.find(key)) is not None}
        if len(segments) == len(pins):
            return Installed(segments=segments, builder=used[0], image=used[1], fresh=0)
    image = builder.image(target, listen=listen)
    if image is not None:
        _remember(cache, place, builder.name, image)
    keys = _keys(pins, target, uv_version, image)
    segments = {pin: segment for pin, key in keys.items() if (segment := cache.find(key)) is not None}
    missing = [pin for pin in pins if pin not in segments]
    made: dict[Pin, Segment] = {}
    if missing:

        def waiting() -> None:
            listen(Event(phase="wait", text="waiting for another build that installs the same distributions"))

        with cache.building([keys[pin] for pin in missing], waiting=waiting):
            segments |= {pin: segment for pin in missing if (segment := cache.find(keys[pin])) is not None}
            missing = [pin for pin in missing if pin not in segments]
            made = _install(missing, keys, target, builder=builder, cache=cache, listen=listen)
    return Installed(segments=segments | made, builder=builder.name, image=image, fresh=len(made), asked=True)


def _keys(pins: Sequence[Pin], target: Target, uv_version: str, image: Image | None) -> dict[Pin, str]:
    digest = image.digest if image else None
    key_of = partial(segment_key, uv=uv_version, compressor=COMPRESSOR, image=digest)
    compiler = None if image is None or all(pin.kind == "wheel" for pin in pins) else own_recipe_digest()
    return {pin: key_of(pin, target, recipe=None if pin.kind == "wheel" else compiler) for pin in pins}


def _recall(cache: Cache, place: str) -> tuple[str, Image] | None:
    """The builder that installed here last, and its image."""
    try:
        document = json.loads(cache.find_text(_IMAGES, place) or "")
        return document["builder"], Image(**document["image"])
    except (KeyError, TypeError, ValueError):
        return None


def _remember(cache: Cache, place: str, builder: str, image: Image) -> None:
    cache.store_text(_IMAGES, place, json.dumps({"builder": builder, "image": asdict(image)}))


def _install(
    pins: Sequence[Pin],
    keys: Mapping[Pin, str],
    target: Target,
    *,
    builder: Builder,
    cache: Cache,
    listen: Listener,
) -> dict[Pin, Segment]:
    """Install these and keep their segments under their keys."""
    from lambdabuild.segments import make_segments  # with what reads metadata and code: only for what is made anew

    segments: dict[Pin, Segment] = {}
    rooms = _wheel_rooms(pins) + tuple((pin,) for pin in pins if pin.kind != "wheel")
    while rooms:
        order = Installation(target=target, rooms=rooms)
        with cache.scratch() as scratch, (scratch / "spool").open("w+b") as spool:
            with builder.install(order, listen=listen) as files:
                made = make_segments(files, order, spool, listen=listen)
            with ThreadPoolExecutor() as pool:
                stored = pool.map(cache.store, (keys[pin] for pin in made.whole), made.whole.values())
                segments |= dict(zip(made.whole, stored, strict=True))
        rooms = tuple((pin,) for pin in made.torn)
    return segments


def _wheel_rooms(pins: Sequence[Pin]) -> tuple[tuple[Pin, ...], ...]:
    """The wheels in as few rooms as hold no distribution twice: artifacts may need different versions of it."""
    rooms: list[dict[str, Pin]] = []
    for pin in pins:
        if pin.kind != "wheel":
            continue
        room = next((room for room in rooms if pin.name not in room), None)
        if room is None:
            rooms.append(room := {})
        room[pin.name] = pin
    return tuple(tuple(room.values()) for room in rooms)
