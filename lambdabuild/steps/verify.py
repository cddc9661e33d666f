"""Finished archives unpacked in the runtime image as Lambda does it, and everything imported there."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambdabuild.errors import LambdaBuildError, MachineError, PolicyError
from lambdabuild.model.functionenv import platform_environ
from lambdabuild.model.handler import split_handler
from lambdabuild.model.segment import Member
from lambdabuild.model.unmet import find_unmet_need
from lambdabuild.model.verification import PROBE, Removed, Tried, parse_handler, parse_module, with_import_times
from lambdabuild.zipformat import pack, write_zip

if TYPE_CHECKING:
    from lambdabuild.builders.sandbox import Layers, Running, Sandbox

TIMEOUT = 60.0
"""Seconds that an import may take: six times what Lambda gives the init phase, for machines that emulate another."""
_MOST_AT_ONCE = 4
ENVIRON = {"AWS_EC2_METADATA_DISABLED": "true", "PYTHONFAULTHANDLER": "1"}
"""What makes boto3 look for no credentials where there are none, and an interpreter say where it was when it is
killed."""
_LAYERS_FUNCTION = "layers"
"""What the function is called that imports modules of layers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function's archive, and what of it is tried."""

    file: str
    name: str
    archive: Path
    handler: str
    modules: tuple[str, ...]
    """Of the distributions in it."""
    compiled: bool
    """Whether it has bytecode, so that it is measured what that saves."""
    environ: Mapping[str, str]
    """What its environment has besides Lambda's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Layers, in their order, with what is tried of them, and the functions that use them."""

    layers: tuple[Path, ...]
    modules: tuple[str, ...]
    functions: tuple[Function, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What the archives of a stack lack."""

    layers: tuple[Removed, ...]
    functions: Mapping[str, tuple[Removed, ...]]
    """By archive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An import of what is in the archives and, where that failed, of that with all that rules left out."""

    slim: Tried
    full: Tried | None = None
    untold: str | None = None
    """Why it was not tried with all that."""


Key = tuple[str | None, str]
"""The archive of a function, None for layers; and the handler or module."""


def list_paths(archive: Path) -> tuple[str, ...]:
    """The files in an archive; raises PolicyError for what is none."""
    try:
        with zipfile.ZipFile(archive) as opened:
            return tuple(info.filename for info in opened.infolist() if not info.is_dir())
    except (OSError, zipfile.BadZipFile) as error:
        raise PolicyError(f"{archive} is not a zip file: {error}", hint="build it again") from error


def try_stack(
    sandbox: Sandbox, stack: Stack, *, timeout: float, find_missing: Callable[[], Missing]
) -> dict[Key, Attempt]:
    """Import every handler, and the modules, and what fails once more with what ``find_missing`` tells of.

    Raises MachineError when the engine fails, PolicyError for an archive that cannot be unpacked.
    """
    archives = stack.layers
    handlers: dict[str | None, str] = {function.file: function.handler for function in stack.functions}
    with sandbox.layered(archives) as layers, _threads(sandbox) as pool:
        trial = _Trial(sandbox, layers, timeout)
        jobs: dict[str | None, Future[tuple[Tried, ...]]] = {None: pool.submit(trial.modules, stack.modules)}
        jobs |= {function.file: pool.submit(trial.function, function) for function in stack.functions}
        attempts: dict[Key, Attempt] = {
            (file, tried.name): Attempt(slim=tried) for file, job in jobs.items() for tried in job.result()
        }
        failed = [key for key, attempt in attempts.items() if attempt.slim.failure]
        if not failed:
            return attempts
        try:
            missing = find_missing()
        except MachineError:
            raise
        except LambdaBuildError as error:
            return attempts | {key: replace(attempts[key], untold=error.message) for key in failed}
        again = [(file, name) for file, name in failed if not _is_settled(attempts[file, name], handlers.get(file))]
        whole = _try_whole(trial, stack, missing, again, pool)
        return attempts | {key: replace(attempts[key], full=tried) for key, tried in whole.items()}


def _is_settled(attempt: Attempt, handler: str | None) -> bool:
    """Whether a handler's failure is none that slimming could have a part in, or would take all of the time again."""
    failure = attempt.slim.failure
    assert failure is not None
    return attempt.slim.name == handler and (failure.kind == "timeout" or find_unmet_need(failure) is not None)


def _try_whole(
    trial: _Trial, stack: Stack, missing: Missing, failed: Sequence[Key], pool: ThreadPoolExecutor
) -> dict[Key, Tried]:
    """Try what failed with all that rules left out."""
    trial.add_to_layers(missing.layers)
    jobs: dict[str | None, Future[tuple[Tried, ...]]] = {}
    for function in (None, *stack.functions):
        file = function.file if function else None
        names = [name for of, name in failed if of == file]
        if names:
            removed = missing.functions.get(file, ()) if file else ()
            jobs[file] = pool.submit(trial.whole, function, removed, names)
    return {(file, tried.name): tried for file, job in jobs.items() for tried in job.result()}


class _Trial:
    """Runs programs of ours in sandboxes over the same layers, and reads their answers."""

    def __init__(self, sandbox: Sandbox, layers: Layers, timeout: float) -> None:
        self._sandbox = sandbox
        self._layers = layers
        self._timeout = timeout

    def modules(self, names: Sequence[str]) -> tuple[Tried, ...]:
        """Import modules of layers."""
        if not names:
            return ()
        with self._sandbox.running(_probe(), self._layers) as running:
            return self._import(running, None, names)

    def function(self, function: Function) -> tuple[Tried, ...]:
        """Let the runtime import the handler, and then import modules of the function's distributions."""
        with self._sandbox.running(function.archive, self._layers) as running:
            init = self._run(running, function, function.handler)["init"]
            raised = "failure" in init and (
                init["failure"]["kind"] == "raised" or init["failure"].get("status", -1) >= 0
            )
            if raised or function.modules or function.compiled:
                running.add(_probe())
            probed = self._import(running, function, [_module_of(function.handler)])[0] if raised else None
            tried = parse_handler(function.handler, init, probed)
            if function.compiled and not tried.failure:
                tried = self._measured(running, function, tried)
            return tried, *self._import(running, function, function.modules)

    def _measured(self, running: Running, function: Function, tried: Tried) -> Tried:
        """A handler that can be imported, with the time that this takes with bytecode and without."""
        event = {"module": _module_of(tried.name), "watch": False}
        events = [event | {"bytecode": bytecode} for bytecode in (True, False)]
        answers = self._run(running, function, f"{PROBE}.handler", events, fresh=True)["answers"]
        return with_import_times(tried, answers)

    def add_to_layers(self, removed: Sequence[Removed]) -> None:
        if removed:
            self._layers.add(_zipped(one.member for one in removed))

    def whole(self, function: Function | None, removed: Sequence[Removed], names: Sequence[str]) -> tuple[Tried, ...]:
        """Import with nothing left out, and watch what is opened; each in a process of its own."""
        archive = function.archive if function else _probe()
        modules = [_module_of(name) if function and name == function.handler else name for name in names]
        with self._sandbox.running(archive, self._layers) as running:
            if removed:
                running.add(_zipped(one.member for one in removed))
            if function:
                running.add(_probe())
            tried = self._import(running, function, modules, watch=True)
        return tuple(replace(one, name=name) for name, one in zip(names, tried, strict=True))

    def _import(
        self, running: Running, function: Function | None, names: Sequence[str], *, watch: bool = False
    ) -> tuple[Tried, ...]:
        if not names:
            return ()
        events = [{"module": name, "watch": watch, "bytecode": True} for name in names]
        told = self._run(running, function, f"{PROBE}.handler", events, fresh=watch)
        if "failure" in told["init"]:
            log = "\n".join(told["init"]["failure"]["log"])
            raise MachineError(f"the image's runtime does not start:\n{log}", hint="is it a Lambda image for Python?")
        return tuple(parse_module(name, answer) for name, answer in zip(names, told["answers"], strict=True))

    def _run(
        self,
        running: Running,
        function: Function | None,
        handler: str,
        events: Sequence[Mapping[str, Any]] = (),
        *,
        fresh: bool = False,
    ) -> Any:
        from lambdabuild.builders.sandbox import read_program

        name = function.name if function else _LAYERS_FUNCTION
        platform = platform_environ(function=name, handler=handler, runtime=self._sandbox.target.runtime.name)
        order = {
            "entrypoint": self._sandbox.entrypoint,
            "handler": handler,
            "timeout": self._timeout,
            "environ": {**platform, **ENVIRON, **(function.environ if function else {})},
            "events": events,
            "fresh": fresh,
        }
        stdin = json.dumps(order).encode()
        argv = [running.python, "-I", "-c", read_program("runtime_api.py")]
        ran = running.run(argv, stdin=b"%d\n" % len(stdin) + stdin, doing="importing in the sandbox")
        if ran.returncode != 0:
            raise MachineError(f"the imports cannot be tried in the image:\n{ran.stderr.strip()}")
        told = json.loads(ran.stdout)
        names = (handler, *(str(event["module"]) for event in events))
        for tried, one in zip(names, (told["init"], *told["answers"]), strict=False):
            if one.get("failure", {}).get("kind") == "exited":
                running.check_memory(doing=f"importing {tried} in the sandbox")
        return told


@contextmanager
def _threads(sandbox: Sandbox) -> Iterator[ThreadPoolExecutor]:
    """Threads that use sandboxes, none of which goes on when this one is interrupted."""
    pool = ThreadPoolExecutor(min(os.cpu_count() or 1, _MOST_AT_ONCE))
    try:
        yield pool
    except BaseException:
        sandbox.close()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _module_of(handler: str) -> str:
    """The module of a handler, as the runtime imports it."""
    return split_handler(handler)[0].replace("/", ".")


def _probe() -> bytes:
    from lambdabuild.builders.sandbox import read_program

    return _zipped([pack(f"{PROBE}.py", 0o644, read_program("probe.py").encode())])


def _zipped(members: Iterable[Member]) -> bytes:
    out = io.BytesIO()
    write_zip(out, members)
    return out.getvalue()
