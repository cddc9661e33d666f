"""The import profile of a function that was built: where the time of its init goes."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from lambdabuild.model.events import Event, Listener
from lambdabuild.model.functionenv import platform_environ
from lambdabuild.model.handler import split_handler
from lambdabuild.model.importpage import render_page
from lambdabuild.model.importtime import Owners, Profile, parse_importtime, with_owners
from lambdabuild.model.report import Artifact
from lambdabuild.steps.built import Built
from lambdabuild.steps.importtime import time_imports
from lambdabuild.steps.verify import ENVIRON, TIMEOUT

if TYPE_CHECKING:
    from lambdabuild.builders.sandbox import Sandboxes


def profile(
    built: Built, sandboxes: Sandboxes, listen: Listener, *, timeout: float | None = None
) -> tuple[Profile, Path]:
    """Import the handler's module in the image, and write the picture of it beside the archive.

    Raises PolicyError when it cannot be imported, MachineError when it cannot be tried.
    """
    function = built.function
    sandbox = sandboxes.make(built.target)
    listen(Event(phase="importtime", text=f"importing {function.handler} in the {built.target} image"))
    module = split_handler(function.handler or "")[0].replace("/", ".")
    platform = platform_environ(function=function.name, handler=function.handler or "", runtime=function.runtime)
    text, origins = time_imports(
        sandbox,
        built.path(function),
        [built.path(layer) for layer in built.layers],
        module=module,
        environ={**platform, **ENVIRON},
        timeout=timeout or TIMEOUT,
    )
    owners = Owners(layers=_owners(built.layers), function=_owners([function]))
    found = Profile(
        archive=function.file,
        handler=module,
        target=str(built.target),
        modules=with_owners(parse_importtime(text), origins, owners),
    )
    page = built.output / f"{Path(function.file).stem}.importtime.html"
    template = (files("lambdabuild.resources") / "importtime.html").read_text(encoding="utf-8")
    page.write_text(render_page(found, template), encoding="utf-8")
    return found, page


def _owners(artifacts: Iterable[Artifact]) -> dict[str, str]:
    """Distributions, by the modules that they make importable; of layers a later one lies over an earlier."""
    return {
        module: f"{share.name} {share.version}"
        for artifact in artifacts
        for share in artifact.distributions
        for module in share.modules
    }
