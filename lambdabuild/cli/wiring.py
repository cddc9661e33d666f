"""Wires the machines of a build: what the work is done with, from the options, the environment and uv's settings.

What fetches, builds or speaks to an engine is loaded when it is first needed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambdabuild import configfile, uv
from lambdabuild.builders.auto import AutoBuilder
from lambdabuild.builders.base import Builder, place_of
from lambdabuild.builders.secrets import read_credentials, read_settings
from lambdabuild.cache import Cache, default_root
from lambdabuild.cli.options import BuildOptions
from lambdabuild.console import Console
from lambdabuild.environment import environment, home
from lambdabuild.errors import UsageError
from lambdabuild.model.choices import BUILDERS
from lambdabuild.model.config import ProjectConfig
from lambdabuild.model.configvalues import find_image_problem
from lambdabuild.model.credentials import Credentials
from lambdabuild.model.events import Listener
from lambdabuild.model.forwarding import relevant
from lambdabuild.model.target import Target
from lambdabuild.pipeline.order import Machines
from lambdabuild.provision import Provision
from lambdabuild.steps.resolve import Resolver
from lambdabuild.uvversion import read_version
from lambdabuild.wheels.wheelfile import WheelFile

if TYPE_CHECKING:
    from lambdabuild.builders.engine import Engine
    from lambdabuild.builders.sandbox import Sandboxes
    from lambdabuild.wheels.fetch import Fetcher

DEFAULT_IMAGE = "public.ecr.aws/lambda/python:{python}"


def wire(
    options: BuildOptions,
    project: Path,
    config: ProjectConfig,
    console: Console,
    environ: Mapping[str, str],
    *,
    output: Path,
) -> Machines:
    """The machines for builds of a project into a folder."""
    cache = Cache(
        default_root(environ, home=home(), platform=sys.platform),
        notice=partial(console.notice, code="cache-unwritable"),
    )
    image = _choose_image(environ, config)
    settings = read_settings(environ, project=project, home=home())
    environ = relevant(environ, settings)
    binary = uv.find_binary()
    wiring = _Wiring(
        project=project,
        output=output,
        environ=environ,
        settings=settings,
        binary=binary,
        uv_version=read_version(binary, environ=environ, cache=cache),
        cache=cache,
        listen=console.listen,
        engine=lru_cache(maxsize=1)(partial(_open_engine, image, environ)),
    )
    place = place_of(image, environ)
    builder = wiring.builder(
        _choose_builder(options, config, environ), place=place, notice=partial(console.notice, code="host-builder")
    )
    resolver = replace(wiring.resolver(), upgrade=options.upgrade, asking=builder.make_ready)
    provision = Provision(
        builder=builder,
        cache=cache,
        fetcher=lru_cache(maxsize=1)(wiring.fetcher),
        resolve=resolver.resolve_for_build,
        listen=console.listen,
        image_place=place,
        network=config.build.network,
        repair=config.build.repair,
        recipe=_digest_recipe,
    )
    return Machines(
        resolver=resolver,
        builder=builder,
        provision=provision,
        cache=cache,
        listen=console.listen,
        sandboxes=partial(_open_sandboxes, wiring.engine, console.listen),
    )


def open_sandboxes(config: ProjectConfig, listen: Listener) -> Sandboxes:
    """Where what was built is run; no engine is asked before it is needed."""
    environ = environment()
    return _open_sandboxes(partial(_open_engine, _choose_image(environ, config), environ), listen)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wiring:
    """What machines are made from."""

    project: Path
    output: Path
    environ: Mapping[str, str]
    settings: Sequence[Mapping[str, Any]]
    """uv's, tables as in uv.toml."""
    binary: Path
    """uv."""
    uv_version: str
    cache: Cache
    listen: Listener
    engine: Callable[[], Engine]

    def resolver(self) -> Resolver:
        return Resolver(
            project=self.project,
            binary=self.binary,
            uv_version=self.uv_version,
            environ=self.environ,
            runtimes=configfile.read_runtimes(),
            cache=self.cache,
            upgrade=False,
            output=self.output,
        )

    def builder(self, chosen: str, *, place: str, notice: Callable[[str], None]) -> Builder:
        if chosen == "host":
            return self.host_builder()
        host = self.host_builder if chosen == "auto" else None
        return AutoBuilder(docker=self.docker_builder, host=host, place=place, notice=notice)

    def host_builder(self) -> Builder:
        from lambdabuild.builders.host import HostBuilder

        return HostBuilder(
            uv=self.binary,
            environ=self.environ,
            scratch=self.cache.scratch,
            keep_log=self.cache.keep_log,
            output=self.output,
        )

    def docker_builder(self) -> Builder:
        from lambdabuild.builders.docker import DockerBuilder
        from lambdabuild.builders.recipe import read_recipe

        return DockerBuilder(
            engine=self.engine(),
            uv=self.binary,
            fetch_uv=self._fetch_uv,
            environ=self.environ,
            recipe=read_recipe(),
            scratch=self.cache.scratch,
            keep_log=self.cache.keep_log,
            output=self.output,
        )

    def fetcher(self) -> Fetcher:
        from lambdabuild.builders.secrets import tls_context
        from lambdabuild.wheels.client import Client
        from lambdabuild.wheels.fetch import Fetcher
        from lambdabuild.wheels.logins import LoginHelpers
        from lambdabuild.wheels.store import WheelStore

        client = Client(
            environ=self.environ,
            credentials=lru_cache(maxsize=1)(self._read_credentials),
            tls=partial(tls_context, self.environ),
            ask_helpers=LoginHelpers(uv=self.binary, environ=self.environ, settings=self.settings).find,
        )
        return Fetcher(store=WheelStore(self.cache), client=client, listen=self.listen)

    def _read_credentials(self) -> Credentials:
        return read_credentials(self.environ, project=self.project, home=home())

    def _fetch_uv(self, architecture: str) -> WheelFile:
        """The wheel of the uv at hand that runs in containers of an architecture."""
        target = Target(runtime=configfile.read_runtimes()[-1], architecture=architecture)
        pins = self.resolver().resolve_for_build([f"uv=={self.uv_version}"], target, "containers")
        ((pin, path),) = self.fetcher().fetch(pins).items()
        return WheelFile(path=path, filename=pin.filename)


def _choose_builder(options: BuildOptions, config: ProjectConfig, environ: Mapping[str, str]) -> str:
    asked = environ.get("LAMBDABUILD_BUILDER")
    if asked and asked not in BUILDERS:
        raise UsageError(f'LAMBDABUILD_BUILDER: "{asked}" is no builder', hint=f"choose one of {', '.join(BUILDERS)}")
    return options.builder or asked or config.builder or "auto"


def _choose_image(environ: Mapping[str, str], config: ProjectConfig) -> str:
    asked = environ.get("LAMBDABUILD_IMAGE")
    if not asked:
        return config.image or DEFAULT_IMAGE
    problem = find_image_problem(asked)
    if problem is not None:
        raise UsageError(f"LAMBDABUILD_IMAGE: {problem}")
    return asked


def _open_engine(image: str, environ: Mapping[str, str]) -> Engine:
    from lambdabuild.builders.engine import Engine
    from lambdabuild.leftovers import keep_note

    root = default_root(environ, home=home(), platform=sys.platform)
    return Engine(image=image, environ=environ, note=partial(keep_note, root))


def _open_sandboxes(engine: Callable[[], Engine], listen: Listener) -> Sandboxes:
    from lambdabuild.builders.sandbox import Sandboxes

    return Sandboxes(engine(), listen=listen)


def _digest_recipe() -> str:
    from lambdabuild.builders.recipe import own_recipe_digest

    return own_recipe_digest()
