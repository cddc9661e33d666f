"""From how imports went to what is said of them: breakage, and by whose doing, or nothing to worry about."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lambdabuild.model.hints import Surroundings, general_hint, is_binary_failure
from lambdabuild.model.limits import Finding
from lambdabuild.model.removal import keep_line
from lambdabuild.model.target import Target
from lambdabuild.model.tree import SOURCES
from lambdabuild.model.typed import key_path
from lambdabuild.model.unmet import Need, find_unmet_need
from lambdabuild.model.verification import Failure, Place, Removed, Row, Status, Tried

_PLACES = 3
_MESSAGE_LINES = 5
_LOG_LINES = 5
_PASSING = ("MemoryError", "TimeoutError")
"""Exceptions that another machine, or another day, may not raise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One import of a finished artifact, and all that can be told of it."""

    file: str
    name: str
    """Of the artifact."""
    handler: bool
    owner: str | None
    """The distribution that the module comes from; None for the project's own."""
    target: Target
    slim: Tried
    """As the artifact is."""
    full: Tried | None = None
    """With all that rules left out; None where that could not be tried, or needed not be."""
    untold: str | None = None
    """Why it could not."""


def judge(case: Case, around: Surroundings) -> tuple[Row, Finding | None]:
    """A row for the report, and what there is to say where all is not well."""
    failure = case.slim.failure
    if failure is None:
        return _row(case, "ok"), None
    told = _told(failure, case.slim.seconds)
    need = find_unmet_need(failure)
    if case.handler and need is not None:
        finding = Finding(
            severity="warning",
            code="import-unmet",
            message=f"{case.file}: {_subject(case)} was not imported to its end, because it needs {need.text}: {told}",
            hint=_unmet_hint(case, need),
        )
        return _row(case, "unmet", told), finding
    works_whole = case.full is not None and case.full.failure is None
    if not case.handler and case.full is not None and is_optional(case.full):
        return _row(case, "optional", told), None
    lines = [f"{case.file}: {_subject(case)} cannot be imported in the {case.target.runtime.name} image: {told}"]
    lines += _where(failure, around.owners)
    culprits = find_culprits(case.full, around) if case.full is not None and works_whole else ()
    lines += _left_out(culprits)
    if case.untold is not None:
        lines.append(f"  whether it can without slimming was not tried: {case.untold}")
    hint = _hint(case, failure, culprits, around)
    return _row(case, "broken", told), Finding(
        severity="error", code="import-failed", message="\n".join(lines), hint=hint
    )


def is_lasting(case: Case, finding: Finding) -> bool:
    """Whether a refusal follows from what is in the archives alone, so that it needs not be tried again.

    How much time and memory there was, and whether it can be told what was left out, does not.
    """
    failure = case.slim.failure
    if finding.severity != "error" or failure is None or case.untold is not None:
        return False
    return failure.kind in ("raised", "exited") and failure.type not in _PASSING and failure.signal != "SIGKILL"


def find_culprits(full: Tried, around: Surroundings) -> tuple[Removed, ...]:
    """What a successful import opened that is not in the artifact: a file, or else all of a folder."""
    opened = [around.removed[path] for path in full.opened if path in around.removed and not _is_bytecode(path)]
    if opened:
        return tuple(dict.fromkeys(opened))
    gone = {path for path in full.opened if not any(there.startswith(f"{path}/") for there in around.owners)}
    return tuple(
        removed
        for path, removed in around.removed.items()
        if any(path.startswith(f"{folder}/") for folder in gone) and not _is_bytecode(path)
    )


def is_optional(full: Tried) -> bool:
    """Whether it is no loss that an import fails: it does with nothing left out, and no binary is at fault."""
    return full.failure is not None and not is_binary_failure(full.failure)


def _is_bytecode(path: str) -> bool:
    return "/__pycache__/" in path


def _row(case: Case, status: Status, message: str | None = None) -> Row:
    return Row(
        name=case.slim.name,
        handler=case.handler,
        owner=case.owner,
        status=status,
        seconds=case.slim.seconds,
        message=message,
        compiled=case.slim.compiled,
        uncompiled=case.slim.uncompiled,
    )


def _subject(case: Case) -> str:
    if case.handler:
        return f"the handler {case.slim.name}"
    return f"{case.slim.name} of {case.owner}" if case.owner else case.slim.name


def _told(failure: Failure, seconds: float) -> str:
    if failure.kind == "timeout":
        return f"it did not end within {seconds:.0f} s"
    if failure.kind == "exited":
        if failure.status < 0:
            return f"the interpreter was killed by {failure.signal}"
        return f"the interpreter ended with exit status {failure.status}"
    first, *rest = failure.message.strip().splitlines()[:_MESSAGE_LINES] or [""]
    return "\n  ".join([f"{failure.type}: {first}" if first else failure.type, *rest])


def _where(failure: Failure, owners: Mapping[str, str]) -> list[str]:
    """The innermost places in the artifact; or else what was written last."""
    if failure.places:
        return [_place(place, owners) for place in failure.places[-_PLACES:]]
    return [f"  | {line}" for line in failure.log[-_LOG_LINES:]] if failure.kind != "raised" else []


def _place(place: Place, owners: Mapping[str, str]) -> str:
    owner = owners.get(place.file, SOURCES)
    of = "" if owner == SOURCES else f" of {owner}"
    return f"  at {place.file}:{place.line}{of}" + (f": {place.text}" if place.text else "")


def _left_out(culprits: Collection[Removed]) -> list[str]:
    """The rules at fault, each with the first of the files that it left out of each distribution."""
    by_rule: dict[tuple[str, str], list[Removed]] = {}
    for culprit in culprits:
        by_rule.setdefault((culprit.rule, culprit.owner), []).append(culprit)
    return [
        f"  {rule} left out {first.member.path}"
        + (f" and {len(more)} more" if more else "")
        + ("" if owner == SOURCES else f" of {owner}")
        for (rule, owner), (first, *more) in by_rule.items()
    ]


def _hint(case: Case, failure: Failure, culprits: Collection[Removed], around: Surroundings) -> str | None:
    if culprits:
        patterns = [one for one in culprits if one.keep]
        lines = [_keep(patterns)] if patterns else []
        if len(patterns) < len(culprits):
            lines.append('boto3 = "bundle" in [tool.lambdabuild], or in the table that says "runtime",')
        return f"{' and '.join(lines)} brings it back"
    if case.full is not None and case.full.failure is None:
        of_owner = [one for one in around.removed.values() if one.keep and one.owner == (case.owner or SOURCES)]
        if of_owner:
            return f"it can be without slimming: {_keep(of_owner)}"
    return general_hint(failure, around, target=case.target, owner=case.owner, handler=case.handler)


def _unmet_hint(case: Case, need: Need) -> str:
    later = "what is not needed at import is better done in the handler's function"
    if not need.variables:
        return later
    values = ", ".join(f'{name} = "1"' for name in need.variables)
    table = key_path(("tool", "lambdabuild", "functions", case.name, "verify"))
    return f"env = {{ {values} }} in [{table}] lets it be tried, with values that it takes; {later}"


def _keep(removed: Collection[Removed]) -> str:
    """The line that brings files back, for all artifacts."""
    return f"{keep_line(one.keep for one in removed)} in [tool.lambdabuild]"
