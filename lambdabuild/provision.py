"""Provision: the wheel of every pin, fetched or built from source, and kept in the store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, field, replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from lambdabuild.builders.base import Builder, Image, WheelBuild
from lambdabuild.cache import Cache
from lambdabuild.errors import BuildError
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Target
from lambdabuild.values import dataclass
from lambdabuild.wheels.store import WheelStore
from lambdabuild.wheels.wheelfile import WheelFile
from lambdabuild.zipformat import COMPRESSOR

if TYPE_CHECKING:
    from lambdabuild.wheels.fetch import Fetcher

_BUILT, _IMAGES = "built", "images"
_FORMAT = 1
_CHUNK = 1 << 20

Resolve = Callable[[Sequence[str], Target, str], Sequence[Pin]]
"""The pins of requirements (PEP 508) and of all that they require, for a target; the last says whose they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provided:
    """The wheel of a pin, in the store."""

    file: WheelFile
    sha256: str
    built: bool = False
    """Whether it was built from source."""
    network: bool = False
    """Whether its build could reach the network."""
    image: Image | None = None
    """What it was built in, where the builder at hand has no image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provision:
    """Brings wheels."""

    builder: Builder
    cache: Cache
    fetcher: Callable[[], Fetcher]
    """Made when something is to be fetched."""
    resolve: Resolve
    listen: Listener
    image_place: str
    """``Builder.place`` of the docker builder, whichever is at hand."""
    network: frozenset[str] = frozenset()
    """The distributions whose builds may reach the network."""
    repair: bool = False
    """Whether libraries that a build links from the image are put beside its extensions."""
    recipe: Callable[[], str] = field(default=lambda: "")
    """The digest of what makes a compiler out of an image."""
    fetching: Lock = field(default_factory=Lock)

    def find(self, pins: Iterable[Pin], target: Target, image: Image | None) -> dict[Pin, Provided]:
        """The wheels that are in the store, every byte of them checked."""
        from concurrent.futures import ThreadPoolExecutor  # an edit of code finds none

        store = WheelStore(self.cache)
        known = {pin: one for pin in pins if (one := self.recorded(pin, target, image)) is not None}
        with ThreadPoolExecutor() as pool:  # hashing lets other threads run
            paths = pool.map(store.find_whole, (one.sha256 for one in known.values()))
            found = zip(known.items(), paths, strict=True)
            return {
                pin: replace(one, file=WheelFile(path=path, filename=one.file.filename))
                for (pin, one), path in found
                if path is not None
            }

    def wheels(
        self, pins: Sequence[Pin], target: Target, image: Image | None, *, above: tuple[str, ...] = ()
    ) -> dict[Pin, Provided]:
        """The wheel of every pin; ``above`` are the distributions that are built with them.

        Raises what ``Fetcher.fetch`` and ``Builder.build`` raise, and BuildError where something requires itself to be
        built.
        """
        found = self.find(pins, target, image)
        missing = [pin for pin in pins if pin not in found]
        if image is None:
            self._refuse([pin for pin in missing if pin.kind == "sdist"])
        for pin in missing:
            if pin.kind != "wheel" and pin.name in above:
                chain = " → ".join((*above[above.index(pin.name) :], pin.name))
                raise BuildError(
                    f"{pin} has to be built from source, and its build requires itself: {chain}",
                    hint=f"choose a version of {pin.name} that has a wheel for {target}",
                )
        fetched = [pin for pin in missing if pin.kind in ("wheel", "sdist")]
        with self.fetching:  # what another target of this build fetches is not waited for as another build's
            files = self.fetcher().fetch(fetched) if fetched else {}
        for pin in missing:
            if pin.kind == "wheel":
                found[pin] = Provided(file=WheelFile(path=files[pin], filename=pin.filename), sha256=pin.sha256)
            else:
                found[pin] = self._build(pin, target, image, files.get(pin), above)
        return found

    def recorded(self, pin: Pin, target: Target, image: Image | None) -> Provided | None:
        """The wheel of a pin as far as it is known, where it would lie: it need not be in the store."""
        if pin.kind == "wheel":
            return self._place(pin.sha256, pin.filename)
        images = [image]
        if image is None and (used := recall_image(self.cache, self.image_place, target)) is not None:
            images.append(used)  # what this machine cannot build, an image may have built
        for other in images:
            known = self.cache.find_text(_BUILT, self._key(pin, target, other))
            if known is not None:
                return self._place(**json.loads(known), built=True, image=None if other is image else other)
        return None

    def _place(self, sha256: str, filename: str, **how: Any) -> Provided:
        file = WheelFile(path=WheelStore(self.cache).path(sha256), filename=filename)
        return Provided(file=file, sha256=sha256, **how)

    def _key(self, pin: Pin, target: Target, image: Image | None) -> str:
        """Of a wheel that is built: everything that its bytes depend on."""
        runtime = target.runtime
        inputs = (
            f"format {_FORMAT}",
            pin.identity,
            f"target {target} {target.uv_platform}",
            f"image {image.digest} {self.recipe()}" if image is not None else "host",
            f"network {pin.name in self.network}, repair {self.repair and (runtime.glibc, sorted(runtime.libraries))}",
            COMPRESSOR,
        )
        return hashlib.sha256("\n".join(inputs).encode()).hexdigest()

    def _refuse(self, sdists: Sequence[Pin]) -> None:
        if sdists:
            raise BuildError(
                "\n".join(str(pin.no_wheel or f"{pin} is a source distribution") for pin in sdists)
                + f"\nthe {self.builder.name} builder installs wheels only",
                hint="build in the Lambda image, where source distributions are compiled: --builder docker",
            )

    def _build(
        self, pin: Pin, target: Target, image: Image | None, sdist: Path | None, above: tuple[str, ...]
    ) -> Provided:
        """Build a wheel, unless another run has built it meanwhile."""
        from lambdabuild.wheels.repacking import repack  # only for what is built anew

        key, store = self._key(pin, target, image), WheelStore(self.cache)

        def waiting() -> None:
            self.listen(Event(phase="wait", text=f"waiting for another build of {pin}"))

        def provide(requirements: Sequence[str]) -> Sequence[WheelFile]:
            pins = self.resolve(requirements, target, f"the build of {pin}")
            wheels = self.wheels(pins, target, image, above=(*above, pin.name))
            self.listen(Event(phase="build", text=f"building {pin} from source"))
            return [one.file for one in wheels.values()]

        with self.cache.building([key], waiting=waiting):
            if (found := self.find([pin], target, image)) and not found[pin].image:
                return found[pin]
            network = image is None or pin.name in self.network  # this machine keeps it from no build
            order = WheelBuild(pin=pin, target=target, sdist=sdist, network=network, repair=self.repair)
            with self.cache.scratch() as scratch:
                wheel = self.builder.build(order, provide=provide, folder=scratch, listen=self.listen)
                packed = scratch / "repacked"
                with packed.open("xb") as out:
                    sha256 = repack(wheel, wheel.name, out)
                with packed.open("rb") as content:
                    path = store.add(sha256, iter(partial(content.read, _CHUNK), b""))
            known = {"sha256": sha256, "filename": wheel.name, "network": network}
            self.cache.store_text(_BUILT, key, json.dumps(known))
        file = WheelFile(path=path, filename=wheel.name)
        return Provided(file=file, sha256=sha256, built=True, network=network)


def recall_image(cache: Cache, place: str, target: Target) -> Image | None:
    """The image in which wheels for a target were tried last, at a builder's place."""
    try:
        return Image(**json.loads(cache.find_text(_IMAGES, _place(place, target)) or ""))
    except (TypeError, ValueError):
        return None


def remember_image(cache: Cache, place: str, target: Target, image: Image) -> None:
    cache.store_text(_IMAGES, _place(place, target), json.dumps(asdict(image)))


def _place(place: str, target: Target) -> str:
    return hashlib.sha256(f"{place} {target}".encode()).hexdigest()
