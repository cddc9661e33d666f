"""Wheels installed in a container of the Lambda image."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path

from lambdabuild import uv
from lambdabuild.builders.base import FILES, InstalledFile, ReadTree, counted, room_folder, room_pylock
from lambdabuild.builders.container import CACHE, TREE, WORK, Container, running
from lambdabuild.builders.engine import Engine, python_of
from lambdabuild.builders.handover import Handover
from lambdabuild.builders.pipe import Pipe, Unreachable, opened, read_sent, sender
from lambdabuild.builders.tar import read_installed
from lambdabuild.builders.trees import folder_entries, read_file
from lambdabuild.model.credentials import redacted
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.forwarding import forwarded_without_credentials, without_indexes
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Target

log = logging.getLogger(__name__)

CACHE_VOLUME = "lambdabuild-uv-cache"
_GROWTH = 6
"""How many times its size a wheel takes unpacked; three to four is usual."""
_LARGE = 50_000_000
_MOST = 1 / 4
"""The share of the engine's memory up to which wheels are unpacked in memory, not on its disk."""
_PIPE = "/lambdabuild/files"
_READING = "reading the installed tree"


@contextmanager
def wheels_installed(
    rooms: Mapping[int, tuple[Pin, ...]],
    target: Target,
    *,
    engine: Engine,
    handover: Handover,
    environ: Mapping[str, str],
    scratch: Callable[[], AbstractContextManager[Path]],
    listen: Listener,
) -> Iterator[ReadTree]:
    """Install wheels, by room, in a container that may see credentials and runs no code of a distribution."""
    image = engine.ensure(engine.native(target), listen)
    python = python_of(target)
    in_memory = _unpacked(rooms.values()) < engine.memory * _MOST
    with ExitStack() as stack:
        pipe = stack.enter_context(opened(scratch)) if engine.near else None
        container = stack.enter_context(
            running(
                engine.client,
                str(image.id),
                python=python,
                cache=CACHE_VOLUME,
                in_memory=in_memory,
                lend={_PIPE: pipe.path} | handover.loans() if pipe is not None else {},
            )
        )
        count = counted(sum(map(len, rooms.values())))
        listen(Event(phase="install", text=f"installing {count} for {target} in the image"))
        locks = [(room_pylock(n), 0o400, uv.format_pylock(pins, folder=FILES).encode()) for n, pins in rooms.items()]
        local = {pin for pins in rooms.values() for pin in pins if pin.path is not None}
        files = [(f"{FILES}/{pin.filename}", 0o400, read_file(pin)) for pin in local]
        folders = folder_entries(FILES, "tree", *(f"tree/{room_folder(n)}" for n in rooms))
        container.put(WORK, [*folders, *locks, *files, *handover.files()])
        public = without_indexes(forwarded_without_credentials(environ))
        inside = handover.uv(container, public | handover.settings(f"{CACHE}/uv"))
        run = partial(inside.run, doing="installing in the container")
        urls = [pin.url for pins in rooms.values() for pin in pins if pin.path is None]
        private = None
        for room in rooms:
            folder = f"{TREE}/{room_folder(room)}"
            command = partial(uv.install_command, room_pylock(room), folder, target, python=python)
            if run(command(offline=True)).returncode == 0:
                continue
            if private is None:
                container.put(CACHE, folder_entries("uv"))  # a new volume has none, where that attempt fails
                private = handover.put_credentials(container, urls)
            ran = run(command(offline=False), private=private)
            if ran.returncode != 0:
                container.check_memory(doing="installing in the container")
                stderr = redacted(ran.stderr, handover.credentials.secrets(urls))
                raise uv.failure("installing in the container", stderr)
        yield partial(_read_tree, container, pipe if container.lent else None)


def _unpacked(rooms: Iterable[Sequence[Pin]]) -> int:
    """Bytes that wheels will take at most, by experience; a wheel of which the lock tells no size counts as large."""
    return sum(_GROWTH * (pin.size or _LARGE) for pins in rooms for pin in pins)


def _read_tree(container: Container, pipe: Pipe | None, rooms: int) -> Iterator[InstalledFile]:
    """What was installed, through the pipe where it has two ends, else as the engine sends it."""
    if pipe is not None:
        argv = sender(container.python, TREE, _PIPE)
        try:
            yield from read_sent(pipe, partial(container.run, argv, environ={}, doing=_READING), rooms=rooms)
            return
        except Unreachable as why:
            log.debug("read through the engine: %s", why)
    yield from read_installed(container.get(TREE), rooms=rooms)
