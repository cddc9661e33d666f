"""Whose a container is: what a run made is removed by it, or by a later one when it was killed."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import docker
import docker.errors
import requests.exceptions

from lambdabuild.builders.memory import limits
from lambdabuild.builders.owner import is_no_more, this_run
from lambdabuild.leftovers import leave_note

if TYPE_CHECKING:
    from docker.models.containers import Container as DockerContainer

log = logging.getLogger(__name__)

LABEL = "dev.lambdabuild"
_OF_A_RUN: dict[str, str | list[str] | bool] = {"label": f"{LABEL}=run"}
_FORGOTTEN = 7200
"""Seconds after which a container that does not run is nobody's: it ends by itself in half of that."""


def owner_labels() -> dict[str, str]:
    """Labels that tell whose container it is, so that a later run can remove what a killed one left."""
    return {LABEL: "run", f"{LABEL}.owner": this_run().text}


def create(client: docker.DockerClient, image: str, **settings: Any) -> DockerContainer:
    """Make a container of this run, or leave none: also when the run is interrupted before the engine has answered."""
    name = f"lambdabuild-{os.getpid()}-{os.urandom(4).hex()}"
    settings = {**limits(client), **settings}
    make = partial(client.containers.create, image, name=name, labels=owner_labels(), **settings)
    try:
        # In a thread, which is waited for in any case: a request that is broken off may be carried out all the same.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(int).result()  # a thread whose start is interrupted would not be waited for
            return pool.submit(make).result()
    except BaseException:
        with suppress(docker.errors.DockerException, requests.exceptions.RequestException):
            remove(client.containers.get(name))
        raise


def remove_orphans(client: docker.DockerClient) -> bool:
    """Remove the containers of this machine's runs that are no more, and those that were forgotten by any; tells
    whether there were some: then the engine may still be making others that the same run had asked for."""
    _remove_volumes(client, is_no_more)
    found = False
    for container in _of_runs(client):
        ended = container.attrs["State"] not in ("running", "paused", "restarting")
        forgotten = ended and time.time() - container.attrs["Created"] > _FORGOTTEN
        if forgotten or is_no_more(_owner_of(container)):
            log.debug("removing %s, left by a run that was killed", container.id)
            remove(container)
            found = True
    return found


def remove_own(client: docker.DockerClient) -> None:
    """Remove the containers of this run, whatever they do."""
    for container in _of_runs(client):
        if _owner_of(container) == this_run().text:
            remove(container)
    _remove_volumes(client, lambda owner: owner == this_run().text)


def _remove_volumes(client: docker.DockerClient, is_meant: Callable[[str], bool]) -> None:
    """Remove the volumes of owners that no container has any more: an engine may keep one that was busy when its
    container went, or that it made for a container which never came to be."""
    for volume in client.volumes.list(filters={**_OF_A_RUN, "dangling": True}):
        if is_meant(str((volume.attrs.get("Labels") or {}).get(f"{LABEL}.owner", ""))):
            with suppress(docker.errors.APIError):  # of a container that is being made
                volume.remove()


def _of_runs(client: docker.DockerClient) -> list[Any]:
    return client.containers.list(all=True, filters=_OF_A_RUN, sparse=True)


def _owner_of(container: Any) -> str:
    return str(container.attrs["Labels"].get(f"{LABEL}.owner", ""))


def remove(container: Any) -> None:
    """Remove a container and its nameless volumes; the next run tries again where the engine does not answer."""
    try:
        container.remove(force=True, v=True)
    except docker.errors.NotFound:
        pass
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        leave_note()
        log.debug("container %s was not removed: %s", container.short_id, error)
