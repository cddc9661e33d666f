"""Pins to what they install: their wheels are read, and beside that installed in the image and compared with it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from lambdabuild.builders.base import Image, Laid
from lambdabuild.cache import KEPT_AT, Cache
from lambdabuild.errors import BuildError, PolicyError
from lambdabuild.memberfile import Place
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.requirements import Pin
from lambdabuild.model.runtimes import fits
from lambdabuild.model.segment import Segment
from lambdabuild.model.target import Target
from lambdabuild.provision import Provided, Provision, recall_image, remember_image
from lambdabuild.values import dataclass
from lambdabuild.wheels.index import WheelIndex, installed
from lambdabuild.wheels.indexfile import INDEX_FORMAT, format_index, index_key, parse_index
from lambdabuild.wheels.wheelfile import WheelFile

_INDEXES, _COMPARED = "indexes", "compared"
_MUCH = 1 << 20
"""Bytes that members which were packed anew may take in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What the pins of one target install, and where that was tried."""

    segments: Mapping[Pin, Segment]
    builder: str
    """Name of the builder, ``none`` when there was nothing to install."""
    image: Image | None
    """What they were installed in, and compared with."""
    fresh: int
    """How many were not known yet."""
    asked: bool = False
    """Whether the builder was asked for anything."""
    built: Mapping[Pin, Provided]
    """Those that were built from source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A wheel that is in the store, read, and compared where there is an image."""

    wheel: Provided
    index: WheelIndex


def install(
    pins: Sequence[Pin], target: Target, *, provision: Provision, uv_version: str, refresh: bool = False
) -> Installed:
    """What every pin installs.

    Where all is known for the image that was used last, no engine is asked for it; with ``refresh`` it is. Raises what
    ``Provision.wheels`` and ``Builder.lay_down`` raise, and PolicyError for a wheel that is not what it claims, or of
    which the image makes something else.
    """
    cache, builder = provision.cache, provision.builder
    if not pins:
        return Installed(segments={}, builder="none", image=None, fresh=0, built={})
    work = _Work(target, provision, uv_version)
    on_host = builder.place == "host"
    used = None if refresh or on_host else recall_image(cache, provision.image_place, target)
    if used is not None or on_host:
        known = work.find(pins, used)
        if len(known) == len(pins):
            name = "docker" if builder.name == "auto" else builder.name  # whichever had an image
            return _installed(known, target, builder=name, image=used, fresh=0)
    image = builder.image(target, listen=provision.listen)
    if image is not None:
        remember_image(cache, provision.image_place, target, image)
    known = work.find(pins, image)
    missing = [pin for pin in pins if pin not in known]
    made: dict[Pin, _Known] = {}
    if missing:

        def waiting() -> None:
            provision.listen(Event(phase="wait", text="waiting for another build that installs the same distributions"))

        with cache.building([work.claim(pin, image) for pin in missing], waiting=waiting):
            known |= work.find(missing, image)
            made = work.make([pin for pin in missing if pin not in known], image)
    return _installed(known | made, target, builder=builder.name, image=image, fresh=len(made), asked=True)


def _installed(
    known: Mapping[Pin, _Known], target: Target, *, builder: str, image: Image | None, fresh: int, asked: bool = False
) -> Installed:
    return Installed(
        segments={pin: installed(one.index, target.runtime.python) for pin, one in known.items()},
        builder=builder,
        image=image,
        fresh=fresh,
        asked=asked,
        built={pin: one.wheel for pin, one in known.items() if one.wheel.built},
    )


@dataclass(frozen=True, slots=True)
class _Work:
    """Of one target."""

    target: Target
    provision: Provision
    uv_version: str

    @property
    def cache(self) -> Cache:
        return self.provision.cache

    @property
    def listen(self) -> Listener:
        return self.provision.listen

    def claim(self, pin: Pin, image: Image | None) -> str:
        """A name for this work, equal in every run."""
        return hashlib.sha256(f"{pin.identity} {self.target} {image.digest if image else '-'}".encode()).hexdigest()

    def find(self, pins: Sequence[Pin], image: Image | None) -> dict[Pin, _Known]:
        """What is known of the pins."""
        compared = [pin for pin in pins if self._may_be_known(pin, image)]
        known = {}
        for pin, wheel in self.provision.find(compared, self.target, image).items():
            index = self._read_index(wheel)
            if index is not None:
                self._check_python(pin, index)
                known[pin] = _Known(wheel=wheel, index=index)
        return known

    def _may_be_known(self, pin: Pin, image: Image | None) -> bool:
        """Whether all is there, as far as can be told without reading it."""
        wheel = self.provision.recorded(pin, self.target, image)
        if wheel is None or not self.cache.path(_INDEXES, index_key(wheel.sha256)).exists():
            return False
        return self._is_compared(wheel.sha256, image)

    def make(self, pins: Sequence[Pin], image: Image | None) -> dict[Pin, _Known]:
        """Provide these, and find out what is not known of them: their members are read beside their installation."""
        if not pins:
            return {}
        wheels = self.provision.wheels(pins, self.target, image)
        new = {pin: wheel for pin, wheel in wheels.items() if not self._is_compared(wheel.sha256, image)}
        with ThreadPoolExecutor(1) as pool:
            rooms = _rooms(new)
            files = [[new[pin].file for pin in room] for room in rooms]
            laying = pool.submit(self._lay_down, files) if files else None
            try:
                known = dict(zip(wheels, self._read(wheels), strict=True))
                if laying is not None:
                    self._compare(rooms, known, laying, image)
            except BaseException:
                self.provision.builder.cancel()
                raise
        return known

    def _lay_down(self, files: Sequence[Sequence[WheelFile]]) -> Sequence[Laid] | None:
        return self.provision.builder.lay_down(files, self.target, listen=self.listen)

    def _read_index(self, wheel: Provided) -> WheelIndex | None:
        key = index_key(wheel.sha256)
        content = self.cache.find_bytes(_INDEXES, key)
        if content is None:
            return None
        return parse_index(content, Place(self.cache.path(_INDEXES, key), KEPT_AT), wheel.file.path)

    def _read(self, wheels: Mapping[Pin, Provided]) -> Iterator[_Known]:
        """The index of every wheel, in their order; those that are read anew are kept."""
        from lambdabuild.inspection import inspect  # with what reads code and binaries: only for what is new
        from lambdabuild.wheels.index import index_wheels

        kept = {pin: self._read_index(wheel) for pin, wheel in wheels.items()}
        new = [wheel for pin, wheel in wheels.items() if kept[pin] is None]
        sizes = [wheel.file.path.stat().st_size for wheel in new]
        reading = index_wheels((wheel.file for wheel in new), inspect=inspect)
        done = 0
        if new:
            self.listen(Event(phase="index", text="reading wheels"))
        for pin, wheel in wheels.items():
            index = kept[pin]
            if index is None:
                index = next(reading)
                self.cache.store_bytes(_INDEXES, index_key(wheel.sha256), format_index(index, wheel.file.path))
                if index.packed > _MUCH:
                    index = self._read_index(wheel) or index  # which points into the cache
                done += sizes.pop(0)
                self.listen(Event(phase="index", text="reading wheels", done=done))
            if index.name != pin.name:
                raise PolicyError(
                    f"{pin}: the lock gives {wheel.file.filename}, which is another distribution", hint="lock again"
                )
            self._check_python(pin, index)
            yield _Known(wheel=wheel, index=index)

    def _check_python(self, pin: Pin, index: WheelIndex) -> None:
        """Raises BuildError for a wheel that is not for the target's Python, as its own metadata tells."""
        from packaging.specifiers import InvalidSpecifier

        try:
            fitting = not index.requires_python or fits(index.requires_python, self.target.runtime)
        except InvalidSpecifier:
            fitting = True  # as for pip: what cannot be read excludes nothing
        if not fitting:
            raise BuildError(
                f"{pin} needs Python {index.requires_python}, and {self.target.runtime.name} is not that",
                hint="choose another runtime, or another version of it",
            )

    def _is_compared(self, sha256: str, image: Image | None) -> bool:
        return image is None or self.cache.find_text(_COMPARED, self._compared_key(sha256, image)) is not None

    def _compared_key(self, sha256: str, image: Image) -> str:
        inputs = (sha256, str(self.target), image.digest, f"index {INDEX_FORMAT}", f"uv {self.uv_version}")
        return hashlib.sha256("\n".join(inputs).encode()).hexdigest()

    def _compare(
        self,
        rooms: Sequence[Sequence[Pin]],
        known: Mapping[Pin, _Known],
        laying: Future[Sequence[Laid] | None],
        image: Image | None,
    ) -> None:
        """Hold what the image laid down against the indexes; raises PolicyError where they differ."""
        from lambdabuild.wheels.installed import expected, find_differences

        self.listen(Event(phase="install", text="waiting for the installation"))  # not a matter of what was read
        listings = laying.result()
        if listings is None or image is None:
            return
        self.listen(Event(phase="compare", text="comparing what was installed"))
        python = self.target.runtime.python
        for room, laid in zip(rooms, listings, strict=True):
            wheels = [expected(installed(known[pin].index, python)) for pin in room]
            differences = list(find_differences(wheels, laid))
            if differences:
                raise PolicyError(
                    f"what uv installs in {image.reference} is not what would be packaged:\n  "
                    + "\n  ".join(differences),
                    hint="choose another version of the distribution; if it is sound, this is a fault of lambdabuild's",
                )
        for room in rooms:
            for pin in room:
                self.cache.store_text(_COMPARED, self._compared_key(known[pin].wheel.sha256, image), image.reference)


def _rooms(pins: Iterable[Pin]) -> list[list[Pin]]:
    """The pins in as few rooms as hold no distribution twice: artifacts may need different versions of it."""
    rooms: list[dict[str, Pin]] = []
    for pin in pins:
        room = next((room for room in rooms if pin.name not in room), None)
        if room is None:
            rooms.append(room := {})
        room[pin.name] = pin
    return [list(room.values()) for room in rooms]
