"""What a recipe is given: what is asked for, and what the work is done with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lambdabuild.builders.base import Builder
from lambdabuild.cache import Cache
from lambdabuild.model.choices import Upload
from lambdabuild.model.config import ProjectConfig
from lambdabuild.model.events import Listener
from lambdabuild.model.plan import Plan
from lambdabuild.model.report import Artifact
from lambdabuild.steps.resolve import Resolver
from lambdabuild.values import dataclass

if TYPE_CHECKING:
    from lambdabuild.builders.sandbox import Sandboxes

Verify = Literal["auto", "always", "never"]
"""``auto``: where the builder is Docker's and the image is at hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a user asks for."""

    project: Path
    config: ProjectConfig
    plan: Plan
    output: Path
    lock: bool
    """Run ``uv lock`` first."""
    clean: bool
    """Remove what earlier builds made."""
    split: bool
    """Make several layers of one that is too large for a direct upload."""
    tolerant: bool
    """Limits warn instead of failing (``--skip-validation``)."""
    epoch: int | None
    """SOURCE_DATE_EPOCH."""
    today: date
    configured: Callable[[Artifact], bool] = lambda _: True
    """Whether the project configures an artifact of an earlier build."""
    upload: Upload | None = None
    """How the archives come to Lambda. None: nothing says it."""
    verify: Verify = "never"
    """Whether archives are tried before they are published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """What the work is done with; the command line makes them."""

    resolver: Resolver
    builder: Builder
    cache: Cache
    listen: Listener
    sandboxes: Callable[[], Sandboxes] | None = None
    """Where archives are tried, made when it is needed; raises MachineError when there is no engine."""
