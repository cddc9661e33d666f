"""What every builder can do: install pinned distributions and stream the files that this gives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from lambdabuild.model.events import Listener
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """The image that a builder installs in."""

    reference: str
    digest: str
    """``sha256:…`` of the registry's manifest where it is known, else of the image's configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """An order to install: each room is a folder of its own, holding wheels, or one distribution that is built."""

    target: Target
    rooms: tuple[tuple[Pin, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledFile:
    """A regular file of an installed tree."""

    room: int
    path: str
    """Relative to the room, with ``/``."""
    executable: bool
    content: bytes


class Builder(Protocol):
    """Where installations run. ``contract/`` tests hold every builder, and the fake, to this."""

    @property
    def name(self) -> str:
        """``docker`` or ``host``."""

    def image(self, target: Target, *, listen: Listener) -> Image | None:
        """The image that installations for the target run in, made ready; None where there is no container.

        Raises MachineError when it cannot be had.
        """

    def install(self, order: Installation, *, listen: Listener) -> AbstractContextManager[Iterator[InstalledFile]]:
        """Install and give the files in any order; leaving the context removes all that the installation made.

        Raises BuildError when uv or a build fails, PolicyError for a refused hash or file, MachineError when the
        engine, the network or the disk fails.
        """


def room_folder(room: int) -> str:
    """The folder name of a room."""
    return f"room-{room}"


def room_pylock(room: int) -> str:
    """The name of a room's lock, in the form that uv accepts."""
    return f"pylock.room-{room}.toml"


FILES = "files"
"""The folder, beside the locks, of the wheels that no index serves."""


def counted(distributions: int) -> str:
    """A number of distributions, in words for a progress line."""
    return f"{distributions} distribution" + "s" * (distributions != 1)
