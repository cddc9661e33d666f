"""What the artifacts of a plan are made from: their distributions and the project's code."""

from __future__ import annotations

from collections.abc import Mapping

from lambdabuild.ignoredcode import ignored_note
from lambdabuild.ledger import Ledger, recording
from lambdabuild.model.facts import Facts
from lambdabuild.model.plan import FunctionPlan, LayerPlan, Plan
from lambdabuild.model.segment import Segment
from lambdabuild.model.target import Target
from lambdabuild.pipeline.acquire import Resolutions
from lambdabuild.pipeline.order import Order
from lambdabuild.steps.assemble import Content
from lambdabuild.steps.collect import collect_code, collect_sources, find_handler, unread_note
from lambdabuild.steps.install import Installed
from lambdabuild.steps.metadata import with_top_level
from lambdabuild.steps.resolve import Resolution


class Collector:
    """Collects for one run, and notes apart for each artifact what is read of the project."""

    def __init__(self, order: Order, resolutions: Resolutions, installed: Mapping[Target, Installed]) -> None:
        self._order = order
        self._resolutions = resolutions
        self._installed = installed
        self.ledgers: dict[str, Ledger] = {}
        """By file of the artifact, of layers also by such as are only attached or bundled."""

    def layers(self, plan: Plan, users: Mapping[str, Facts]) -> dict[str, Content]:
        """By name; ``users`` is what the code of its functions tells, for layers that become archives of their own."""
        contents = {}
        for layer in plan.all_layers:
            with recording() as self.ledgers[layer.file]:
                contents[layer.name] = self._layer(layer, users.get(layer.name, Facts()))
        return contents

    def functions(self, plan: Plan) -> dict[str, Content]:
        """By name. Raises UsageError where a handler is not what its configuration says."""
        contents = {}
        for function in plan.functions:
            with recording() as self.ledgers[function.file]:
                find_handler(self._order.project, function.sources, function.target)
                contents[function.name] = self._function(function)
        return contents

    def _segments(self, one: LayerPlan | FunctionPlan, resolution: Resolution) -> tuple[Segment, ...]:
        installed = self._installed[one.target].segments
        return with_top_level((installed[pin] for pin in resolution.pins), one.slimming)

    def _layer(self, layer: LayerPlan, users: Facts) -> Content:
        resolution = self._resolutions[layer.needs, layer.target]
        collected = collect_code(
            self._order.project,
            layer.code,
            owner=f"layers.{layer.name}",
            exclude=layer.exclude,
            keep=layer.keep,
            gitignore=layer.gitignore,
            output=self._order.output,
        )
        return Content(
            segments=self._segments(layer, resolution),
            direct=resolution.direct,
            code=collected.members,
            users=users,
            ignore_rule=collected.ignore_rule,
            findings=ignored_note(layer.file, collected),
        )

    def _function(self, function: FunctionPlan) -> Content:
        resolution = self._resolutions[function.needs, function.target]
        collected = collect_sources(self._order.project, function.sources, output=self._order.output)
        return Content(
            segments=self._segments(function, resolution),
            direct=resolution.direct,
            code=collected.members,
            left_out=collected.left_out,
            ignore_rule=collected.ignore_rule,
            findings=(
                *ignored_note(function.file, collected),
                *unread_note(function.file, self._order.project, function.sources, function.target),
            ),
        )
