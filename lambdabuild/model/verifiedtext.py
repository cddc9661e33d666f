"""A verification in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lambdabuild.model.verification import Row, Verification, VerifiedArtifact


def summary(verification: Verification) -> str:
    """``verified: 3 handlers, 14 modules in the python3.13 image, 2.1 s``."""
    rows = [row for artifact in verification.artifacts for row in artifact.rows]
    images = " and ".join(verification.images)
    line = f"{counted(rows)} in the {images} image{'s' * (len(verification.images) > 1)}"
    broken = sum(row.status == "broken" for row in rows)
    if broken:
        return f"not verified: {broken} of {line}, {verification.seconds:.1f} s"
    if all(artifact.remembered for artifact in verification.artifacts):
        return f"verified before, unchanged: {line}"
    return f"verified: {line}, {verification.seconds:.1f} s"


def savings(verification: Verification) -> Iterator[str]:
    """A line with the time of the processor that bytecode saves, where it was measured."""
    told = [
        f"{artifact.file} {row.compiled:.2f} s instead of {row.uncompiled:.2f} s"
        for artifact in verification.artifacts
        for row in artifact.rows
        if row.compiled is not None and row.uncompiled is not None
    ]
    if told:
        yield f"with bytecode the handlers' imports take, of the processor: {', '.join(told)}"


def counted(rows: list[Row]) -> str:
    """``3 handlers (1 not to the end), 14 modules``; only handlers can be unmet."""
    handlers = sum(row.handler for row in rows)
    unmet = sum(row.status == "unmet" for row in rows)
    counts = (
        (handlers, "handler", f" ({unmet} not to the end)" if unmet else ""),
        (len(rows) - handlers, "module", ""),
    )
    return ", ".join(f"{count} {what}{'s' * (count != 1)}{more}" for count, what, more in counts if count) or "nothing"


def notes(verification: Verification | None, *, why_not: str | None) -> Iterator[str]:
    """What was not tried and why, and the optional modules, a line for each artifact that has some."""
    if why_not is not None:
        yield f"not verified: {why_not}"
    if verification is None:
        return
    for untried in verification.untried:
        yield f"{untried.file} is not verified: its layer {untried.layer} is of others, and not known here"
    for artifact in verification.artifacts:
        rows = [row for row in artifact.rows if row.status == "optional"]
        if rows:
            told = "".join(f"\n  {_named(row)}: {row.message}" for row in rows)
            yield f"{artifact.file} has modules that cannot be imported without slimming either:{told}"


def table(artifact: VerifiedArtifact) -> Iterator[str]:
    """The artifact, and a line for each import."""
    yield f"  {artifact.file}" + (" (tried before)" if artifact.remembered else "")
    width = max((len(_named(row)) for row in artifact.rows), default=0)
    for row in artifact.rows:
        told = row.status if row.message is None else f"{row.status}: {row.message.partition(chr(10))[0]}"
        yield f"    {_named(row):<{width}}  {row.seconds:>6.2f} s  {told}"


def _named(row: Row) -> str:
    return f"{row.name} (handler)" if row.handler else f"{row.name} ({row.owner})" if row.owner else row.name
