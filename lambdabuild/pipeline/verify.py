"""Verification: finished archives are tried in the runtime image, and what comes of it is judged."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lambdabuild.cache import Cache
from lambdabuild.configfile import read_runtimes, read_stdlib
from lambdabuild.errors import UsageError
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.hints import Surroundings
from lambdabuild.model.judgement import Case, is_lasting, judge
from lambdabuild.model.limits import Finding
from lambdabuild.model.removal import Contents, over
from lambdabuild.model.report import Artifact
from lambdabuild.model.target import Target, find_runtime
from lambdabuild.model.trials import Stacked, Trial, arrange
from lambdabuild.model.verification import (
    Row,
    Untried,
    Verification,
    VerifiedArtifact,
    parse_rows,
    rows_document,
)
from lambdabuild.pipeline.refusals import (
    VERIFICATION_FORMAT,
    Environs,
    Refusal,
    Refused,
    Stacking,
    find_refused,
    keep_proven,
    keep_refused,
)
from lambdabuild.steps.verify import Attempt, Function, Missing, Stack, list_paths, try_stack

if TYPE_CHECKING:
    from lambdabuild.builders.sandbox import Sandboxes

_KIND = "verifications"
_ROOTS = {"layer": "/opt/", "function": "/var/task/", "fat-function": "/var/task/"}


Describe = Callable[[Artifact], Contents]
"""Tells of an artifact where something in it failed; may raise LambdaBuildError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What archives are tried with."""

    sandboxes: Sandboxes
    cache: Cache
    describe: Describe
    timeout: float
    remember: bool
    """Whether what went well for the same archives in the same image needs no repetition."""
    repeat: bool
    """Whether what was refused of the same content in the same image is refused again without being tried."""
    environs: Environs
    listen: Listener


def verify(
    artifacts: Sequence[Artifact], folder: Path, bench: Bench, *, chosen: Callable[[Artifact], bool]
) -> tuple[Verification, list[Finding]]:
    """Try the chosen artifacts, which lie in the folder with the layers that they use.

    Raises MachineError where the engine cannot do it. What is wrong with an artifact is in the findings.
    """
    started = time.monotonic()
    paths = {artifact.file: list_paths(folder / artifact.file) for artifact in artifacts}
    stacks = arrange(artifacts, paths, chosen=chosen)
    rows: dict[str, list[Row]] = {}
    remembered: set[str] = set()
    findings: list[Finding] = []
    for stacked in stacks:
        run = _Run(stacked, folder, paths, bench, _modules_beside(stacked, artifacts))
        findings += run.try_all()
        for file, of_file in run.rows.items():
            rows.setdefault(file, []).extend(of_file)
        remembered |= run.remembered
    verified = tuple(
        VerifiedArtifact(file=artifact.file, rows=tuple(rows[artifact.file]), remembered=artifact.file in remembered)
        for artifact in artifacts
        if artifact.file in rows
    )
    images = tuple(dict.fromkeys(stacked.runtime for stacked in stacks))
    untried = tuple(
        Untried(file=artifact.file, layer=artifact.external_layers[0].name)
        for artifact in artifacts
        if artifact.external_layers and chosen(artifact)
    )
    seconds = time.monotonic() - started
    return Verification(artifacts=verified, images=images, seconds=seconds, untried=untried), findings


@dataclass(slots=True)
class _Run:
    """One stack of layers with the functions on it."""

    stacked: Stacked
    folder: Path
    paths: Mapping[str, tuple[str, ...]]
    bench: Bench
    beside: Mapping[str, tuple[str, ...]]
    """The modules of layers for the same target that are not in the stack, by name."""
    rows: dict[str, list[Row]] = field(default_factory=dict)
    remembered: set[str] = field(default_factory=set)
    _around: dict[str | None, Surroundings] = field(default_factory=dict)

    @property
    def _target(self) -> Target:
        runtime = find_runtime(read_runtimes(), self.stacked.runtime)
        if runtime is None:
            raise UsageError(f"Lambda has no runtime {self.stacked.runtime}", hint="build again")
        return Target(runtime=runtime, architecture=self.stacked.architecture)

    @property
    def _nothing(self) -> Surroundings:
        """What is known of an artifact before its content is asked for."""
        return Surroundings(owners={}, removed={}, layers=self.beside, stdlib=read_stdlib())

    def try_all(self) -> list[Finding]:
        """Fill the rows; gives what was found."""
        target = self._target
        sandbox = self.bench.sandboxes.make(target)
        findings: list[Finding] = []
        trials = [trial for trial in self.stacked.trials if not self._recall(trial, sandbox.digest)]
        fresh = [trial for trial in trials if not self._repeat(trial, sandbox.digest, findings)]
        if not fresh:
            return findings
        handlers = sum(trial.handler is not None for trial in fresh)
        modules = sum(len(trial.modules) for trial in fresh)
        text = f"trying {_counted(handlers, modules)} in the {target.runtime.name} image"
        self.bench.listen(Event(phase="verify", text=text))
        layers = [trial for trial in fresh if trial.artifact.kind == "layer"]
        functions = [trial for trial in fresh if trial.artifact.kind != "layer"]
        stack = Stack(
            layers=tuple(self.folder / layer.file for layer in self.stacked.layers),
            modules=tuple(dict.fromkeys(module for trial in layers for module in trial.modules)),
            functions=tuple(self._function(trial) for trial in functions),
        )
        attempts = try_stack(sandbox, stack, timeout=self.bench.timeout, find_missing=self._find_missing)
        for trial in fresh:
            file = trial.artifact.file if trial.handler is not None else None
            names = ([trial.handler] if trial.handler is not None else []) + [*trial.modules]
            findings += self._judge(trial, [attempts[file, name] for name in names], sandbox.digest)
        return findings

    def _judge(self, trial: Trial, attempts: Iterable[Attempt], image: str) -> list[Finding]:
        findings, refusals = [], []
        file = trial.artifact.file
        around = self._around.get(file, self._nothing)
        for attempt in attempts:
            case = Case(
                file=file,
                name=trial.artifact.name,
                handler=attempt.slim.name == trial.handler,
                owner=trial.owners.get(attempt.slim.name),
                target=self._target,
                slim=attempt.slim,
                full=attempt.full,
                untold=attempt.untold,
            )
            row, finding = judge(case, around)
            self.rows.setdefault(file, []).append(row)
            findings += [finding] if finding else []
            if finding is not None and is_lasting(case, finding):
                message = finding.message.removeprefix(f"{file}: ")
                refusals.append(Refusal(row=row, message=message, hint=finding.hint))
        rows = self.rows.get(file, [])
        if not findings:
            self.bench.cache.store_text(_KIND, self._key(trial, image), json.dumps(rows_document(rows)))
        failed = any(finding.severity == "error" for finding in findings)
        stacking = self._stacking(trial)
        keep_proven(stacking, self.bench.cache, proven=not failed)
        if refusals:
            refused = Refused(image=image, rows=tuple(rows), refusals=tuple(refusals))
            keep_refused(stacking, refused, self.bench.cache)
        elif not failed:
            keep_refused(stacking, None, self.bench.cache)
        return findings

    def _recall(self, trial: Trial, image: str) -> bool:
        """Take the rows of an earlier run, if there was one in which all went well."""
        if not self.bench.remember:
            return False
        text = self.bench.cache.find_text(_KIND, self._key(trial, image))
        if text is None:
            return False
        try:
            self.rows[trial.artifact.file] = list(parse_rows(json.loads(text)))
        except (TypeError, ValueError):
            return False
        self.remembered.add(trial.artifact.file)
        keep_proven(self._stacking(trial), self.bench.cache, proven=True)
        return True

    def _repeat(self, trial: Trial, image: str, findings: list[Finding]) -> bool:
        """Refuse again what was refused in this image, if it was."""
        refused = find_refused(self._stacking(trial), self.bench.cache) if self.bench.repeat else None
        if refused is None or refused.image != image:
            return False
        file = trial.artifact.file
        self.rows[file] = list(refused.rows)
        self.remembered.add(file)
        findings += [refusal.finding(file) for refusal in refused.refusals]
        return True

    def _stacking(self, trial: Trial) -> Stacking:
        environ = self._environ(trial)
        return Stacking(artifact=trial.artifact, layers=self.stacked.layers, environ=environ)

    def _environ(self, trial: Trial) -> Mapping[str, str]:
        return {} if trial.handler is None else self.bench.environs.get(trial.artifact.name, {})

    def _key(self, trial: Trial, image: str) -> str:
        """Everything that the outcome depends on."""
        layers = [layer.sha256 for layer in self.stacked.layers]
        of_trial = [trial.artifact.sha256, trial.handler, trial.modules, sorted(self._environ(trial).items())]
        inputs = json.dumps([VERIFICATION_FORMAT, str(self._target), image, layers, of_trial])
        return hashlib.sha256(inputs.encode()).hexdigest()

    def _function(self, trial: Trial) -> Function:
        assert trial.handler is not None
        artifact = trial.artifact
        return Function(
            file=artifact.file,
            name=artifact.name,
            archive=self.folder / artifact.file,
            handler=trial.handler,
            modules=trial.modules,
            compiled=artifact.provenance.bytecode is not None,
            environ=self._environ(trial),
        )

    def _find_missing(self) -> Missing:
        """What the archives lack; and remember whose everything is, for what will be said of it."""
        contents = {layer.file: self.bench.describe(layer) for layer in self.stacked.layers}
        present = {path: None for file in contents for path in self.paths[file]}
        of_layers = over((one.removed for one in contents.values()), present)
        opt = _ROOTS["layer"]
        owners = {opt + path: owner for one in contents.values() for path, owner in one.owners.items()}
        removed = {opt + one.member.path: one for one in of_layers}
        functions = {}
        for trial in self.stacked.trials:
            file, root = trial.artifact.file, _ROOTS[trial.artifact.kind]
            self._around[file] = replace(self._nothing, owners=owners, removed=removed)
            if trial.artifact.kind != "layer":
                own = self.bench.describe(trial.artifact)
                functions[file] = own.removed
                self._around[file] = replace(
                    self._nothing,
                    advice=own.advice,
                    owners=owners | {root + path: owner for path, owner in own.owners.items()},
                    removed=removed | {root + one.member.path: one for one in own.removed},
                )
        return Missing(layers=of_layers, functions=functions)


def _modules_beside(stacked: Stacked, artifacts: Iterable[Artifact]) -> dict[str, tuple[str, ...]]:
    return {
        one.name: tuple(module for share in one.distributions for module in share.modules)
        for one in artifacts
        if one.kind == "layer" and one not in stacked.layers
        if one.serves((stacked.runtime, stacked.architecture))
    }


def _counted(handlers: int, modules: int) -> str:
    counts = ((handlers, "handler"), (modules, "module"))
    return " and ".join(f"{count} {what}{'s' * (count != 1)}" for count, what in counts if count) or "nothing"
