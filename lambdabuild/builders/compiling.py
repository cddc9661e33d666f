"""Source distributions, folders and commits, built in a container of the builder image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

from lambdabuild import uv
from lambdabuild.builders.base import ReadTree, room_folder
from lambdabuild.builders.container import TREE, WORK, running
from lambdabuild.builders.download import fetch
from lambdabuild.builders.engine import Engine, python_of
from lambdabuild.builders.failures import KeepLog, build_failure
from lambdabuild.builders.handover import Handover
from lambdabuild.builders.secrets import tls_context
from lambdabuild.builders.tar import read_installed
from lambdabuild.builders.trees import TreeFile, build_environment, build_input, folder_entries
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.forwarding import forwarded_without_credentials
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Target


@contextmanager
def sources_built(
    sources: Mapping[int, Pin],
    target: Target,
    *,
    engine: Engine,
    image: str,
    handover: Handover,
    environ: Mapping[str, str],
    output: Path | None,
    keep_log: KeepLog,
    listen: Listener,
) -> Iterator[ReadTree]:
    """Build distributions, by room, in a container of the builder image, which sees no credentials and is lent nothing:
    it runs code of others. Raises BuildError when one cannot be built, and what ``build_input`` raises."""
    python = python_of(target)
    with running(engine.client, image, python=python, cache=None) as container:
        folders = folder_entries("tmp", "tree", *(f"tree/{room_folder(n)}" for n in sources))
        container.put(WORK, [*folders, *handover.files()])
        settings = handover.settings(f"{WORK}/tmp/uv-cache") | {"TMPDIR": f"{WORK}/tmp", "HOME": f"{WORK}/tmp"}
        inside = handover.uv(container, forwarded_without_credentials(environ) | settings)
        fetch_file = partial(fetch, credentials=handover.credentials, tls=tls_context(environ))
        for room, pin in sources.items():
            listen(Event(phase="build", text=f"building {pin} from source"))
            source = build_input(pin, environ, fetch=fetch_file, without=output)
            container.put(WORK, _with_folders((f"source-{room}/{file[0]}", *file[1:]) for file in source.files))
            folder = f"{TREE}/{room_folder(room)}"
            argv = uv.build_command(f"{WORK}/source-{room}/{source.path}", folder, python=python)
            ran = inside.run(argv, also=build_environment(pin), doing=f"building {pin}")
            container.check_memory(doing=f"building {pin}")
            if ran.returncode != 0:
                raise build_failure(pin, ran.stderr, keep_log=keep_log, place=" in the builder image")
        yield lambda rooms: read_installed(container.get(TREE), rooms=rooms)


def _with_folders(files: Iterable[TreeFile]) -> list[TreeFile]:
    """Files and all folders above them, which the build user may write to."""
    files = list(files)
    above = {parent.as_posix() for path, _, _ in files for parent in PurePosixPath(path).parents if parent.name}
    return [*folder_entries(*sorted(above)), *files]
