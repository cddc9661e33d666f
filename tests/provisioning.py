"""What brings wheels, for tests: a real fetcher over a real cache, and whichever builder."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import Any

from lambdabuild.builders.base import Builder, Image
from lambdabuild.cache import Cache
from lambdabuild.model.credentials import Credentials
from lambdabuild.model.events import Listener, ignore
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Target
from lambdabuild.provision import Provision
from lambdabuild.wheels.client import Client
from lambdabuild.wheels.fetch import Fetcher
from lambdabuild.wheels.store import WheelStore

IMAGE = Image(reference="lambda:3.13", digest="sha256:" + "12" * 32)
NEWER = Image(reference="lambda:3.13", digest="sha256:" + "34" * 32)
PLACE = "docker lambda:{python}"


def no_build(requirements: Sequence[str], target: Target, owner: str) -> Sequence[Pin]:
    """Resolves nothing: where only wheels are asked for."""
    raise AssertionError(f"{owner} requires {list(requirements)}")


def make_provision(
    cache: Cache,
    builder: Builder,
    *,
    listen: Listener = ignore,
    environ: Mapping[str, str] | None = None,
    **changes: Any,
) -> Provision:
    """A provision without settings; ``changes`` are fields of it."""

    def fetcher() -> Fetcher:
        client = Client(
            environ=environ or {},
            credentials=Credentials,
            tls=ssl.create_default_context,
            ask_helpers=lambda url, username: None,
        )
        return Fetcher(store=WheelStore(cache), client=client, listen=listen, delays=())

    plain: dict[str, Any] = {"resolve": no_build, "image_place": PLACE}
    return Provision(builder=builder, cache=cache, fetcher=fetcher, listen=listen, **plain | changes)
