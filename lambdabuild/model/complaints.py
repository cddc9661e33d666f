"""What an audit found, in words: one finding for all files of an owner that have the same trouble."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lambdabuild.errors import Code as ErrorCode
from lambdabuild.model.attempts import Code
from lambdabuild.model.audit import Kind, Violation, check, find_missing, has_enough, numbers_of
from lambdabuild.model.elfs import Unit, tag_of
from lambdabuild.model.limits import Finding
from lambdabuild.model.lint import exclusion
from lambdabuild.model.loading import Loading
from lambdabuild.model.removal import keep_line
from lambdabuild.model.target import Runtime, Target
from lambdabuild.model.tree import SOURCES
from lambdabuild.model.verification import Removed

_ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}
CODES: Mapping[Kind, ErrorCode] = {
    "damaged": "binary-damaged",
    "machine": "binary-machine",
    "tag": "binary-tag",
    "library": "binary-library",
    "glibc": "binary-symbols",
    "libstdc++": "binary-symbols",
}
_MOST = 6
"""Libraries, or files, that are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Files of one owner with one trouble."""

    violations: tuple[Violation, ...]
    """The worst first."""
    certain: bool
    """Whether the files are loaded, and loading them fails."""

    @property
    def worst(self) -> Violation:
        return self.violations[0]

    @property
    def paths(self) -> list[str]:
        return list(dict.fromkeys(one.elf.path for one in self.violations))

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for what was found in several units that share an archive."""
        return self.worst.kind, self.worst.elf.owner, *((one.elf.path, one.asked) for one in self.violations)


def audit(
    unit: Unit,
    *,
    libraries: Callable[[Target], frozenset[str] | None],
    read_code: Callable[[str], Code],
    runtimes: Sequence[Runtime],
    find_removed: Callable[[str], Removed | None] = lambda name: None,
) -> dict[object, Finding]:
    """What is to be said of a unit, under keys that are equal for what two units have in common.

    ``libraries`` gives those of the target's image, None when that is not at hand, and is asked only when something
    misses one; ``read_code`` gives the code of an owner, when a question concerns that, and
    ``find_removed`` what a rule left out of the unit under the name of a library.
    """
    image = libraries(unit.target) if find_missing(unit) else None
    loading = Loading(unit.elfs, read_code)
    return {
        verdict.key: finding_of(
            verdict, unit, loading, runtimes=runtimes, image=image is not None, find_removed=find_removed
        )
        for verdict in judge(check(unit, image), unit, loading)
    }


def judge(violations: Iterable[Violation], unit: Unit, loading: Loading) -> Iterator[Verdict]:
    """Violations by owner and kind; of those that may do no harm none where others of the same kind do."""
    grouped: dict[tuple[str, Kind], dict[bool, list[Violation]]] = {}
    for violation in violations:
        certain = not violation.doubtful and loading.is_certain(violation.elf)
        grouped.setdefault((violation.elf.owner, violation.kind), {}).setdefault(certain, []).append(violation)
    for (owner, kind), found in grouped.items():
        certain = True in found
        if kind == "machine" and not certain and _has_fitting(owner, unit):
            continue  # programs or plugins for other machines, beside those for this one
        # A library that several files ask for is told of with one that is loaded by itself, such as a module.
        ordered = sorted(found[certain], key=lambda one: ([-number for number in one.needs], one.elf.path))
        yield Verdict(violations=tuple(ordered), certain=certain)


def finding_of(
    verdict: Verdict,
    unit: Unit,
    loading: Loading,
    *,
    runtimes: Sequence[Runtime],
    image: bool,
    find_removed: Callable[[str], Removed | None] = lambda name: None,
) -> Finding:
    """The finding of a verdict; ``image`` tells whether the libraries of the runtime's image are known."""
    worst = verdict.worst
    return Finding(
        severity="error" if verdict.certain else "warning",
        code=CODES[worst.kind],
        message=f"{worst.elf.owner}: {_files(verdict, loading)} {_trouble(verdict, unit, image=image)}",
        hint=_removed_hint(verdict, find_removed) or _hint(verdict, unit, runtimes),
    )


def _has_fitting(owner: str, unit: Unit) -> bool:
    return any(elf.owner == owner and elf.binary.machine == unit.target.machine for elf in unit.elfs)


def _files(verdict: Verdict, loading: Loading) -> str:
    worst, others = verdict.worst, len(verdict.paths) - 1
    loader = loading.find_loader(worst.elf) if verdict.certain else None
    text = worst.elf.path + (f" (which {loader.path} loads)" if loader else "")
    return text + (f" and {others} more file{'s' * (others > 1)}" if others else "")


def _trouble(verdict: Verdict, unit: Unit, *, image: bool) -> str:
    """What follows the files: the verb and all."""
    worst, target, many = verdict.worst, unit.target, len(verdict.paths) > 1
    are, need = ("are", "need") if many else ("is", "needs")
    runtime = target.runtime
    if worst.kind == "damaged":
        return f"{are} damaged: ELF that cannot be read"
    if worst.kind == "machine":
        machine = worst.elf.binary.machine
        return f"{are} for {_ARCHITECTURES.get(machine, machine)}, not for {target}"
    if worst.kind == "tag":
        return f"{are} not for {target}, which imports .{tag_of(target)}.so, .abi3.so or .so"
    if worst.kind == "library":
        return f"{need} {_libraries(verdict)}, which {_where(unit, image=image)}"
    return f"{need} {worst.asked[0]}; {runtime.name} ({runtime.os}) has {_has(worst, runtime)}"


def _has(worst: Violation, runtime: Runtime) -> str:
    if worst.kind == "glibc":
        return f"glibc {_dotted(runtime.glibc)}"
    always, best = (numbers_of(worst.family, one) for one in (runtime.libstdcxx, runtime.newest_libstdcxx))
    text = f"{worst.family}_{_dotted(always)}"
    return f"{text}, or {worst.family}_{_dotted(best)} where it is up to date" if worst.doubtful else text


def _libraries(verdict: Verdict) -> str:
    names = sorted({name for violation in verdict.violations for name in violation.asked})
    shown = names[:_MOST] + ([f"{len(names) - _MOST} more"] if len(names) > _MOST else [])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _where(unit: Unit, *, image: bool) -> str:
    archives = " + ".join(unit.archives)
    system = f"the {unit.target.runtime.name} image has" if image else f"{unit.target.runtime.os} is known to have"
    text = f"neither {archives} nor {system}"
    return text if unit.complete else f"{text}; the layers of others may"


def _removed_hint(verdict: Verdict, find_removed: Callable[[str], Removed | None]) -> str | None:
    """How to bring back the libraries that rules left out."""
    names = sorted({name for violation in verdict.violations for name in violation.asked})
    found = [find_removed(name) for name in names] if verdict.worst.kind == "library" else []
    removed = [one for one in found if one is not None]
    if not removed or len(removed) < len(names):
        return None
    rules = dict.fromkeys(f"{one.rule} left out {one.member.path}" for one in removed[:_MOST])
    return f"{'; '.join(rules)}: {keep_line(one.keep for one in removed)} in [tool.lambdabuild] brings it back"


def _hint(verdict: Verdict, unit: Unit, runtimes: Sequence[Runtime]) -> str:
    worst, target = verdict.worst, unit.target
    own, name = worst.elf.owner == SOURCES, worst.elf.owner.rpartition(" ")[0] or "what brings it"
    leave_out = f"leave {'it' if len(verdict.paths) == 1 else 'them'} out: {exclusion(verdict.paths[:_MOST])}"
    if worst.kind == "library":
        if worst.elf.owner in unit.built:
            return f"repair = true in [tool.lambdabuild.build] puts it beside the extension, or do without {name}"
        bring = f"bring {worst.asked[0]} along (Lambda finds it in lib/ of a function's source)"
        return f"{bring}, or {leave_out}" if own or not verdict.certain else f"{bring}, or do without {name}"
    if worst.kind == "damaged" or not (verdict.certain or worst.doubtful):
        return leave_out
    newer = next((one for one in runtimes if worst.needs and has_enough(worst, one)), None)
    use = f"use {newer.name} or newer, or " if newer is not None else ""
    if own:
        return f"{use}compile it for {target}, or {leave_out}"
    return f"{use}pin a version of {name} with a wheel for {target}"


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
