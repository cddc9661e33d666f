"""Where the Docker Engine is, as the docker command finds it, and why none answers there."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from docker.constants import DEFAULT_UNIX_SOCKET
from docker.context import ContextAPI
from docker.context.config import get_current_context_name
from docker.errors import TLSParameterError

from lambdabuild.errors import ChoiceError, Code, MachineError
from lambdabuild.model.credentials import redacted

_CODE: Code = "engine-unavailable"
_DEFAULT = "default"
_TLS = "check DOCKER_CERT_PATH (else ~/.docker), DOCKER_TLS_VERIFY and the engine's certificates"
_SETTINGS = "Docker's config.json has a value of another type than Docker reads there ({})"
_MEND = "docker version names the file and the key"
WITHOUT = ", or build without it: --builder host"
"""The end of a hint about an engine that a build can do without."""
WAYS_OUT = f"start Docker, set DOCKER_HOST{WITHOUT}"


_CAUSES: tuple[tuple[str | type[BaseException], str, str | None], ...] = (
    ("paramiko", "ssh:// takes paramiko, which is not installed", "pip install 'docker[ssh]' beside lambdabuild"),
    (TLSParameterError, "TLS: ca.pem, cert.pem and key.pem are not in the folder of certificates", _TLS),
    (ssl.SSLError, "TLS: {}", _TLS),
    ("TLS", "TLS: {}", _TLS),
    (PermissionError, "permission denied", "become a member of the group that the socket belongs to, usually docker"),
    (FileNotFoundError, "there is no such socket", None),
    (ConnectionRefusedError, "connection refused", None),
    (TimeoutError, "it does not answer in time", None),
    (AttributeError, _SETTINGS, _MEND),
    (TypeError, _SETTINGS, _MEND),
)
"""What an error says or is, what went wrong, and what to do where that is special."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An engine's address, and who named it."""

    host: str
    origin: str
    """``DOCKER_HOST``, ``the context "…"``, ``the default socket``."""

    def __str__(self) -> str:
        return f"{self.host} ({self.origin})"


def find_endpoint(environ: Mapping[str, str]) -> Endpoint:
    """DOCKER_HOST, else the context that DOCKER_CONTEXT names, else the current one: ``docker context use``.

    Raises ChoiceError for a context that is not there, or cannot be read.
    """
    if environ.get("DOCKER_HOST"):
        return Endpoint(host=environ["DOCKER_HOST"], origin="DOCKER_HOST")
    named = environ.get("DOCKER_CONTEXT")
    name = named or get_current_context_name() or _DEFAULT
    if name == _DEFAULT:
        return Endpoint(host=DEFAULT_UNIX_SOCKET.replace("http+unix://", "unix://"), origin="the default socket")
    origin = "DOCKER_CONTEXT" if named else "currentContext in Docker's config.json"
    hint = f"docker context ls tells which there are; {origin} names this one"
    try:
        context = ContextAPI.get_context(name)
        host = None if context is None else context.endpoints["docker"]["Host"]
    except Exception as error:  # docker-py's own for a file that it cannot read
        raise ChoiceError(
            f'the Docker context "{name}" cannot be read: {_one_line(error)}', hint=hint, code=_CODE
        ) from error
    if not host:
        raise ChoiceError(f'there is no Docker context "{name}"', hint=hint, code=_CODE)
    return Endpoint(host=str(host), origin=f'the context "{name}"')


def no_answer(endpoint: Endpoint, error: BaseException) -> MachineError:
    """Why no engine answers, in a line."""
    cause, hint = _cause(error)
    text = f"no Docker Engine answers at {endpoint}: {cause}"
    if not endpoint.host.startswith("ssh://"):  # its user is no secret
        text = redacted(text)
    problem = MachineError(text, hint=hint or WAYS_OUT, code=_CODE)
    problem.__cause__ = error
    return problem


def _cause(error: BaseException) -> tuple[str, str | None]:
    """What went wrong, and what to do where that is special."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)
    for one in reversed(chain):
        for sign, cause_of, hint in _CAUSES:
            if sign in str(one) if isinstance(sign, str) else isinstance(one, sign):
                return cause_of.format(_one_line(one)), hint
    return _one_line(chain[-1]), None


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
