"""What a build gave, by its file name: the wheel that was asked for, and one that the target takes."""

from __future__ import annotations

from packaging.version import Version

from lambdabuild.errors import BuildError
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Target
from lambdabuild.model.wheels import tags_of, wheel_tags
from lambdabuild.wheels.metadata import identify


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
