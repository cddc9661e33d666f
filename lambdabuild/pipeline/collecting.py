"""The project's code for the artifacts of a plan."""

from __future__ import annotations

from lambdabuild.ignoredcode import ignored_note
from lambdabuild.ledger import Ledger, recording
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.limits import Finding
from lambdabuild.model.plan import FunctionPlan, LayerPlan
from lambdabuild.model.sources import Collected
from lambdabuild.pipeline.order import Order
from lambdabuild.steps.collect import collect_code, collect_sources, find_handler, unread_note
from lambdabuild.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What of the project goes into an artifact."""

    collected: Collected
    findings: tuple[Finding, ...]
    """What was found on the way."""


class Collector:
    """Collects for one run, each artifact once, and notes apart for each what is read of the project."""

    def __init__(self, order: Order, listen: Listener) -> None:
        self._order = order
        self._listen = listen
        self.codes: dict[str, Code] = {}
        """By file of the artifact, of layers also by such as are only attached or bundled."""
        self.ledgers: dict[str, Ledger] = {}
        """In the same way, what was read."""

    def collect(self, one: LayerPlan | FunctionPlan) -> Code:
        """Raises UsageError where a handler is not what its configuration says."""
        if not self.codes:
            self._listen(Event(phase="collect", text="collecting sources"))
        if one.file not in self.codes:
            with recording() as self.ledgers[one.file]:
                self.codes[one.file] = self._layer(one) if isinstance(one, LayerPlan) else self._function(one)
        return self.codes[one.file]

    def _layer(self, layer: LayerPlan) -> Code:
        collected = collect_code(
            self._order.project,
            layer.code,
            owner=f"layers.{layer.name}",
            exclude=layer.exclude,
            keep=layer.keep,
            gitignore=layer.gitignore,
            output=self._order.output,
        )
        return Code(collected=collected, findings=ignored_note(layer.file, collected))

    def _function(self, function: FunctionPlan) -> Code:
        project, sources, target = self._order.project, function.sources, function.target
        find_handler(project, sources, target)
        collected = collect_sources(project, sources, output=self._order.output)
        notes = ignored_note(function.file, collected), unread_note(function.file, project, sources, target)
        return Code(collected=collected, findings=(*notes[0], *notes[1]))
