"""The kept form of a wheel's index."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lambdabuild.memberfile import Place, format_members, parse_members
from lambdabuild.model.facts import facts_document, parse_facts
from lambdabuild.wheels.index import WheelIndex
from lambdabuild.wheels.launchers import Launcher
from lambdabuild.zipformat import COMPRESSOR

INDEX_FORMAT = 4
"""Raised whenever the same wheel would give another index: other rules, facts or fields."""


def index_key(wheel_sha256: str) -> str:
    """The name of an index in the cache, hex: it depends on the wheel, on the format and on what packs members anew."""
    return hashlib.sha256(f"wheel index {INDEX_FORMAT}\n{COMPRESSOR}\n{wheel_sha256}".encode()).hexdigest()


def format_index(index: WheelIndex, wheel: Path) -> bytes:
    """The kept form of a wheel's index."""
    document = {
        "name": index.name,
        "version": index.version,
        "requires": index.requires,
        "requires_python": index.requires_python,
        "record": index.record,
        "launchers": [[one.path, one.mode, one.versioned, one.body.decode("latin-1")] for one in index.launchers],
        "facts": facts_document(index.facts),
    }
    return format_members(document, index.members, wheel=wheel)


def parse_index(content: bytes, place: Place, wheel: Path) -> WheelIndex:
    """The index of a kept form that lies there."""
    document, members = parse_members(content, place, wheel=wheel)
    return WheelIndex(
        name=document["name"],
        version=document["version"],
        requires=tuple(document["requires"]),
        requires_python=document["requires_python"],
        record=document["record"],
        members=members,
        launchers=tuple(
            Launcher(path=path, mode=mode, versioned=versioned, body=text.encode("latin-1"))
            for path, mode, versioned, text in document["launchers"]
        ),
        facts=parse_facts(document["facts"]),
    )
