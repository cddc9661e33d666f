"""Images on the engine: the Lambda image, pulled when it is not there, and the builder image made from it."""

from __future__ import annotations

import hashlib
import http.client
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import docker
import docker.errors

from lambdabuild.builders.container import engine_errors
from lambdabuild.builders.endpoint import WITHOUT
from lambdabuild.builders.failures import last_lines
from lambdabuild.builders.ownership import LABEL
from lambdabuild.builders.tar import write_tar
from lambdabuild.errors import Code, LambdaBuildError, MachineError, UsageError
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.target import Target

if TYPE_CHECKING:
    from docker.models.images import Image as DockerImage


_CODE: Code = "image-unavailable"
_NAMED_BY = "image in [tool.lambdabuild], LAMBDABUILD_IMAGE"
_NO_REFERENCE = ("invalid reference format", "invalid tag format", "must be lowercase")
_RATE_LIMIT = ("toomanyrequests", "Too Many Requests", "rate limit")


def find_image(client: docker.DockerClient, reference: str, target: Target) -> DockerImage | None:
    """The image for the target's architecture, if the engine has it."""
    with engine_errors(f"looking for {reference}"):
        try:
            image = client.images.get(reference)
        except docker.errors.ImageNotFound:
            return None
        except docker.errors.APIError as error:
            if error.status_code == http.client.BAD_REQUEST:  # it says what is wrong when it is to pull it
                return None
            raise
    return image if image.attrs["Architecture"] == target.oci_architecture else None


def ensure_image(client: docker.DockerClient, reference: str, target: Target, listen: Listener) -> DockerImage:
    """The image for the target's architecture, pulled unless the engine has it already.

    A tag that the engine holds for another architecture is pulled again, and an image is only ever used by its id, so
    that a tag's architecture cannot change under a build.
    """
    wanted = target.oci_architecture
    found = find_image(client, reference, target)
    if found is not None:
        return found
    listen(Event(phase="image", text=f"pulling {reference}"))
    with engine_errors(f"pulling {reference}"):
        try:
            _pull(client, reference, f"linux/{wanted}")
            image = client.images.get(reference)
        except (docker.errors.APIError, _NotPulledError) as error:
            raise _pull_failure(client, reference, wanted, error) from error
    if image.attrs["Architecture"] != wanted:
        raise MachineError(
            f"the image {reference} is for {image.attrs['Architecture']}, not for {wanted}",
            hint="choose one for that architecture: {architecture} may stand in its name",
            code=_CODE,
        )
    return image


class _NotPulledError(Exception):
    """What the engine says of a pull that it had begun."""


def _pull(client: docker.DockerClient, reference: str, platform: str) -> None:
    repository, tag = _repository_and_tag(reference)
    for line in client.api.pull(repository, tag=tag, platform=platform, stream=True, decode=True):
        if "error" in line:  # the answer began well: docker-py's own pull passes over this
            raise _NotPulledError(str(line["error"]))


def _pull_failure(
    client: docker.DockerClient, reference: str, wanted: str, error: docker.errors.APIError | _NotPulledError
) -> LambdaBuildError:
    said = str(getattr(error, "explanation", None) or error).strip()
    if any(sign in said for sign in _NO_REFERENCE):
        return UsageError(f'"{reference}" is no image reference: {said}', hint=_NAMED_BY)
    hint = f"check the name ({_NAMED_BY}) and the registry's login{WITHOUT}"
    if any(sign in said for sign in _RATE_LIMIT):
        hint = "wait, log in (docker login), or name another registry's copy of the image"
    try:
        other = client.images.get(reference).attrs["Architecture"]
    except docker.errors.APIError:
        other = wanted
    here = f"\n  the engine has it for {other}, not for {wanted}" if other != wanted else ""
    return MachineError(
        f"the image {reference} cannot be pulled for linux/{wanted}: {said}{here}", hint=hint, code=_CODE
    )


def ensure_builder_image(
    client: docker.DockerClient,
    base: DockerImage,
    target: Target,
    *,
    recipe: Mapping[str, bytes],
    ca_bundle: bytes,
    proxies: Mapping[str, str],
    listen: Listener,
) -> str:
    """The id of the image with a compiler, made from the Lambda image when a distribution first needs it."""
    digest = hashlib.sha256(str(base.id).encode())
    for name, content in sorted(recipe.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    tag = f"lambdabuild-builder:{target.runtime.python}-{target.architecture}-{digest.hexdigest()[:16]}"
    with engine_errors("making the builder image"):
        try:
            return str(client.images.get(tag).id)
        except docker.errors.ImageNotFound:
            pass
        listen(Event(phase="image", text=f"adding a compiler to the {target} image"))
        context = io.BytesIO()
        write_tar(context, [(n, 0o755, c) for n, c in {**recipe, "ca-bundle.pem": ca_bundle}.items()], owner=0)
        context.seek(0)
        try:
            image, _ = client.images.build(
                fileobj=context,
                custom_context=True,
                tag=tag,
                rm=True,
                forcerm=True,
                labels={LABEL: "builder"},
                buildargs={"LAMBDA_IMAGE": str(base.id), **proxies},
                platform=f"linux/{target.oci_architecture}",
            )
        except docker.errors.BuildError as error:
            lines = "".join(line.get("stream", "") for line in error.build_log)
            raise MachineError(f"the builder image cannot be made: {error.msg}\n{last_lines(lines)}") from error
    return str(image.id)


def image_digest(image: DockerImage) -> str:
    """The registry's digest of an image, or for one that no registry knows its id."""
    digests = sorted(image.attrs.get("RepoDigests") or [])
    return str(digests[0].partition("@")[2] if digests else image.id)


def _repository_and_tag(reference: str) -> tuple[str, str | None]:
    if "@" in reference:
        return reference, None
    head, colon, tag = reference.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (reference, "latest")
