"""What every builder can do: install wheels and tell what lies there, build wheels from source, transform files."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Protocol

from lambdabuild.errors import PolicyError
from lambdabuild.model.events import Listener
from lambdabuild.model.paths import check_path
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Target
from lambdabuild.values import dataclass
from lambdabuild.wheels.installed import LaidFile
from lambdabuild.wheels.wheelfile import WheelFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """The image that a builder installs and builds in."""

    reference: str
    digest: str
    """``sha256:…`` of the registry's manifest where it is known, else of the image's configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledFile:
    """A regular file of a tree whose folders are rooms."""

    room: int
    path: str
    """Relative to the room, with ``/``."""
    executable: bool
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelBuild:
    """An order to build the wheel of what no index serves as one: a source distribution, a folder or a commit."""

    pin: Pin
    target: Target
    sdist: Path | None = None
    """The file of a source distribution, on this machine."""
    network: bool = False
    """Whether the build may reach the network: its configuration names the distribution."""
    repair: bool = False
    """Whether shared libraries that it links from the image are put beside its extensions."""


Laid = Mapping[str, LaidFile]
"""What an installation laid down, by path."""
Provide = Callable[[Sequence[str]], Sequence[WheelFile]]
"""Gives the wheels of requirements (PEP 508) and of all that these require, for the target of a build."""

Kind = Literal["compile", "strip"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Untransformed:
    """A file that a transformation is given."""

    room: int
    path: str
    """With ``/``. To compile: where it will lie in the runtime, below ``/``. To strip: in its distribution."""
    content: bytes
    beside: bool = False
    """Whether it is there for others only: a library that they need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformation:
    """An order to make other files of files: ``compile`` Python to bytecode, ``strip`` symbols of shared objects.

    What becomes of a file depends on it, its path and the files of its room, and on nothing else in the order.
    """

    kind: Kind
    target: Target
    files: Iterable[Untransformed]
    """Read once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformed:
    """What was made of a file; there is none for a file that has nothing to gain."""

    room: int
    path: str
    """As in the order."""
    content: bytes | None = None
    note: str | None = None
    """Why there is no content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a transformation gives: the files in any order, and what they were made with."""

    version: str
    """Of the interpreter (``3.13.5``) or of strip."""
    files: Iterator[Transformed]


class Builder(Protocol):
    """Where wheels are tried and made. ``contract/`` tests hold every builder, and the fake, to this."""

    @property
    def name(self) -> str:
        """``docker`` or ``host``."""

    @property
    def place(self) -> str:
        """What decides where it installs and in which image, as far as it is known without looking."""

    def make_ready(self) -> None:
        """Begin, beside what follows, what any installation needs first; what fails tells so when it is needed."""

    def image(self, target: Target, *, listen: Listener) -> Image | None:
        """The image that wheels for the target are installed in, made ready; None where there is no container.

        Raises MachineError when it cannot be had.
        """

    def lay_down(
        self, rooms: Sequence[Sequence[WheelFile]], target: Target, *, listen: Listener
    ) -> Sequence[Laid] | None:
        """Install wheels, each room in a folder of its own, and tell what lies there; None where there is no container.

        Raises BuildError where the installer does not take a wheel, MachineError where the engine fails.
        """

    def build(self, order: WheelBuild, *, provide: Provide, folder: Path, listen: Listener) -> Path:
        """Build a wheel into a folder.

        Raises BuildError where that fails, and what reading the source raises.
        """

    def cancel(self) -> None:
        """End what runs in other threads: it raises soon."""

    def libraries(self, target: Target, *, listen: Listener) -> frozenset[str] | None:
        """File names of the shared libraries that the loader finds in the image; None where there is no container.

        Raises MachineError when the image cannot be had, or the engine fails.
        """

    def transformer(self, kind: Kind, target: Target, *, listen: Listener) -> str:
        """What transforms, as far as its results depend on it: part of the keys under which they are kept.

        Raises BuildError or MachineError where it cannot be had.
        """

    def transform(self, order: Transformation, *, listen: Listener) -> AbstractContextManager[Outcome]:
        """Transform files; leaving the context removes all that this made. Raises what ``transformer`` raises."""


def place_of(image: str, environ: Mapping[str, str]) -> str:
    """Of installations in an image, a reference with ``{python}`` and ``{architecture}``, on the engine at hand."""
    where = [f"{name}={environ[name]}" for name in ("DOCKER_HOST", "DOCKER_CONTEXT") if environ.get(name)]
    return " ".join(("docker", image, *where))


def room_folder(room: int) -> str:
    """The folder name of a room."""
    return f"room-{room}"


def installed_file(name: str, mode: int, content: bytes, *, rooms: int) -> InstalledFile:
    """A file of a tree, at a path that begins with the folder of a room.

    Raises PolicyError for anything that a wheel cannot hold or an archive may not: links, devices, pipes, paths that
    leave the room, names that are not UTF-8.
    """
    folder, _, path = name.partition("/")
    room = next((room for room in range(rooms) if room_folder(room) == folder), None)
    if room is None or not stat.S_ISREG(mode):
        raise PolicyError(f"{name!r} in the installed tree is not a regular file of a distribution")
    check_path(path)
    return InstalledFile(room=room, path=path, executable=bool(mode & 0o100), content=content)


def counted(distributions: int) -> str:
    """A number of distributions, in words for a progress line."""
    return f"{distributions} distribution" + "s" * (distributions != 1)
