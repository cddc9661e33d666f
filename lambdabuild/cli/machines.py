"""Makes the machines of a build from the options and the environment, runs it and tells what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lambdabuild import configfile
from lambdabuild.buildstate import Told
from lambdabuild.cli.cache import read_bound
from lambdabuild.cli.options import BuildOptions, choose_targets, find_output, find_output_file, open_project
from lambdabuild.cli.unchanged import Recorder
from lambdabuild.cli.wiring import wire
from lambdabuild.console import Console
from lambdabuild.environment import environment
from lambdabuild.errors import UsageError
from lambdabuild.model.config import ProjectConfig
from lambdabuild.model.limits import judged
from lambdabuild.model.outputs import is_configured, name_output
from lambdabuild.model.plan import Plan
from lambdabuild.model.planning import plan_fat, plan_layers, plan_slim
from lambdabuild.model.report import MANIFEST, Artifact, Report
from lambdabuild.pipeline.build import build, propose_split
from lambdabuild.pipeline.order import Order, Verify
from lambdabuild.placing import PENDING
from lambdabuild.steps.discover import find_needs

if TYPE_CHECKING:
    pass

_VERIFY: Mapping[bool | None, Verify] = {None: "auto", True: "always", False: "never"}


def run_build(
    options: BuildOptions,
    project: Path,
    config: ProjectConfig,
    plan: Plan,
    recorder: Recorder,
    *,
    split: str = "no",
    configured: ProjectConfig | None = None,
) -> None:
    """Build the plan and tell what came of it; ``split`` is ``no``, ``propose`` or ``make``. ``configured`` is what the
    project says, where ``config`` is of the command line."""
    console = Console(as_json=options.as_json, timings=options.timings)
    environ = environment()
    file = find_output_file(options.output)
    if file is not None:
        if split == "make":
            raise UsageError(f"--split --make makes several layers, and {file} is one file")
        plan = name_output(plan, file)
    order = replace(
        _order(options, project, config, plan, environ),
        split=split != "no",
        configured=partial(
            is_configured, configured or config, asked=frozenset(function.name for function in plan.functions)
        ),
    )
    bound = read_bound(environ)
    machines = wire(options, project, config, console, environ, output=order.output)
    try:
        if split == "propose":
            console.proposed(propose_split(order, machines))
        else:
            report = build(order, machines)
            _keep(report, order, recorder, console.report(report), console)
            if report.installed:
                from lambdabuild.housekeeping import prune_if_free  # the cache has only grown when something is new

                prune_if_free(machines.cache, bound)
    finally:
        console.quiet()


def _keep(report: Report, order: Order, recorder: Recorder, told: Told, console: Console) -> None:
    """Keep what the build read and said, for the next one to stop at when nothing has changed."""
    for name in (MANIFEST, PENDING, *(artifact.file for artifact in report.artifacts)):
        recorder.ledger.note(str(order.output / name))
    dates = [target.runtime.deprecation for target in order.plan.targets]
    until = min((day + timedelta(days=1) for day in dates if day and day >= order.today), default=date.max)
    changed = recorder.keep(told, until=until.isoformat())
    if changed is not None:
        console.notice(f"{changed} was changed during the build; build again", code="changed-meanwhile")


def run_verify(
    names: tuple[str, ...], *, project: Path | None, output: Path | None, timeout: float | None, as_json: bool
) -> None:
    """Verify what stands in the output folder and tell what came of it; raises PolicyError for what is broken."""
    from lambdabuild.model.verification import verification_document  # no build needs these
    from lambdabuild.pipeline.refusals import environs_of
    from lambdabuild.pipeline.standing import Standing, verify_standing
    from lambdabuild.steps.verify import TIMEOUT

    folder, config = open_project(project, bare=True)
    console = Console(as_json=as_json)
    environ = environment()

    def to_order(artifact: Artifact) -> Order:
        options = _options(artifact)
        return _order(options, folder, config, plan_again(artifact, options, folder, config), environ)

    asked = Standing(
        output=find_output(output, folder, config),
        names=names,
        configured=config.functions,
        timeout=timeout or TIMEOUT,
        environs=environs_of(config),
        to_order=to_order,
    )
    try:
        machines = wire(BuildOptions(), folder, config, console, environ, output=asked.output)
        verification, findings = verify_standing(asked, machines)
        console.verified(verification, findings)
    finally:
        console.quiet()
    judged(findings, tolerant=False, document={"verification": verification_document(verification)})


def plan_again(artifact: Artifact, options: BuildOptions, project: Path, config: ProjectConfig) -> Plan:
    """The plan of a build that made an artifact; raises UsageError where the configuration knows it no more."""
    targets = choose_targets(options, project, config)
    found = find_needs(project, (one for one in config.functions.values() if one.name == artifact.name))
    if artifact.kind == "layer":
        layers = plan_layers(config, targets, (artifact.part_of or artifact.name,), found)
        return layers if artifact.part_of else name_output(layers, artifact.file)
    plan = plan_slim if artifact.kind == "function" else plan_fat
    return name_output(plan(config, targets, (artifact.name,), found), artifact.file)


def _options(artifact: Artifact) -> BuildOptions:
    """Those of a build that made an artifact."""
    builder = artifact.provenance.builder
    return BuildOptions(
        python=artifact.runtime.removeprefix("python"),
        architecture=artifact.architecture,
        builder=None if builder == "none" else builder,
        skip_validation=True,
        verify=False,
    )


def _order(
    options: BuildOptions, project: Path, config: ProjectConfig, plan: Plan, environ: Mapping[str, str]
) -> Order:
    return Order(
        project=project,
        config=config,
        plan=plan,
        output=find_output(options.output, project, config),
        lock=options.lock,
        clean=options.clean,
        split=False,
        tolerant=options.skip_validation,
        upload=options.upload or config.upload or options.upload_default,
        verify=_VERIFY[options.verify],
        today=datetime.now(tz=timezone.utc).date(),
        epoch=configfile.read_source_date_epoch(environ),
    )
