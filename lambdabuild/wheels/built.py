"""What a build gave, by its file name: the wheel that was asked for, and one that the target takes."""

from __future__ import annotations

import os
from email.parser import BytesHeaderParser
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from lambdabuild.errors import BuildError
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Target
from lambdabuild.model.wheels import tags_of, wheel_tags
from lambdabuild.wheels.content import read_content
from lambdabuild.wheels.metadata import find_dist_info, identify
from lambdabuild.wheels.names import refusal
from lambdabuild.wheels.wheelzip import read_members


def check_built(filename: str, pin: Pin, target: Target) -> None:
    """Raises PolicyError for a name that is no wheel's, BuildError for another wheel than the one that was asked for.

    A version may have a local part that the source does not tell of, as for uv.
    """
    identity = identify(filename)
    wanted = Version(pin.version) if pin.version is not None else None
    if identity.name != pin.name or wanted not in (None, identity.version, Version(identity.version.public)):
        raise BuildError(
            f"building {pin} gave another distribution or version: {filename}",
            hint="what its build backend tells is not what the lock says of it; lock it again, or leave it out",
        )
    if tags_of(filename).isdisjoint(wheel_tags(target)):
        raise BuildError(
            f"building {pin} gave a wheel that {target} does not take: {filename}",
            hint=f"choose a version of {pin.name} that has a wheel for the target, or leave it out",
        )


def check_python(wheel: Path, pin: Pin, target: Target) -> None:
    """Raises BuildError for a wheel whose metadata excludes the target's Python, PolicyError for what is no wheel."""
    descriptor = os.open(wheel, os.O_RDONLY | os.O_CLOEXEC)
    try:
        members = {member.name: member for member in read_members(descriptor, wheel.name)}
        name = f"{find_dist_info(members, wheel.name, identify(wheel.name))}/METADATA"
        if name not in members:
            raise refusal(wheel.name, f"has no {name}")
        content = read_content(descriptor, members[name], wheel.name)
    finally:
        os.close(descriptor)
    needed = str(BytesHeaderParser().parsebytes(bytes(content)).get("Requires-Python", ""))
    try:
        fits = SpecifierSet(needed).contains(f"{target.runtime.python}.0", prereleases=True)
    except InvalidSpecifier:
        fits = True  # as for installers
    if not fits:
        raise BuildError(
            f"{pin} needs Python {needed}, and {target.runtime.name} is not that",
            hint="choose another runtime, or widen its requires-python",
        )
