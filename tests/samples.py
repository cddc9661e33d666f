"""Values that many tests need one of, whole and ordinary; a test names only what it is about."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

from lambdabuild.configfile import read_runtimes
from lambdabuild.model.needs import Locked
from lambdabuild.model.plan import FunctionPlan, LayerPlan
from lambdabuild.model.report import Artifact, Provenance, Share
from lambdabuild.model.requirements import Pin
from lambdabuild.model.segment import Member, Segment
from lambdabuild.model.sources import Sources
from lambdabuild.model.target import Runtime, Target, find_runtime
from lambdabuild.model.treatment import Slimming, Transforms
from lambdabuild.slices import each_with_data
from lambdabuild.zipformat import DEFLATED, pack

RUNTIMES = read_runtimes()


def runtime(python: str) -> Runtime:
    found = find_runtime(RUNTIMES, python)
    assert found is not None
    return found


def target(python: str = "3.13", architecture: str = "x86_64") -> Target:
    return Target(runtime=runtime(python), architecture=architecture)


def pin(name: str = "demo", version: str = "1.0", **changes: Any) -> Pin:
    url = f"https://files.example/{name}-{version}-py3-none-any.whl"
    return replace(Pin(name=name, version=version, kind="wheel", url=url, sha256="5e" * 32), **changes)


def member(path: str, content: str | bytes = "", mode: int = 0o644) -> Member:
    return pack(path, mode, content.encode() if isinstance(content, str) else content)


def segment(name: str, version: str, *members: Member, requires: tuple[str, ...] = ()) -> Segment:
    return Segment(name=name, version=version, requires=requires, members=members)


def layer_plan(name: str = "layer", **changes: Any) -> LayerPlan:
    plain = LayerPlan(
        name=name,
        target=target(),
        needs=Locked(),
        code=(),
        root="python/",
        sdk="bundle",
        may_be_empty=False,
        exclude=(),
        keep=(),
        gitignore=True,
        slimming=Slimming(),
        transforms=Transforms(),
        users=(),
    )
    return replace(plain, **changes)


def sources(**changes: Any) -> Sources:
    plain = Sources(
        owner="functions.api",
        handler="app.handler",
        source=None,
        folder=None,
        reachable=False,
        include=(),
        exclude=(),
        keep=(),
        gitignore=True,
    )
    return replace(plain, **changes)


def function_plan(name: str = "api", **changes: Any) -> FunctionPlan:
    plain = FunctionPlan(
        name=name,
        kind="function",
        target=target(),
        sources=sources(owner=f"functions.{name}"),
        needs=Locked(),
        attached=(),
        bundled=(),
        sdk="bundle",
        exclude=(),
        keep=(),
        slimming=Slimming(),
        transforms=Transforms(),
    )
    return replace(plain, **changes)


def artifact(file: str = "layer.zip", **changes: Any) -> Artifact:
    """A layer of one distribution."""
    plain = Artifact(
        name=file.removesuffix(".zip"),
        file=file,
        kind="layer",
        runtime="python3.13",
        architecture="x86_64",
        handler=None,
        layers=(),
        sha256="ab" * 32,
        content_digest="cd" * 32,
        zipped_size=1_234_567,
        unzipped_size=26_214_400,
        files=7,
        source_size=0,
        distributions=(Share(name="demo", version="1.0", size=26_214_400, files=7),),
        provenance=Provenance(builder="docker", image_digest="sha256:" + "12" * 32, uv="0.13.8", compressor="none"),
    )
    return replace(plain, **changes)


def content(member: Member) -> bytes:
    """What a member unpacks to."""
    ((_, data),) = each_with_data([member])
    return zlib.decompress(data, wbits=-15) if member.method == DEFLATED else data
