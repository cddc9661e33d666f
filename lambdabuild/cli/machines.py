"""Makes the machines of a build from the options and the environment, runs it and tells what came of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambdabuild import configfile, uv
from lambdabuild.builders.auto import AutoBuilder
from lambdabuild.builders.base import Builder, place_of
from lambdabuild.builders.secrets import read_credentials, read_settings
from lambdabuild.buildstate import Told
from lambdabuild.cache import Cache, default_root
from lambdabuild.cli.cache import read_bound
from lambdabuild.cli.options import BuildOptions, choose_targets, find_output, find_output_file, open_project
from lambdabuild.cli.unchanged import Recorder
from lambdabuild.console import Console
from lambdabuild.environment import environment, home
from lambdabuild.errors import UsageError
from lambdabuild.model.choices import BUILDERS
from lambdabuild.model.config import ProjectConfig
from lambdabuild.model.configvalues import find_image_problem
from lambdabuild.model.credentials import Credentials
from lambdabuild.model.events import Listener
from lambdabuild.model.forwarding import relevant
from lambdabuild.model.limits import judged
from lambdabuild.model.outputs import is_configured, name_output
from lambdabuild.model.plan import Plan
from lambdabuild.model.planning import plan_fat, plan_layers, plan_slim
from lambdabuild.model.report import MANIFEST, Artifact, Report
from lambdabuild.pipeline.build import build, propose_split
from lambdabuild.pipeline.order import Machines, Order, Verify
from lambdabuild.placing import PENDING
from lambdabuild.provision import Provision
from lambdabuild.steps.discover import find_needs
from lambdabuild.steps.resolve import Resolver
from lambdabuild.uvversion import read_version

if TYPE_CHECKING:
    from lambdabuild.builders.engine import Engine
    from lambdabuild.builders.sandbox import Sandboxes
    from lambdabuild.wheels.fetch import Fetcher

_VERIFY: Mapping[bool | None, Verify] = {None: "auto", True: "always", False: "never"}
DEFAULT_IMAGE = "public.ecr.aws/lambda/python:{python}"


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
    machines = _machines(options, project, config, console, environ, output=order.output)
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
        machines = _machines(BuildOptions(), folder, config, console, environ, output=asked.output)
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


def _machines(
    options: BuildOptions,
    project: Path,
    config: ProjectConfig,
    console: Console,
    environ: Mapping[str, str],
    *,
    output: Path,
) -> Machines:
    credentials = partial(read_credentials, environ, project=project, home=home())
    settings = read_settings(environ, project=project, home=home())
    environ = relevant(environ, settings)
    binary = uv.find_binary()
    cache = Cache(
        default_root(environ, home=home(), platform=sys.platform),
        notice=partial(console.notice, code="cache-unwritable"),
    )
    version = read_version(binary, environ=environ, cache=cache)
    host = partial(_host_builder, binary, environ, cache, credentials, output)
    image = _image(environ, config)
    engine = lru_cache(maxsize=1)(partial(_engine, image, environ))
    docker = partial(
        _docker_builder,
        engine,
        binary,
        version,
        environ,
        cache=cache,
        credentials=credentials,
        output=output,
    )
    auto = partial(
        AutoBuilder, docker=docker, place=place_of(image, environ), notice=partial(console.notice, code="host-builder")
    )
    builders: dict[str, Callable[[], Builder]] = {
        "auto": partial(auto, host=host),
        "docker": partial(auto, host=None),
        "host": host,
    }
    builder = builders[_builder(options, config, environ)]()
    resolver = Resolver(
        project=project,
        binary=binary,
        uv_version=version,
        environ=environ,
        runtimes=configfile.read_runtimes(),
        cache=cache,
        upgrade=options.upgrade,
        output=output,
        asking=builder.make_ready,
    )
    return Machines(
        resolver=resolver,
        builder=builder,
        provision=Provision(
            builder=builder,
            cache=cache,
            fetcher=partial(
                _fetcher, binary, environ, cache, credentials=credentials, settings=settings, listen=console.listen
            ),
            resolve=resolver.resolve_for_build,
            listen=console.listen,
            image_place=place_of(image, environ),
            recipe=_recipe,
        ),
        cache=cache,
        listen=console.listen,
        sandboxes=partial(_sandboxes, engine, console.listen),
    )


def open_sandboxes(config: ProjectConfig, listen: Listener) -> Sandboxes:
    """Where what was built is run; no engine is asked before it is needed."""
    environ = environment()
    return _sandboxes(partial(_engine, _image(environ, config), environ), listen)


def _builder(options: BuildOptions, config: ProjectConfig, environ: Mapping[str, str]) -> str:
    asked = environ.get("LAMBDABUILD_BUILDER")
    if asked and asked not in BUILDERS:
        raise UsageError(f'LAMBDABUILD_BUILDER: "{asked}" is no builder', hint=f"choose one of {', '.join(BUILDERS)}")
    return options.builder or asked or config.builder or "auto"


def _image(environ: Mapping[str, str], config: ProjectConfig) -> str:
    asked = environ.get("LAMBDABUILD_IMAGE")
    if not asked:
        return config.image or DEFAULT_IMAGE
    problem = find_image_problem(asked)
    if problem is not None:
        raise UsageError(f"LAMBDABUILD_IMAGE: {problem}")
    return asked


def _engine(image: str, environ: Mapping[str, str]) -> Engine:
    from lambdabuild.builders.engine import Engine
    from lambdabuild.leftovers import keep_note

    root = default_root(environ, home=home(), platform=sys.platform)
    return Engine(image=image, environ=environ, note=partial(keep_note, root))


def _sandboxes(engine: Callable[[], Engine], listen: Listener) -> Sandboxes:
    from lambdabuild.builders.sandbox import Sandboxes

    return Sandboxes(engine(), listen=listen)


def _recipe() -> str:
    from lambdabuild.builders.recipe import own_recipe_digest  # for who builds from source

    return own_recipe_digest()


def _fetcher(
    binary: Path,
    environ: Mapping[str, str],
    cache: Cache,
    *,
    credentials: Callable[[], Credentials],
    settings: Sequence[Mapping[str, Any]],
    listen: Listener,
) -> Fetcher:
    from lambdabuild.builders.secrets import tls_context  # with all that fetches: where nothing is new, unused
    from lambdabuild.wheels.client import Client
    from lambdabuild.wheels.fetch import Fetcher
    from lambdabuild.wheels.logins import LoginHelpers
    from lambdabuild.wheels.store import WheelStore

    helpers = LoginHelpers(uv=binary, environ=environ, settings=settings)
    client = Client(
        environ=environ,
        credentials=lru_cache(maxsize=1)(credentials),
        tls=partial(tls_context, environ),
        ask_helpers=helpers.find,
    )
    return Fetcher(store=WheelStore(cache), client=client, listen=listen)


def _host_builder(
    binary: Path, environ: Mapping[str, str], cache: Cache, credentials: Callable[[], Credentials], output: Path
) -> Builder:
    from lambdabuild.builders.host import HostBuilder  # with all that fetches and builds: where nothing is new, unused

    return HostBuilder(
        uv=binary,
        environ=environ,
        scratch=cache.scratch,
        keep_log=cache.keep_log,
        credentials=credentials,
        output=output,
    )


def _docker_builder(
    engine: Callable[[], Engine],
    binary: Path,
    version: str,
    environ: Mapping[str, str],
    *,
    cache: Cache,
    credentials: Callable[[], Credentials],
    output: Path,
) -> Builder:
    from lambdabuild.builders.docker import DockerBuilder
    from lambdabuild.builders.recipe import read_recipe

    return DockerBuilder(
        engine=engine(),
        uv=binary,
        uv_version=version,
        environ=environ,
        recipe=read_recipe(),
        scratch=cache.scratch,
        keep_log=cache.keep_log,
        credentials=credentials,
        output=output,
    )
