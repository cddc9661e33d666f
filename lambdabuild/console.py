"""The only writer to the terminal: progress and findings on stderr, results on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict
from io import StringIO
from itertools import groupby
from typing import TYPE_CHECKING, Any

from lambdabuild import __version__
from lambdabuild.buildstate import Told
from lambdabuild.errors import Code
from lambdabuild.model import verifiedtext
from lambdabuild.model.documents import report_document
from lambdabuild.model.events import Event
from lambdabuild.model.limits import Finding, Sized, finding_document, format_of_limit, format_size, judged
from lambdabuild.model.report import Artifact, Report, SplitPart
from lambdabuild.model.transformed import restored_notes, transformed_lines
from lambdabuild.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from lambdabuild.model.importtime import Profile
    from lambdabuild.model.invocation import Invoked
    from lambdabuild.model.verification import Verification
    from lambdabuild.steps.validate import Checked


_LONG = 0.5
"""Seconds from which on a phase is worth a word."""
_MANY = 30
"""How many rows a long table has; JSON has all."""
_FEW = 8
"""How many names a line of text lists; JSON lists all."""


class Console:
    """Tells a person, or with ``as_json`` a program, what happens and what came of it."""

    def __init__(self, *, as_json: bool = False, timings: bool = False) -> None:
        """``timings`` tells at the end how long each phase took."""
        self._as_json = as_json
        self._timings = timings
        self._progress = Progress(as_json=as_json)

    def listen(self, event: Event) -> None:
        """Progress: what goes on now."""
        self._progress.listen(event)

    def notice(self, text: str, *, code: Code = "note") -> None:
        """Something that the user should know, and did not ask for."""
        self.quiet()
        if self._as_json:
            _print_event("note", code=code, message=text)
        else:
            print(f"note: {text}", file=sys.stderr, flush=True)

    def quiet(self) -> None:
        """End the progress, so that other lines stand alone."""
        self._progress.quiet()

    def report(self, report: Report) -> Told:
        """The result of a build; gives what was said, for the next build if it finds nothing changed."""
        self.quiet()
        output, warnings = StringIO(), StringIO()
        with redirect_stdout(output), redirect_stderr(warnings):
            self._report(report)
        sys.stderr.write(warnings.getvalue())
        sys.stderr.flush()
        sys.stdout.write(output.getvalue())
        if report.removed:  # of what was removed now, an unchanged build does not tell again
            self.notice(f"--clean removed {', '.join(report.removed)}", code="removed")
        builders = {artifact.provenance.builder for artifact in report.artifacts} - {"none"}
        made_with = ", ".join((*report.targets, *(f"{builder} builder" for builder in sorted(builders))))
        if report.verification is None:
            made_with += ", not verified"
        if self._as_json:
            return Told(output=output.getvalue(), warnings=warnings.getvalue(), last="")
        sources = f"distributions: {report.installed} installed, {report.cached} from the cache"
        spent = self._progress.spent()
        print(f"{made_with}, {sources}, {report.seconds:.1f} s{_longest(spent)}")
        if self._timings:
            print(_timetable(spent, report.seconds))
        return Told(output=output.getvalue(), warnings=warnings.getvalue(), last=made_with)

    def _report(self, report: Report) -> None:
        self._findings(report.findings)
        for file, modules in report.left_out.items():
            more = f" and {len(modules) - _FEW} more" if len(modules) > _FEW else ""
            self.notice(
                f"{file} leaves out what its handler does not reach: {', '.join(modules[:_FEW])}{more}", code="left-out"
            )
        for note in restored_notes(report.artifacts) if not self._as_json else ():
            self.notice(note, code="restored")
        for note in verifiedtext.notes(report.verification, why_not=report.unverified):
            self.notice(note, code="not-verified")
        if report.unconfigured:
            files = ", ".join(report.unconfigured)
            self.notice(
                f"{files}: made by earlier builds, and not in the configuration; "
                "--clean removes what a build does not make",
                code="not-configured",
            )
        if report.replaced:
            files = ", ".join(report.replaced)
            self.notice(f"{files} of an earlier build stays, but the manifest has another file now", code="replaced")
        if self._as_json:
            _print_json(report_document(report, version=__version__))
            return
        print(report.output)
        layers = [artifact for artifact in report.artifacts if artifact.kind == "layer"]
        print(_table(_row(artifact, layers) for artifact in report.artifacts))
        for line in transformed_lines(report.artifacts):
            print(line)
        if report.verification and report.verification.artifacts:
            print("\n".join((verifiedtext.summary(report.verification), *verifiedtext.savings(report.verification))))

    def verified(self, verification: Verification, findings: Sequence[Finding]) -> None:
        """The result of a verification, warnings and notes; errors, and with them the document, are left to whoever
        raises them."""
        self.quiet()
        self._findings(finding for finding in findings if finding.severity == "warning")
        for note in verifiedtext.notes(verification, why_not=None):
            self.notice(note, code="not-verified")
        if self._as_json:
            from lambdabuild.model.verification import verification_document

            told = [finding_document(finding) for finding in findings]
            if not any(finding.severity == "error" for finding in findings):
                _print_json({"verification": verification_document(verification), "findings": told})
            return
        for artifact in verification.artifacts:
            print("\n".join(verifiedtext.table(artifact)))
        print("\n".join((verifiedtext.summary(verification), *verifiedtext.savings(verification))))
        sys.stdout.flush()

    def proposed(self, parts: Sequence[SplitPart]) -> None:
        """How layers can be split."""
        self.quiet()
        if self._as_json:
            _print_json({"layers": [asdict(part) for part in parts]})
            return
        print(_table(_split_row(part) for part in parts))
        print("lambdabuild layer --split --make makes them")

    def invoked(self, invoked: Invoked, *, name: str, file: str, whole: bool) -> None:
        """The response on stdout; the log, with ``whole`` all of it, and what was measured on stderr.

        The document of one that failed is left to whoever raises its error.
        """
        from lambdabuild.model.invokedtext import invoked_document, response_text, times_text  # no build needs these

        self.quiet()
        if self._as_json:
            if invoked.error is None:
                _print_json(invoked_document(invoked, name=name, file=file))
            return
        log = invoked.full_log if whole else invoked.log
        for text in (log.rstrip("\n"), times_text(invoked)):
            if text:
                print(text, file=sys.stderr, flush=True)
        if invoked.response is not None:
            print(response_text(invoked.response))

    def profiled(self, profile: Profile, page: Path) -> None:
        """Where the time of an import goes, and where the picture of it is."""
        from lambdabuild.model.importtime import profile_document, profile_text  # no build needs these

        self.quiet()
        if self._as_json:
            _print_json({**profile_document(profile), "page": str(page)})
            return
        print("\n".join(profile_text(profile, most=_MANY)))
        print(page)

    def validated(
        self, checked: Sequence[Checked], found: Sequence[Finding], *, lines: Sequence[str], tolerant: bool
    ) -> None:
        """The result of a validation: the lines that tell what was measured, and what was found. Raises PolicyError for
        errors, unless they are to be warnings."""
        if not self._as_json:
            for line in lines:
                print(f"  {line}", flush=True)
            errors = [] if tolerant else [finding for finding in found if finding.severity == "error"]
            self._findings(judged([finding for finding in found if finding not in errors], tolerant=tolerant))
            judged(errors, tolerant=tolerant)
        else:
            findings = judged(found, tolerant=tolerant)
            self._findings(findings)
            archives = [
                {
                    "path": str(one.path),
                    "zipped_size": one.zipped_size,
                    "unzipped_size": one.sized.unzipped_size,
                    "files": one.files,
                    "layers": None if one.layers is None else list(one.layers),
                }
                for one in checked
            ]
            _print_json({"archives": archives, "findings": [finding_document(finding) for finding in findings]})

    def _findings(self, findings: Iterable[Finding]) -> None:
        """Findings; as text each hint once, after the last of the findings in a row that share it."""
        if self._as_json:
            for finding in findings:
                _print_event(finding.severity, code=finding.code, message=finding.message, hint=finding.hint)
            return
        for (severity, hint), group in groupby(findings, key=lambda finding: (finding.severity, finding.hint)):
            for finding in group:
                print(f"{severity}: {finding.message}", file=sys.stderr)
            if hint:
                print(f"  hint: {hint}", file=sys.stderr)
        sys.stderr.flush()


def _longest(spent: Mapping[str, float]) -> str:
    """Where most of the time went, for a build in which that can be told apart."""
    longest = sorted(spent.items(), key=lambda item: -item[1])[:2]
    shown = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in longest if seconds >= _LONG)
    return f" ({shown})" if shown else ""


def _timetable(spent: Mapping[str, float], total: float) -> str:
    """Seconds of every phase, in their order."""
    width = max((len(phase) for phase in spent), default=0)
    rows = (f"  {phase:<{width}}  {seconds:7.2f} s  {seconds / total:5.1%}" for phase, seconds in spent.items())
    return "\n".join(rows)


def _row(artifact: Artifact, layers: Sequence[Artifact]) -> tuple[str, ...]:
    attached = [layer.sized() for layer in layers if layer.name in artifact.layers]
    attached += [layer.sized() for layer in artifact.external_layers]
    return artifact.file, format_size(artifact.zipped_size), *_shares(artifact.sized(), attached)


def _split_row(part: SplitPart) -> tuple[str, ...]:
    unzipped = f"{format_size(part.unzipped_size)} unzipped"
    return f"{part.name}.zip", format_size(part.zipped_size), unzipped, ", ".join(part.owners)


def _shares(own: Sized, attached: Sequence[Sized]) -> tuple[str, str]:
    """Unzipped size, and what it takes of the limit with the layers attached."""
    total = own.unzipped_size + sum(layer.unzipped_size for layer in attached)
    names = " with " + ", ".join(layer.name for layer in attached) if attached else ""
    return f"{format_size(own.unzipped_size)} unzipped", f"{format_of_limit(total)}{names}"


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    """Rows in columns; sizes are set to the right."""
    rows = list(rows)
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(f"  {row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]}" for row in rows)


def _print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, indent=2))


def _print_event(event: str, **values: str | None) -> None:
    print(json.dumps({"event": event, **values}), file=sys.stderr, flush=True)
