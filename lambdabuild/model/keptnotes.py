"""What was kept by evidence, told in a line: enough to know that it is right; the JSON report tells all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lambdabuild.model.limits import format_size

if TYPE_CHECKING:
    from lambdabuild.model.slimming import Kept

_FEW = 3
"""How many names are listed."""


def kept_note(file: str, kept: Sequence[Kept]) -> str:
    """``layer.zip keeps metadata of click (3.1 kB): …``, with a reason that holds for all of it where there is one."""
    metadata = [one for one in kept if one.kind == "metadata"]
    tests = [one for one in kept if one.kind == "tests"]
    parts = []
    if metadata:
        parts.append(_part(f"metadata of {_listed([one.distribution for one in metadata])}", metadata))
    if tests:
        modules = sum(len(one.files) for one in tests)
        count = "1 test module" if modules == 1 else f"{modules} test modules"
        parts.append(_part(f"{count} of {_listed([one.distribution for one in tests])}", tests))
    more = "" if all(len(one.reasons) == 1 for one in kept) and len(kept) == len(parts) else "; --json tells more"
    return f"{file} keeps {' and '.join(parts)}{more}"


def _part(what: str, kept: Sequence[Kept]) -> str:
    shared = next((reason for reason in kept[0].reasons if all(reason in one.reasons for one in kept)), None)
    size = format_size(sum(one.size for one in kept))
    return f"{what} ({size}{f', {shared}' if shared else ''})"


def _listed(names: Sequence[str]) -> str:
    if len(names) > _FEW:
        return f"{len(names)} distributions"
    return ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else names[0]
