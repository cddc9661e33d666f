"""What the building commands share: their options, and what follows from them with the project's configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lambdabuild.errors import UsageError
from lambdabuild.model.choices import ARCHITECTURES, BUILDERS, UPLOADS, Upload
from lambdabuild.values import dataclass

if TYPE_CHECKING:
    from lambdabuild.model.config import ProjectConfig
    from lambdabuild.model.runtimes import Targets

F = TypeVar("F", bound=Callable[..., Any])

_UPLOAD_OPTIONS = (
    click.option(
        "--upload",
        type=click.Choice(UPLOADS),
        help="How the zips come to Lambda: over 50 MiB direct fails, s3 is silent. [default: as configured, else warn]",
    ),
    click.option("--upload-default", type=click.Choice(UPLOADS), hidden=True, help="When nothing else says it."),
)
"""The second is for the classic doors, which take it that archives are uploaded directly."""
_OPTIONS = (
    click.option(
        "--project",
        type=click.Path(path_type=Path),
        help="Folder of the project. [default: here or the nearest above]",
    ),
    click.option(
        "--project-default",
        type=click.Path(path_type=Path),
        hidden=True,
        help="Where the current folder is in none, for the classic doors.",
    ),
    click.option(
        "--output",
        "-o",
        type=click.Path(path_type=Path),
        help="Folder that the artifacts go to, or the FILE.zip of one. [default: dist/lambda in the project]",
    ),
    click.option("--python", metavar="X.Y", help="Runtime to build for. [default: as configured]"),
    click.option("--architecture", type=click.Choice(ARCHITECTURES), help="[default: as configured, else x86_64]"),
    click.option(
        "--builder",
        type=click.Choice(BUILDERS),
        help="In the Lambda image, or on this machine from wheels alone. [default: LAMBDABUILD_BUILDER, as configured, "
        "else auto]",
    ),
    click.option("--lock", is_flag=True, help="Run uv lock first, when uv.lock is missing or stale."),
    click.option("--upgrade", is_flag=True, help="Resolve requirements that are not pinned anew."),
    click.option("--clean", is_flag=True, help="Remove what earlier builds made, and nothing else."),
    click.option(
        "--skip-validation", is_flag=True, help="Warn of limits, binaries and the strict lint instead of failing."
    ),
    click.option(
        "--verify/--no-verify",
        default=None,
        help="Import everything in the image before it is published. [default: where Docker builds and has the image]",
    ),
    *_UPLOAD_OPTIONS,
    click.option("--timings", is_flag=True, help="Tell how long each phase took."),
    click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and progress as JSON lines."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """The shared options, as they were given."""

    project: Path | None = None
    project_default: Path | None = None
    output: Path | None = None
    python: str | None = None
    architecture: str | None = None
    builder: str | None = None
    lock: bool = False
    upgrade: bool = False
    clean: bool = False
    skip_validation: bool = False
    verify: bool | None = None
    upload: Upload | None = None
    upload_default: Upload | None = None
    timings: bool = False
    as_json: bool = False


def build_options(command: F) -> F:
    """Add the shared options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def upload_options(command: F) -> F:
    """Add the options of uploading alone to a command."""
    for option in reversed(_UPLOAD_OPTIONS):
        command = option(command)
    return command


def open_project(
    project: Path | None, default: Path | None = None, *, bare: bool = False
) -> tuple[Path, ProjectConfig]:
    """The project's folder and configuration; with ``bare`` a folder with no file of a project is one, too.

    ``default`` is its folder where the current one is in none.
    """
    from lambdabuild import configfile
    from lambdabuild.environment import current_folder

    if project is None and default is not None and not configfile.is_in_project(current_folder()):
        project = default
    if project is not None:
        folder = configfile.check_project(project, bare=bare)
    else:
        folder = configfile.find_project(current_folder(), bare=bare)
    return folder, configfile.read_config(folder)


def choose_targets(options: BuildOptions, project: Path, config: ProjectConfig) -> Targets:
    """The target of the project, in place of which an artifact may have its own."""
    from lambdabuild import configfile
    from lambdabuild.model.runtimes import Targets, choose_runtime
    from lambdabuild.model.target import Target

    runtimes = configfile.read_runtimes()
    runtime = choose_runtime(
        runtimes,
        asked=options.python or config.python,
        version_file=configfile.read_python_version_file(project),
        requires_python=config.requires_python,
    )
    default = Target(runtime=runtime, architecture=options.architecture or config.architecture)
    return Targets(runtimes=runtimes, requires_python=config.requires_python, default=default)


def find_output(output: Path | None, project: Path, config: ProjectConfig) -> Path:
    """The output folder: as given relative to here, as configured relative to the project."""
    if output is None:
        return project / config.output
    return output.absolute().parent if find_output_file(output) is not None else output.absolute()


def find_output_file(output: Path | None) -> str | None:
    """The name of the archive, where the output is one and no folder."""
    if output is None or output.suffix != ".zip":
        return None
    if not output.name.isprintable() or "\\" in output.name:
        raise UsageError(f"--output: {output.name!r} is no name for an archive")
    return output.name
