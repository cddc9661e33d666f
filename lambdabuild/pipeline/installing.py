"""What the artifacts of a plan need of others, installed for their targets."""

from __future__ import annotations

from dataclasses import replace

from lambdabuild.model.plan import Plan
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Target
from lambdabuild.pipeline.acquire import Resolutions
from lambdabuild.pipeline.order import Machines
from lambdabuild.pipeline.sidebyside import side_by_side
from lambdabuild.steps.install import Installed, install
from lambdabuild.steps.strip import Stripped, strip_symbols


def install_needs(
    plan: Plan, resolutions: Resolutions, machines: Machines
) -> tuple[dict[Target, Installed], dict[Target, Stripped]]:
    """The distributions of a plan, by target, where symbols are stripped without them; and what was stripped."""
    needed: dict[Target, set[Pin]] = {}
    for one in plan.artifacts:
        needed.setdefault(one.target, set()).update(resolutions[one.needs, one.target].pins)

    def install_for(target: Target) -> Installed:
        return install(
            sorted(needed[target], key=lambda pin: (pin.name, pin.version or "")),
            target,
            provision=machines.provision,
            uv_version=machines.resolver.uv_version,
            refresh=machines.resolver.upgrade,
        )

    targets = plan.targets
    each = side_by_side(targets, install_for, workers=len(targets), cancel=machines.builder.cancel)
    installed = dict(zip(targets, each, strict=True))
    stripped = {
        target: strip_symbols(
            one.segments, target, builder=machines.builder, cache=machines.cache, listen=machines.listen
        )
        for target, one in installed.items()
        if any(artifact.target == target and artifact.transforms.strip_symbols for artifact in plan.artifacts)
    }
    without = {target: replace(installed[target], segments=one.segments) for target, one in stripped.items()}
    return installed | without, stripped
