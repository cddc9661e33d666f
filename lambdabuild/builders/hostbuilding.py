"""Folders and repositories built into wheels on this machine, as ``uv build`` does it, when that compiles nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from email.parser import BytesHeaderParser
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from lambdabuild import uv
from lambdabuild.builders.base import WheelBuild
from lambdabuild.builders.failures import KeepLog, build_failure
from lambdabuild.builders.trees import TreeFile, build_environment, build_input
from lambdabuild.errors import BuildError
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.forwarding import forwarded_without_credentials, without_indexes
from lambdabuild.model.runtimes import allows
from lambdabuild.model.wheels import tags_of
from lambdabuild.wheels.built import check_built
from lambdabuild.wheels.content import read_content
from lambdabuild.wheels.wheelzip import read_members


def build_on_host(
    order: WheelBuild,
    *,
    uv_binary: Path,
    environ: Mapping[str, str],
    output: Path | None,
    keep_log: KeepLog,
    folder: Path,
    listen: Listener,
) -> Path:
    """Build a wheel from a copy of its source, in a folder that is for this alone; it sees no logins.

    Raises BuildError when that fails, or gives what only this machine can run.
    """
    pin, made = order.pin, folder / "made"
    listen(Event(phase="build", text=f"building {pin} from source"))
    source = build_input(pin, environ, without=output)
    write_files(folder / "source", source.files)
    argv = uv.build_command(f"./source/{source.path}", str(made), python=sys.executable)
    done = uv.run(uv_binary, argv, cwd=folder, environ=_without_logins(environ) | build_environment(pin))
    if done.returncode != 0:
        failure = uv.failure(f"building {pin}", done.stderr)
        raise build_failure(pin, done.stderr, keep_log=keep_log) if type(failure) is BuildError else failure
    wheels = sorted(made.glob("*.whl"))
    if len(wheels) != 1:
        raise BuildError(f"building {pin} gave {len(wheels)} wheels", hint="mend its build, or leave it out")
    tags = sorted(map(str, tags_of(wheels[0].name)))
    if not all(tag.endswith("-none-any") for tag in tags):
        raise BuildError(
            f"{pin} compiles to {', '.join(tags)} on this machine, which is not {order.target}",
            hint="build in the Lambda image: --builder docker",
        )
    check_built(wheels[0].name, pin, order.target)
    _check_python(order, wheels[0])
    return wheels[0]


def write_files(folder: Path, files: Iterable[TreeFile]) -> None:
    """Write files and folders below a folder."""
    for path, mode, content in files:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            file.mkdir(exist_ok=True)
        else:
            file.write_bytes(content)
            file.chmod(mode)


def _without_logins(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for what runs code of distributions."""
    others = {name: value for name, value in without_indexes(environ).items() if name != "NETRC"}
    return others | forwarded_without_credentials(environ)


def _check_python(order: WheelBuild, wheel: Path) -> None:
    """Whether the wheel is for the target's Python, and not only for the one that built it."""
    descriptor = os.open(wheel, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for member in read_members(descriptor, wheel.name):
            if member.name.endswith(".dist-info/METADATA"):
                metadata = BytesHeaderParser().parsebytes(bytes(read_content(descriptor, member, wheel.name)))
                requires = SpecifierSet(str(metadata.get("Requires-Python", "")))
                if not allows(requires, order.target.runtime):
                    raise BuildError(f"{order.pin} is for Python {requires}, and {order.target} has none of these")
    except InvalidSpecifier as error:
        raise BuildError(f"{order.pin}: its Requires-Python cannot be read: {error}") from error
    finally:
        os.close(descriptor)
