"""Makes the machines of a build from the options and the environment, runs it and tells what came of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from functools import partial
from importlib.resources import files
from pathlib import Path

from lambdabuild import configfile, uv
from lambdabuild.builders.auto import AutoBuilder
from lambdabuild.builders.base import Builder
from lambdabuild.builders.host import HostBuilder
from lambdabuild.builders.secrets import read_credentials, read_settings
from lambdabuild.cache import Cache, default_root
from lambdabuild.cli.options import BuildOptions, find_output
from lambdabuild.console import Console
from lambdabuild.errors import UsageError
from lambdabuild.model.config import ProjectConfig
from lambdabuild.model.configvalues import find_image_problem
from lambdabuild.model.credentials import Credentials
from lambdabuild.model.forwarding import relevant
from lambdabuild.model.plan import Plan
from lambdabuild.pipeline.build import build, propose_split
from lambdabuild.pipeline.order import Machines, Order
from lambdabuild.steps.resolve import Resolver

DEFAULT_IMAGE = "public.ecr.aws/lambda/python:{python}"


def run_build(options: BuildOptions, project: Path, config: ProjectConfig, plan: Plan, *, split: str = "no") -> None:
    """Build the plan and tell what came of it; ``split`` is ``no``, ``propose`` or ``make``."""
    console = Console(as_json=options.as_json)
    environ = configfile.environment()
    order = Order(
        project=project,
        config=config,
        plan=plan,
        output=find_output(options.output, project, config),
        lock=options.lock,
        clean=options.clean,
        split=split != "no",
        tolerant=options.skip_validation,
        today=datetime.now(tz=timezone.utc).date(),
        epoch=configfile.read_source_date_epoch(environ),
    )
    machines = _machines(options, project, config, console, environ)
    try:
        if split == "propose":
            console.proposed(propose_split(order, machines))
        else:
            console.report(build(order, machines))
    finally:
        console.quiet()


def _machines(
    options: BuildOptions, project: Path, config: ProjectConfig, console: Console, environ: Mapping[str, str]
) -> Machines:
    credentials = partial(read_credentials, environ, project=project, home=Path.home())
    environ = relevant(environ, read_settings(environ, project=project, home=Path.home()))
    binary = uv.find_binary()
    version = uv.read_version(binary, environ=environ)
    cache = Cache(default_root(environ, home=Path.home(), platform=sys.platform))
    host = partial(HostBuilder, uv=binary, environ=environ, scratch=cache.scratch, credentials=credentials)
    docker = partial(_docker_builder, _image(environ, config), binary, version, environ, credentials)
    auto = partial(AutoBuilder, docker=docker, host=host, notice=console.notice)
    builders: dict[str, Callable[[], Builder]] = {"auto": auto, "docker": docker, "host": host}
    return Machines(
        resolver=Resolver(
            project=project,
            binary=binary,
            uv_version=version,
            environ=environ,
            runtimes=configfile.read_runtimes(),
            cache=cache,
            upgrade=options.upgrade,
        ),
        builder=builders[options.builder](),
        cache=cache,
        uv_version=version,
        listen=console.listen,
    )


def _image(environ: Mapping[str, str], config: ProjectConfig) -> str:
    asked = environ.get("LAMBDABUILD_IMAGE")
    if not asked:
        return config.image or DEFAULT_IMAGE
    problem = find_image_problem(asked)
    if problem is not None:
        raise UsageError(f"LAMBDABUILD_IMAGE: {problem}")
    return asked


def _docker_builder(
    image: str, binary: Path, version: str, environ: Mapping[str, str], credentials: Callable[[], Credentials]
) -> Builder:
    from lambdabuild.builders.docker import DockerBuilder
    from lambdabuild.builders.engine import Engine

    recipe = {
        file.name: file.read_bytes()
        for file in (files("lambdabuild.resources") / "builder_image").iterdir()
        if file.is_file()
    }
    engine = Engine(image=image, environ=environ)
    return DockerBuilder(
        engine=engine, uv=binary, uv_version=version, environ=environ, recipe=recipe, credentials=credentials
    )
