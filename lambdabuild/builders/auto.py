"""The builder that nobody has to choose: Docker where it can build for the target, otherwise the host, where it may."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Lock, Thread

from lambdabuild.builders.base import Builder, Image, Kind, Laid, Outcome, Provide, Transformation, WheelBuild
from lambdabuild.errors import ChoiceError, MachineError
from lambdabuild.model.events import Listener
from lambdabuild.model.target import Target
from lambdabuild.wheels.wheelfile import WheelFile


class AutoBuilder:
    """Decides when it is first needed, and tells why when it is not Docker; until then nothing of Docker is loaded."""

    def __init__(
        self,
        *,
        docker: Callable[[], Builder],
        host: Callable[[], Builder] | None,
        place: str,
        notice: Callable[[str], None],
    ) -> None:
        """``place`` is that of the builder that ``docker`` makes; without ``host`` it has to be Docker."""
        self._make_docker = docker
        self._host = host
        self._notice = notice
        self._place = place
        self._docker: Builder | None = None
        self._chosen: Builder | None = None
        self._making, self._deciding = Lock(), Lock()

    @property
    def name(self) -> str:
        if self._chosen is not None:
            return self._chosen.name
        return "docker" if self._host is None else "auto"

    @property
    def place(self) -> str:
        return self._place if self._host is None else f"auto {self._place}"

    def make_ready(self) -> None:
        # Loading what speaks to an engine takes longer than connecting; who ends early does not wait for either.
        Thread(target=lambda: self._get_docker().make_ready(), name="connect", daemon=True).start()

    def _get_docker(self) -> Builder:
        with self._making:
            if self._docker is None:
                self._docker = self._make_docker()
            return self._docker

    def image(self, target: Target, *, listen: Listener) -> Image | None:
        with self._deciding:
            if self._chosen is None:
                return self._decide(target, listen)
        return self._chosen.image(target, listen=listen)

    def _decide(self, target: Target, listen: Listener) -> Image | None:
        docker = self._get_docker()
        try:
            image = docker.image(target, listen=listen)
        except MachineError as error:
            if self._host is None or isinstance(error, ChoiceError):
                raise
            self._notice(
                f"building on this machine, not in the Lambda image: {error.message}\n"
                "  The same wheels give the same bytes; source distributions cannot be built this way."
            )
            self._chosen = self._host()
            return self._chosen.image(target, listen=listen)
        self._chosen = docker
        return image

    def lay_down(
        self, rooms: Sequence[Sequence[WheelFile]], target: Target, *, listen: Listener
    ) -> Sequence[Laid] | None:
        return self._decided(target, listen).lay_down(rooms, target, listen=listen)

    def build(self, order: WheelBuild, *, provide: Provide, folder: Path, listen: Listener) -> Path:
        return self._decided(order.target, listen).build(order, provide=provide, folder=folder, listen=listen)

    def cancel(self) -> None:
        if self._chosen is not None:
            self._chosen.cancel()

    def libraries(self, target: Target, *, listen: Listener) -> frozenset[str] | None:
        return self._decided(target, listen).libraries(target, listen=listen)

    def transformer(self, kind: Kind, target: Target, *, listen: Listener) -> str:
        return self._decided(target, listen).transformer(kind, target, listen=listen)

    def transform(self, order: Transformation, *, listen: Listener) -> AbstractContextManager[Outcome]:
        return self._decided(order.target, listen).transform(order, listen=listen)

    def _decided(self, target: Target, listen: Listener) -> Builder:
        if self._chosen is None:
            self.image(target, listen=listen)
        assert self._chosen is not None
        return self._chosen
