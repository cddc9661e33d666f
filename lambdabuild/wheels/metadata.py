"""What a wheel says that it is: its file name, its ``.dist-info`` folder, WHEEL and METADATA, which have to agree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from email.parser import HeaderParser

from packaging.metadata import parse_email
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from lambdabuild.wheels.names import refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Name and version of a wheel."""

    name: str
    """Normalized (PEP 503)."""
    version: Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What of METADATA is needed."""

    version: str
    requires: tuple[str, ...]
    requires_python: str


def identify(wheel: str) -> Identity:
    """What a file name says."""
    try:
        name, version, _, _ = parse_wheel_filename(wheel)
    except InvalidWheelFilename as error:
        raise refusal(wheel, "has a name that no wheel may have") from error
    return Identity(name=name, version=version)


def find_dist_info(names: Iterable[str], wheel: str, identity: Identity) -> str:
    """The one ``.dist-info`` folder at the top of the wheel, which bears its name and version."""
    tops = {name.partition("/")[0] for name in names if "/" in name}
    found = sorted(top for top in tops if top.casefold().endswith(".dist-info"))
    if len(found) != 1:
        raise refusal(wheel, f"has no .dist-info folder, or several: {', '.join(found) or 'none'}")
    name, _, version = found[0].removesuffix(".dist-info").rpartition("-")
    if not found[0].endswith(".dist-info") or not _same(name, version, identity):
        raise refusal(wheel, f"has the metadata of another distribution or version in it: {found[0]}")
    return found[0]


def check_wheel_version(content: bytes | bytearray, path: str, wheel: str) -> None:
    """Refuse what was made by rules that are not known: another major version of the format."""
    try:
        headers = HeaderParser().parsestr(bytes(content).decode())
    except UnicodeDecodeError as error:
        raise refusal(wheel, f"cannot be read: {error}", path) from None
    version = str(headers.get("Wheel-Version", "")).strip()
    major, _, minor = version.partition(".")
    if major != "1" or not (minor.isascii() and minor.isdigit()):
        raise refusal(wheel, f"has Wheel-Version {version or 'none'}, and 1.0 is what is known", path)


def read_metadata(content: bytes | bytearray, path: str, wheel: str, identity: Identity) -> Metadata:
    """The version in METADATA and what it requires; its name and version are the file name's."""
    raw = parse_email(bytes(content))[0]
    name, version = raw.get("name", ""), raw.get("version", "")
    if not _same(name, version, identity):
        told = f"{name} {version}".strip() or "nothing"
        raise refusal(wheel, f"tells of another distribution or version than the file's name: {told}", path)
    return Metadata(
        version=version, requires=tuple(raw.get("requires_dist", ())), requires_python=raw.get("requires_python", "")
    )


def _same(name: str, version: str, identity: Identity) -> bool:
    try:
        return canonicalize_name(name) == identity.name and Version(version) == identity.version
    except InvalidVersion:
        return False
