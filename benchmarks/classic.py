"""The classic recipe: pip or uv in the Lambda image, find -delete, zip -qr; and zip alone."""

from __future__ import annotations

import os
import shlex
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import Failed
from benchmarks.projects import Project, export
from benchmarks.race import Contender
from benchmarks.workplace import Workplace, tool

_CERTIFICATES = "/certificates.pem"
_SLIMMED = (
    r"find python -depth \( -name __pycache__ -o -name '*.dist-info' -o -name tests \) "
    r"-type d -exec rm -rf {} +"
)


def layer(
    place: Workplace,
    project: Project,
    folder: Path,
    then: str = "",
    also: Sequence[str] = (),
    *,
    installer: str = "pip",
) -> Contender:
    """The layer, from a warm cache of the installer's.

    ``then`` is done at the end, in the folder that ``python/`` is in, and makes the archives that ``also`` names.
    """
    if place.docker is None:
        raise Failed("no Docker Engine answers")
    export(place, project.folder, folder / "requirements.txt")
    volume = f"{place.name}-{installer}"
    place.engine("volume", "create", "--label", place.label, volume)
    install = shlex.join(_installed(place, project, folder, volume, installer))
    steps = [install, _SLIMMED, "zip -qr layer.zip python", *([then] if then else [])]
    with_uv = installer == "uv"
    return Contender(
        name="classic-uv" if with_uv else "classic",
        label=f"docker run {'uv ' if with_uv else ''}pip install, find -delete, zip -qr",
        short="classic recipe, uv" if with_uv else "classic recipe",
        argv=["sh", "-c", " && ".join(steps)],
        cwd=folder,
        environ=place.environ,
        prepare=lambda: _clear(place, project, folder),
        archives=[folder / f"{archive}.zip" for archive in ("layer", *also)],
    )


def zips(place: Workplace, archives: Sequence[Path], folder: Path, *, label: str, options: str = "-qr") -> Contender:
    """``zip`` of the trees in these archives, one after the other."""
    commands = []
    for archive in archives:
        with zipfile.ZipFile(archive) as content:
            content.extractall(folder / archive.stem)
        commands.append(f"(cd {shlex.quote(archive.stem)} && zip {options} ../{shlex.quote(archive.name)} .)")
    made = [folder / archive.name for archive in archives]

    def prepare() -> None:
        for archive in made:
            archive.unlink(missing_ok=True)

    return Contender(
        name="zip",
        label=label,
        short="zip -qr",
        argv=["sh", "-c", " && ".join(commands)],
        cwd=folder,
        environ=place.environ,
        prepare=prepare,
        archives=made,
    )


def _installed(place: Workplace, project: Project, folder: Path, volume: str, installer: str) -> list[str]:
    """The command; root in the container gives the tree to the caller, who has to zip it."""
    environ = {**place.container_environ(), "PIP_CACHE_DIR": "/cache", "PIP_ROOT_USER_ACTION": "ignore"}
    mounts = [f"{volume}:/cache", f"{folder}:/build"]
    script = "pip install -q --disable-pip-version-check -r requirements.txt -t python"
    if installer == "uv":
        mounts.append(f"{tool('uv')}:/usr/local/bin/uv:ro")
        environ |= {"UV_CACHE_DIR": "/cache", "UV_LINK_MODE": "copy"}
        if "PIP_INDEX_URL" in environ:
            environ["UV_DEFAULT_INDEX"] = environ["PIP_INDEX_URL"]
        script = "uv pip install -q --python python3 -r requirements.txt --target python"
    if place.certificates:
        mounts.append(f"{place.certificates}:{_CERTIFICATES}:ro")
        environ |= {"PIP_CERT": _CERTIFICATES, "SSL_CERT_FILE": _CERTIFICATES}
    if os.getuid() != 0:
        script += f" && chown -R {os.getuid()}:{os.getgid()} python"
    return [
        *(str(place.docker), "run", "--rm", "--label", place.label, "--workdir", "/build", "--entrypoint", "sh"),
        *(word for mount in mounts for word in ("--volume", mount)),
        *(word for name, value in environ.items() for word in ("--env", f"{name}={value}")),
        *(place.image(project.python, project.architecture), "-c", script),
    ]


def _clear(place: Workplace, project: Project, folder: Path) -> None:
    """Remove what the last run made; of root, where that was interrupted."""
    tree = folder / "python"
    if tree.exists():
        place.empty(tree, place.image(project.python, project.architecture))
        shutil.rmtree(tree)
    for archive in folder.glob("*.zip"):
        archive.unlink()
