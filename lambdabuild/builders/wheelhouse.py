"""Wheels where a container can read them: lent as links in a folder where the engine is near, else sent there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lambdabuild.builders.container import WORK, Container
from lambdabuild.builders.engine import Engine
from lambdabuild.builders.execution import Ran
from lambdabuild.builders.handover import Handover
from lambdabuild.builders.trees import folder_entries
from lambdabuild.wheels.wheelfile import WheelFile

_LENT = "/lambdabuild/wheels"
_SENT = "wheels"


def loans(engine: Engine, handover: Handover, folder: Path) -> Mapping[str, Path]:
    """What a container is lent, with a folder to which wheels are linked."""
    folder.chmod(0o755)
    return {**handover.loans(), _LENT: folder} if engine.near else {}


@dataclass(frozen=True, slots=True)
class Wheelhouse:
    """The wheels of one container; ``folder`` is what it was lent."""

    container: Container
    folder: Path

    def run(self, name: str, wheels: Sequence[WheelFile], install: Callable[[list[str]], Ran]) -> Ran:
        """Run a command that is told the paths of wheels in the container, below a new folder of this name."""
        if self.container.lent and self._link(name, wheels):
            ran = install([f"{_LENT}/{name}/{wheel.filename}" for wheel in wheels])
            if ran.returncode == 0:
                return ran  # else a machine's policy (SELinux) may keep what is lent from the container
        self.container.put(WORK, folder_entries(_SENT, f"{_SENT}/{name}"))
        self.container.put(WORK, ((f"{_SENT}/{name}/{one.filename}", 0o400, one.path.read_bytes()) for one in wheels))
        return install([f"{WORK}/{_SENT}/{name}/{wheel.filename}" for wheel in wheels])

    def _link(self, name: str, wheels: Sequence[WheelFile]) -> bool:
        """Whether the disk has links for them all."""
        try:
            (self.folder / name).mkdir(mode=0o755)
            (self.folder / name).chmod(0o755)
            for wheel in wheels:
                (self.folder / name / wheel.filename).hardlink_to(wheel.path)
        except OSError:
            return False
        return True
