"""Images on the engine: the Lambda image, pulled when it is not there, and the builder image made from it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import docker
import docker.errors

from lambdabuild.builders.container import engine_errors
from lambdabuild.builders.ownership import LABEL
from lambdabuild.builders.tar import write_tar
from lambdabuild.errors import MachineError
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.target import Target

if TYPE_CHECKING:
    from docker.models.images import Image as DockerImage


def find_image(client: docker.DockerClient, reference: str, target: Target) -> DockerImage | None:
    """The image for the target's architecture, if the engine has it."""
    with engine_errors(f"looking for {reference}"):
        try:
            image = client.images.get(reference)
        except docker.errors.ImageNotFound:
            return None
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
            image = client.images.pull(*_repository_and_tag(reference), platform=f"linux/{wanted}")
        except docker.errors.APIError as error:
            raise MachineError(
                f"the image {reference} cannot be pulled: {error.explanation or error}",
                hint="check the name (image in [tool.lambdabuild], LAMBDABUILD_IMAGE) and the registry's login, "
                "or build without it: --builder host",
                code="image-unavailable",
            ) from error
    if image.attrs["Architecture"] != wanted:
        raise MachineError(f"the image {reference} is for {image.attrs['Architecture']}, not for {wanted}")
    return image


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


def last_lines(text: str, most: int = 40) -> str:
    """The end of a program's output, indented, for a message."""
    return "\n".join(f"  {line}" for line in text.strip().splitlines()[-most:])


def _repository_and_tag(reference: str) -> tuple[str, str | None]:
    if "@" in reference:
        return reference, None
    head, colon, tag = reference.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (reference, "latest")
