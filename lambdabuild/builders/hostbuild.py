"""Folders and commits built into wheels on this machine, which is not the target: nothing may be compiled for it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from lambdabuild import uv
from lambdabuild.builders.base import WheelBuild
from lambdabuild.builders.failures import KeepLog, build_failure
from lambdabuild.builders.trees import TreeFile, build_environment, build_input
from lambdabuild.errors import BuildError
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.forwarding import forwarded_without_credentials, without_indexes
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Target
from lambdabuild.model.wheels import tags_of, wheel_tags
from lambdabuild.wheels.built import check_built


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
    """Build a wheel from a copy into a folder, which is for this alone.

    Raises BuildError when it cannot be built or is not for any platform, and what ``build_input`` raises.
    """
    pin = order.pin
    listen(Event(phase="build", text=f"building {pin} from source"))
    source = build_input(pin, environ, without=output)
    write_files(folder / "source", source.files)
    command = uv.wheel_command(f"source/{source.path}", str(folder), python=sys.executable)
    done = uv.run(uv_binary, command, cwd=folder, environ={**_without_logins(environ), **build_environment(pin)})
    if done.returncode != 0:
        failure = uv.failure(f"building {pin}", done.stderr)
        raise build_failure(pin, done.stderr, keep_log=keep_log) if type(failure) is BuildError else failure
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise BuildError(f"building {pin} gave {len(wheels)} wheels in place of one")
    (wheel,) = wheels
    tags = tags_of(wheel.name)
    if not all(tag.abi == "none" and tag.platform == "any" for tag in tags):
        raise _refuse_binary(pin, ", ".join(sorted(map(str, tags))), order.target)
    if tags.isdisjoint(wheel_tags(order.target)):
        raise _refuse_binary(pin, "a wheel of its own Python", order.target)
    check_built(wheel.name, pin, order.target)
    return wheel


def _without_logins(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for what runs code of distributions."""
    others = {name: value for name, value in without_indexes(environ).items() if name != "NETRC"}
    return others | forwarded_without_credentials(environ)


def write_files(folder: Path, files: Iterable[TreeFile]) -> None:
    for path, mode, content in files:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            file.mkdir(exist_ok=True)
        else:
            file.write_bytes(content)
            file.chmod(mode)


def _refuse_binary(pin: Pin, made: str, target: Target) -> BuildError:
    """What this machine compiled does not run in the target."""
    return BuildError(
        f"{pin} compiles to {made} on this machine, which is not {target}",
        hint="build in the Lambda image: --builder docker",
    )
