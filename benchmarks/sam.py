"""AWS SAM CLI: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli.html."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.measure import Failed, run
from benchmarks.projects import Edited, Project, export
from benchmarks.race import Contender
from benchmarks.workplace import KEPT, Workplace, tool

VERSION = "1.170.0"
TIMEOUT = 300.0
"""Seconds; with --use-container it waits forever for a builder that cannot start."""
LAYER = "Dependencies"
_CERTIFICATES = "/certificates.pem"


def container_layer(place: Workplace, project: Project, folder: Path) -> Contender:
    """``sam build --use-container`` of the layer, and the zip that it does not make."""
    _write_project(place, project, folder, {}, python=project.python)
    sam, image = ensure_sam(place), build_image(place, project)
    options = ["--use-container", "--build-image", image, "--skip-pull-image"]
    return _contender(
        place,
        folder,
        [_sam(sam, LAYER, *options, *_container_environ(place)), _zip(LAYER, "python", "layer.zip")],
        label="sam build --use-container, zip -qr",
        short="sam build --use-container",
        archives=["layer.zip"],
    )


def cached_functions(place: Workplace, project: Project, folder: Path, source: str) -> Contender:
    """``sam build --cached`` of the functions after an edit, and a zip of each.

    It runs on the host, where it is quicker than in a container, and there is no layer in its template. The functions
    have no dependencies of their own, so that any runtime will do: it is that of the Python at hand.
    """
    functions = {f"Function{number}": name for number, name in enumerate(project.functions, 1)}
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    _write_project(place, project, folder, functions, python=python)
    sam = ensure_sam(place)
    argv = _sam(sam, "--cached", "--parallel")
    _set_up(place, ["sh", "-c", argv], folder)
    zips = [_zip(function, ".", f"{name}.zip") for function, name in functions.items()]
    return _contender(
        place,
        folder,
        [argv, *zips],
        label=f"sam build --cached, code edited, {len(functions)} times zip -qr",
        short="sam build --cached",
        archives=[f"{name}.zip" for name in functions.values()],
        edited=Edited(folder / source),
    )


def ensure_sam(place: Workplace) -> Path:
    """The SAM CLI in an environment of its own, which is kept for the next time; raises Failed."""
    folder = KEPT / f"aws-sam-cli-{VERSION}"
    sam = folder / "bin" / "sam"
    if not sam.exists():
        _set_up(place, [tool("uv"), "venv", "--clear", "--python", sys.executable, str(folder)], place.folder)
        install = [tool("uv"), "pip", "install", "--python", str(folder), f"aws-sam-cli=={VERSION}"]
        _set_up(place, install, place.folder)
    return sam


def build_image(place: Workplace, project: Project) -> str:
    """The build image of SAM's, or its like on the Lambda image where it cannot be pulled; raises Failed.

    It is a derived one in both cases: with the certificates of this machine, and with the label by which the
    containers that SAM makes are found at the end.
    """
    image = f"{place.name}/sam-build-python{project.python}"
    folder = place.folder / "sam-image"
    if folder.exists():
        return image
    folder.mkdir()
    real = f"public.ecr.aws/sam/build-python{project.python}:latest-{project.architecture}"
    lines = ["ENTRYPOINT []"]
    if place.certificates:
        shutil.copyfile(place.certificates, folder / "certificates.pem")
        lines += [
            f"COPY certificates.pem {_CERTIFICATES}",
            f"ENV PIP_CERT={_CERTIFICATES} SSL_CERT_FILE={_CERTIFICATES}",
        ]
    if _has(place, real):
        lines.insert(0, f"FROM {real}")
    else:
        lines.insert(0, f"FROM {place.image(project.python, project.architecture)}")
        lines += [
            *(f"ARG {name}" for name in place.container_environ()),
            "RUN python3 -m venv /opt/builders && /opt/builders/bin/pip install -q aws-lambda-builders "
            "&& ln -s /opt/builders/bin/lambda-builders /usr/local/bin/",
        ]
    (folder / "Dockerfile").write_text("\n".join(lines) + "\n", encoding="utf-8")
    given = (word for item in place.container_environ().items() for word in ("--build-arg", "=".join(item)))
    place.engine("build", "--label", place.label, "--tag", image, *given, str(folder), timeout=600)
    return image


def _has(place: Workplace, image: str) -> bool:
    for argv, timeout in ((["image", "inspect", image], 60), (["pull", "--quiet", image], 600)):
        try:
            place.engine(*argv, timeout=timeout)
        except Failed:
            continue
        return True
    return False


def _set_up(place: Workplace, argv: Sequence[str], cwd: Path) -> None:
    run(argv, cwd=cwd, environ=_environ(place), log=place.folder / "set-up.log", timeout=900, measured=False)


def _write_project(
    place: Workplace, project: Project, folder: Path, functions: Mapping[str, str], *, python: str
) -> None:
    """The functions if there are any, else the layer."""
    if functions:
        shutil.copytree(project.folder / "src", folder / "src")
    else:
        export(place, project.folder, folder / "layer" / "requirements.txt")
    resources = functions or [LAYER]
    text = "".join(_resource(name, python, project.architecture, layer=not functions) for name in resources)
    (folder / "template.yaml").write_text(
        "AWSTemplateFormatVersion: '2010-09-09'\nTransform: AWS::Serverless-2016-10-31\nResources:\n" + text,
        encoding="utf-8",
    )


def _resource(name: str, python: str, architecture: str, *, layer: bool) -> str:
    if layer:
        return f"""  {name}:
    Type: AWS::Serverless::LayerVersion
    Metadata: {{BuildMethod: python{python}, BuildArchitecture: {architecture}}}
    Properties: {{ContentUri: layer, CompatibleRuntimes: [python{python}]}}
"""
    return f"""  {name}:
    Type: AWS::Serverless::Function
    Properties: {{CodeUri: src, Handler: app.handler, Runtime: python{python}, Architectures: [{architecture}]}}
"""


def _contender(
    place: Workplace,
    folder: Path,
    commands: Sequence[str],
    *,
    label: str,
    short: str,
    archives: Sequence[str],
    edited: Edited | None = None,
) -> Contender:
    made = [folder / archive for archive in archives]

    def prepare() -> None:
        if edited is None:
            shutil.rmtree(folder / ".aws-sam", ignore_errors=True)
        else:
            edited.edit()
        for archive in made:
            archive.unlink(missing_ok=True)

    return Contender(
        name="sam",
        label=label,
        short=short,
        argv=["sh", "-c", " && ".join(commands)],
        cwd=folder,
        environ=_environ(place),
        prepare=prepare,
        archives=made,
        timeout=TIMEOUT,
    )


def _sam(sam: Path, *argv: str) -> str:
    return shlex.join([str(sam), "build", *argv])


def _zip(resource: str, tree: str, archive: str) -> str:
    """Zip what SAM leaves, into the project's folder."""
    return f"(cd .aws-sam/build/{resource} && zip -qr ../../../{shlex.quote(archive)} {tree})"


def _environ(place: Workplace) -> dict[str, str]:
    """With the Python at hand on the PATH, by the name that SAM looks for."""
    return {**place.environ, "PATH": f"{Path(sys.executable).parent}:{place.environ.get('PATH', '')}"}


def _container_environ(place: Workplace) -> list[str]:
    return [word for item in place.container_environ().items() for word in ("--container-env-var", "=".join(item))]
