"""The only writer to the terminal: progress and findings on stderr, results on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from lambdabuild import __version__
from lambdabuild.errors import LambdaBuildError
from lambdabuild.model.events import Event
from lambdabuild.model.limits import MAX_UNZIPPED, Finding, Sized, format_size
from lambdabuild.model.report import Artifact, Report, SplitPart, findings_document, report_document

if TYPE_CHECKING:
    from rich.status import Status

    from lambdabuild.steps.validate import Checked


_FEW = 8
"""How many names a line of text lists; JSON lists all."""


class Console:
    """Tells a person, or with ``as_json`` a program, what happens and what came of it."""

    def __init__(self, *, as_json: bool = False) -> None:
        self._as_json = as_json
        self._live = sys.stderr.isatty()
        self._status: Status | None = None
        self._told = ""

    def listen(self, event: Event) -> None:
        """Progress: a spinner with what goes on now on a terminal, a line a step elsewhere."""
        text = event.text
        if self._live:
            if event.done is not None:
                text += f" {format_size(event.done)}"
            self._spin(text)
        elif event.done is None and text != self._told:
            self._told = text
            print(f"{text} …", file=sys.stderr, flush=True)

    def notice(self, text: str) -> None:
        """Something that the user should know, and did not ask for."""
        self.quiet()
        print(f"note: {text}", file=sys.stderr, flush=True)

    def error(self, error: LambdaBuildError) -> None:
        self.quiet()
        print(f"error: {error}", file=sys.stderr, flush=True)

    def quiet(self) -> None:
        """End the progress, so that other lines stand alone."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def report(self, report: Report) -> None:
        """The result of a build."""
        self.quiet()
        self._findings(report.findings)
        for file, modules in report.left_out.items():
            more = f" and {len(modules) - _FEW} more" if len(modules) > _FEW else ""
            self.notice(f"{file} leaves out what its handler does not reach: {', '.join(modules[:_FEW])}{more}")
        if self._as_json:
            _print_json(report_document(report, version=__version__))
            return
        print(report.output)
        print(_table(_row(artifact, report.artifacts) for artifact in report.artifacts))
        builders = {artifact.provenance.builder for artifact in report.artifacts} - {"none"}
        made_with = [f"{builder} builder" for builder in sorted(builders)]
        sources = f"distributions: {report.installed} installed, {report.cached} from the cache"
        print(", ".join((*report.targets, *made_with, sources, f"{report.seconds:.1f} s")))

    def proposed(self, parts: Sequence[SplitPart]) -> None:
        """How layers can be split."""
        self.quiet()
        if self._as_json:
            _print_json({"layers": [asdict(part) for part in parts]})
            return
        print(_table(_split_row(part) for part in parts))
        print("lambdabuild layer --split --make makes them")

    def validated(self, checked: Sequence[Checked], findings: Sequence[Finding]) -> None:
        """The result of a validation."""
        self._findings(findings)
        if self._as_json:
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
            _print_json({"archives": archives, "findings": findings_document(findings)})
            return
        print(_table(_checked_row(one, checked) for one in checked))

    def _findings(self, findings: Iterable[Finding]) -> None:
        """Findings, each hint once, after the last of the findings in a row that share it."""
        for (severity, hint), group in groupby(findings, key=lambda finding: (finding.severity, finding.hint)):
            for finding in group:
                print(f"{severity}: {finding.message}", file=sys.stderr)
            if hint:
                print(f"  hint: {hint}", file=sys.stderr)
        sys.stderr.flush()

    def _spin(self, text: str) -> None:
        from rich.console import Console as RichConsole
        from rich.text import Text

        plain = Text(text)  # not markup: a path may have brackets
        if self._status is None:
            self._status = RichConsole(stderr=True).status(plain)
            self._status.start()
        else:
            self._status.update(plain)


def _row(artifact: Artifact, artifacts: Sequence[Artifact]) -> tuple[str, ...]:
    layers = [other for other in artifacts if other.kind == "layer" and other.name in artifact.layers]
    attached = [layer.sized() for layer in layers] + [layer.sized() for layer in artifact.external_layers]
    return artifact.file, format_size(artifact.zipped_size), *_shares(artifact.sized(), attached)


def _split_row(part: SplitPart) -> tuple[str, ...]:
    unzipped = f"{format_size(part.unzipped_size)} unzipped"
    return f"{part.name}.zip", format_size(part.zipped_size), unzipped, ", ".join(part.owners)


def _checked_row(one: Checked, checked: Sequence[Checked]) -> tuple[str, ...]:
    attached = [layer.sized for layer in checked if layer.path.name in (one.layers or ())]
    return str(one.path), format_size(one.zipped_size), *_shares(one.sized, [*attached, *one.external])


def _shares(own: Sized, attached: Sequence[Sized]) -> tuple[str, str]:
    """Unzipped size, and the share of the limit that it has with the layers attached."""
    total = own.unzipped_size + sum(layer.unzipped_size for layer in attached)
    share = f"{total / MAX_UNZIPPED:.1%} of the limit"
    if attached:
        share += " with " + ", ".join(layer.name for layer in attached)
    return f"{format_size(own.unzipped_size)} unzipped", share


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    """Rows in columns; sizes are set to the right."""
    rows = list(rows)
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(f"  {row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]}" for row in rows)


def _print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, indent=2))
