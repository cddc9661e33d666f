"""Runs finished zips the way Lambda does: the function at /var/task, its layers at /opt, in the runtime's own image.

The sandbox is as strict as the service's, or stricter: another user than the files' owner, nothing writable but /tmp,
no capability, no network. The zips are unpacked into volumes, so that a remote engine serves as well as a local one.
"""

import calendar
import io
import json
import stat
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast
from uuid import uuid4

import docker
import requests
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.types import Mount

LABEL = "dev.lambdabuild.test"
USER = "993:990"
PYTHON = "/var/lang/bin/python3"
TASK_ROOT = "/var/task"
LAYER_ROOT = "/opt"

TIMED_OUT = 124
GRACE = 15.0  # what a program in the sandbox that minds its deadline may be late by
CHUNK = 1 << 20
ARGUMENT_SIZE = 100_000  # Linux takes 131,072 bytes in one argument, and some 2 MB in all

# In the sandbox, beside the runtime: wait for the emulator, hand it the event, print its answer.
INVOKE = f"""
import http.client, json, signal, socket, sys, time

signal.signal(signal.SIGALRM, lambda *_: sys.exit({TIMED_OUT}))
signal.setitimer(signal.ITIMER_REAL, float(sys.argv[1]))
while True:
    try:
        socket.create_connection(("127.0.0.1", 8080)).close()
        break
    except ConnectionError:
        time.sleep(0.01)
emulator = http.client.HTTPConnection("127.0.0.1", 8080)
emulator.request("POST", "/2015-03-31/functions/function/invocations", "".join(sys.argv[2:]).encode())
answer = emulator.getresponse()
print(json.dumps([answer.status, answer.read().decode(errors="replace")]))
"""

# In the sandbox, instead of the runtime: import each module in a process of its own, on the runtime's import path.
IMPORT = f"""
import importlib, json, os, signal, site, sys, sysconfig, traceback

signal.signal(signal.SIGALRM, lambda *_: os._exit({TIMED_OUT}))
signal.setitimer(signal.ITIMER_REAL, float(sys.argv[1]))

python = "python%d.%d" % sys.version_info[:2]
site_directories = ["{TASK_ROOT}", "{LAYER_ROOT}/python/lib/" + python + "/site-packages", "{LAYER_ROOT}/python"]
sys.path[:1] = [*site_directories, sysconfig.get_path("purelib"), "/var/runtime"]
for directory in site_directories:
    site.addsitedir(directory)

def attempt(module):
    try:
        importlib.import_module(module)
    except BaseException as error:
        return "".join(traceback.format_exception_only(type(error), error)).strip().splitlines()[-1]

def fork(module):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(2, 1)
        os.write(writer, json.dumps(attempt(module)).encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        answer = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return json.loads(answer) if answer else "the interpreter died (%d)" % code

print(json.dumps({{module: fork(module) for module in sys.argv[2:]}}))
"""


@dataclass(frozen=True)
class Answer:
    payload: Any
    error: str | None  # "errorType: errorMessage" when the function failed
    log: str
    status: int


class SandboxError(RuntimeError):
    """The image did not get as far as running the function."""


class LambdaImage:
    """One image of the Lambda runtime, on one engine."""

    def __init__(self, client: docker.DockerClient, image: str) -> None:
        self._client = client
        self._image = image
        self._opt: Mount | None = None

    @contextmanager
    def layered(self, layers: Sequence[Path]) -> Iterator["LambdaImage"]:
        """The image with these layers unpacked once, for several calls that name none."""
        image = LambdaImage(self._client, self._image)
        with self._volume(LAYER_ROOT, layers) as image._opt:
            yield image

    def invoke(
        self,
        *,
        function: Path,
        handler: str,
        event: object,
        layers: Sequence[Path] = (),
        env: Mapping[str, str] | None = None,
        timeout: float = 30,
    ) -> Answer:
        """What the function answers to the event in a fresh sandbox. TimeoutError when it does not answer in time."""
        text = json.dumps(event)
        pieces = [text[at : at + ARGUMENT_SIZE] for at in range(0, len(text), ARGUMENT_SIZE)]
        with self._mounts(function, layers) as mounts, self._container(mounts, [handler], env=env) as container:
            container.start()
            try:
                code, streams = container.exec_run([PYTHON, "-IS", "-c", INVOKE, str(timeout), *pieces], demux=True)
            except APIError as error:
                raise SandboxError(f"{error}\n{_log(container)}") from error
            log = _log(container)
        output, complaint = cast("tuple[bytes | None, bytes | None]", streams)
        if code == TIMED_OUT:
            raise TimeoutError(f"{handler} did not answer within {timeout:g} s\n{log}")
        if code != 0 or output is None:
            raise SandboxError(f"exit status {code}\n{(complaint or b'').decode(errors='replace')}\n{log}")
        status, body = json.loads(output)
        return _answer(status, body, log)

    def imports(
        self, function: Path | None, layers: Sequence[Path], modules: Sequence[str], *, timeout: float = 60
    ) -> dict[str, str | None]:
        """None for each module that can be imported, or the last line of the exception."""
        command = ["-c", IMPORT, str(timeout), *modules]
        with (
            self._mounts(function, layers) as mounts,
            self._container(mounts, command, entrypoint=[PYTHON]) as container,
        ):
            container.start()
            code = _wait(container, timeout + GRACE)
            output = container.logs(stdout=True, stderr=False)
            log = _log(container)
        if code == TIMED_OUT:
            raise TimeoutError(f"the imports took more than {timeout:g} s\n{log}")
        if code != 0:
            raise SandboxError(f"exit status {code}\n{log}")
        answers: dict[str, str | None] = json.loads(output)
        return answers

    @contextmanager
    def _mounts(self, function: Path | None, layers: Sequence[Path]) -> Iterator[list[Mount]]:
        if self._opt is not None and layers:
            raise ValueError("the layers of this image are unpacked already")
        with ExitStack() as stack:
            opt = self._opt or stack.enter_context(self._volume(LAYER_ROOT, layers))
            task = stack.enter_context(self._volume(TASK_ROOT, [function] if function else []))
            yield [task, opt]

    @contextmanager
    def _volume(self, root: str, zips: Sequence[Path]) -> Iterator[Mount]:
        """A read-only mount of a volume that holds the unpacked zips. It is gone afterwards."""
        name = _unique_name()
        with ExitStack() as stack:
            stack.callback(self._remove_volume, name)  # before it exists: an interrupt may come at any point
            self._client.volumes.create(name, labels={LABEL: "1"})
            if zips:  # written through a container that is never started
                with self._container([Mount(root, name, no_copy=True)], []) as loader:
                    loader.put_archive(root, _tar(zips))
            yield Mount(root, name, read_only=True, no_copy=True)

    @contextmanager
    def _container(
        self,
        mounts: Sequence[Mount],
        command: Sequence[str],
        *,
        entrypoint: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Iterator[Container]:
        name = _unique_name()
        with ExitStack() as stack:
            stack.callback(self._remove_container, name)
            yield self._client.containers.create(
                self._image,
                list(command),
                name=name,
                labels={LABEL: "1"},
                entrypoint=None if entrypoint is None else list(entrypoint),
                environment=dict(env or {}),
                user=USER,
                mounts=list(mounts),
                read_only=True,
                tmpfs={"/tmp": "mode=1777"},
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                network_mode="none",
            )

    def _remove_container(self, name: str) -> None:
        with suppress(NotFound):
            self._client.api.remove_container(name, force=True, v=True)

    def _remove_volume(self, name: str) -> None:
        with suppress(NotFound):
            self._client.api.remove_volume(name, force=True)


def shaped_like(expected: Any, payload: Any) -> Any:
    """The payload without what ``expected`` does not speak of: ``shaped_like(expected, payload) == expected``.

    Where ``expected`` has an object and the payload a text, the text is read as JSON, as the body of an HTTP answer is.
    """
    if isinstance(expected, dict):
        if isinstance(payload, str):
            payload = json.loads(payload)
        if isinstance(payload, dict):
            return {key: shaped_like(expected[key], value) for key, value in payload.items() if key in expected}
    return payload


def _unique_name() -> str:
    return f"lambdabuild-test-{uuid4().hex[:12]}"


def _answer(status: int, body: str, log: str) -> Answer:
    try:
        payload = json.loads(body)
    except ValueError:
        payload = body
    error = None
    if isinstance(payload, dict) and "errorType" in payload:
        error = f"{payload['errorType']}: {payload.get('errorMessage', '')}"
    elif status != 200:
        error = f"HTTP {status}: {body}"
    return Answer(payload, error, log, status)


def _log(container: Container) -> str:
    return str(container.logs().decode(errors="replace"))


def _wait(container: Container, seconds: float) -> int:
    try:
        return int(container.wait(timeout=seconds)["StatusCode"])
    except requests.RequestException as error:
        raise TimeoutError(f"no end within {seconds:g} s\n{_log(container)}") from error


def _tar(zips: Sequence[Path]) -> Iterator[bytes]:
    """One tar that unpacks to what the zips unpack to one after the other, with every mode as the zip has it."""
    directories: set[PurePosixPath] = set()
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for path in zips:
            with zipfile.ZipFile(path) as archive:
                for member in archive.infolist():
                    name = PurePosixPath(member.filename)
                    if name.is_absolute() or ".." in name.parts:
                        raise ValueError(f"{path}: {member.filename!r} leads out of the archive")
                    for parent in reversed(name.parents[:-1]):
                        if parent not in directories:
                            tar.addfile(_directory(parent, 0o755))
                            directories.add(parent)
                    if member.is_dir():
                        tar.addfile(_directory(name, _mode(member)))
                        directories.add(name)
                    else:
                        _add_file(tar, archive, member)
                    if made.tell() >= CHUNK:
                        yield made.getvalue()
                        made.seek(0)
                        made.truncate()
    yield made.getvalue()  # never empty: a tar ends with zeros


def _add_file(tar: tarfile.TarFile, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    info = tarfile.TarInfo(member.filename)
    info.mode = _mode(member)
    info.mtime = calendar.timegm((*member.date_time, 0, 0, 0))
    if stat.S_ISLNK(member.external_attr >> 16):
        info.type = tarfile.SYMTYPE
        info.linkname = archive.read(member).decode()
        tar.addfile(info)
    else:
        info.size = member.file_size
        with archive.open(member) as content:
            tar.addfile(info, content)


def _directory(name: PurePosixPath, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(str(name))
    info.type = tarfile.DIRTYPE
    info.mode = mode
    return info


def _mode(member: zipfile.ZipInfo) -> int:
    return stat.S_IMODE(member.external_attr >> 16)
