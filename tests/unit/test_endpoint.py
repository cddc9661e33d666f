"""builders.endpoint: where the engine is, and why none answers there."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from threading import Thread

import pytest

WAYS_OUT = "start Docker, set DOCKER_HOST, or build without it: --builder host"
TLS = "check DOCKER_CERT_PATH (else ~/.docker), DOCKER_TLS_VERIFY and the engine's certificates"


PROGRAM = """
import os
from lambdabuild.builders.engine import Engine
from lambdabuild.errors import MachineError
try:
    Engine(image="lambda:{python}", environ=dict(os.environ)).client
except MachineError as error:
    print(error.message, error.hint, sep="\\n")
"""


def why_not(**environ: str) -> tuple[str, ...]:
    """In a process of its own: docker-py reads where its configuration is from the process's environment."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environ, capture_output=True, text=True, check=True)
    return tuple(done.stdout.splitlines())


@pytest.fixture
def closed() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def deaf() -> Iterator[str]:
    """An address where something else than an engine answers, with a line."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    with server.accept()[0] as connection:
                        connection.recv(65536)
                        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                except OSError:
                    return

        Thread(target=answer, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def test_a_socket_that_is_not_there(tmp_path: Path) -> None:
    host = f"unix://{tmp_path}/no.sock"
    assert why_not(DOCKER_HOST=host) == (
        f"no Docker Engine answers at {host} (DOCKER_HOST): there is no such socket",
        WAYS_OUT,
    )


def test_nobody_listens(closed: str) -> None:
    assert why_not(DOCKER_HOST=f"tcp://{closed}") == (
        f"no Docker Engine answers at tcp://{closed} (DOCKER_HOST): connection refused",
        WAYS_OUT,
    )


def test_ssh_without_paramiko() -> None:
    assert why_not(DOCKER_HOST="ssh://me@127.0.0.1") == (
        "no Docker Engine answers at ssh://me@127.0.0.1 (DOCKER_HOST): ssh:// takes paramiko, which is not installed",
        "pip install 'docker[ssh]' beside lambdabuild",
    )


def test_certificates_that_are_not_there(closed: str, tmp_path: Path) -> None:
    assert why_not(DOCKER_HOST=f"tcp://{closed}", DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(tmp_path)) == (
        f"no Docker Engine answers at tcp://{closed} (DOCKER_HOST): "
        "TLS: ca.pem, cert.pem and key.pem are not in the folder of certificates",
        TLS,
    )


def test_a_password_in_the_address_is_not_told() -> None:
    assert "canary" not in " ".join(why_not(DOCKER_HOST="tcp://me:canary@127.0.0.1:1"))


def test_settings_of_other_types(tmp_path: Path, deaf: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"auths": 3}))
    assert why_not(DOCKER_CONFIG=str(tmp_path), DOCKER_HOST=f"tcp://{deaf}") == (
        f"no Docker Engine answers at tcp://{deaf} (DOCKER_HOST): Docker's config.json has a value of another type than"
        " Docker reads there ('int' object has no attribute 'items')",
        "docker version names the file and the key",
    )


def test_something_else_answers(deaf: str) -> None:
    message, hint = why_not(DOCKER_HOST=f"tcp://{deaf}")
    assert message.startswith(f"no Docker Engine answers at tcp://{deaf} (DOCKER_HOST): ")
    assert hint == WAYS_OUT


def test_a_context_that_is_not_there() -> None:
    assert why_not(DOCKER_CONTEXT="nowhere") == (
        'there is no Docker context "nowhere"',
        "docker context ls tells which there are; DOCKER_CONTEXT names this one",
    )


def test_the_current_context(tmp_path: Path) -> None:
    configuration = tmp_path / "config.json"
    configuration.write_text(json.dumps({"currentContext": "far"}))
    assert why_not(DOCKER_CONFIG=str(tmp_path)) == (
        'there is no Docker context "far"',
        "docker context ls tells which there are; currentContext in Docker's config.json names this one",
    )
    meta = tmp_path / "contexts" / "meta" / sha256(b"far").hexdigest() / "meta.json"
    meta.parent.mkdir(parents=True)
    endpoint = {"Host": f"unix://{tmp_path}/far.sock", "SkipTLSVerify": False}
    meta.write_text(json.dumps({"Name": "far", "Metadata": {}, "Endpoints": {"docker": endpoint}}))
    assert why_not(DOCKER_CONFIG=str(tmp_path)) == (
        f'no Docker Engine answers at unix://{tmp_path}/far.sock (the context "far"): there is no such socket',
        WAYS_OUT,
    )
    meta.write_text("{")
    assert why_not(DOCKER_CONFIG=str(tmp_path))[0].startswith('the Docker context "far" cannot be read: ')
