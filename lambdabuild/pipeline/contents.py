"""Whose the files of an artifact are, and what is not in it, by whose doing: asked for where something failed."""

from __future__ import annotations

from dataclasses import replace

from lambdabuild.model.plan import FunctionPlan, LayerPlan
from lambdabuild.model.removal import Contents, Reasons, removed_members
from lambdabuild.model.tree import Tree
from lambdabuild.pipeline.advice import advice_for
from lambdabuild.pipeline.order import Order
from lambdabuild.pipeline.prepare import Prepared
from lambdabuild.steps.collect import collect_code, collect_sources


def find_contents(artifact: LayerPlan | FunctionPlan, tree: Tree, prepared: Prepared, order: Order) -> Contents:
    """Of an artifact of the plan, or a part of one, with this tree."""
    if isinstance(artifact, LayerPlan):
        root, exclude, reachable = artifact.root, artifact.exclude, False
        code = collect_code(
            order.project,
            artifact.code,
            owner=f"layers.{artifact.name}",
            exclude=(),
            keep=artifact.keep,
            gitignore=artifact.gitignore,
            output=order.output,
        ).members
    else:
        root, reachable = "", artifact.sources.reachable
        exclude = (*(line for layer in artifact.bundled for line in layer.exclude), *artifact.exclude)
        sources = replace(artifact.sources, exclude=(), reachable=False)
        code = collect_sources(order.project, sources, output=order.output).members
    reasons = Reasons(
        exclude=exclude, slimming=artifact.slimming, reachable=reachable, leaves_sdk=artifact.sdk != "bundle"
    )
    installed = prepared.made.installed.get(artifact.target)
    segments = installed.segments.values() if installed else ()
    return Contents(
        owners={path: entry.owner for path, entry in tree.entries.items()},
        removed=removed_members(tree, segments, code, reasons, root=root),
        advice=advice_for(artifact, order) if isinstance(artifact, FunctionPlan) else None,
    )
