"""What is to be made: layers and functions, with nothing left to decide."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from lambdabuild.model.needs import Needs
from lambdabuild.model.report import Kind
from lambdabuild.model.sources import Sources
from lambdabuild.model.target import Target
from lambdabuild.model.treatment import SdkChoice, Slimming, Transforms
from lambdabuild.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPlan:
    """A layer: distributions and code of the project."""

    name: str
    target: Target
    needs: Needs
    code: tuple[str, ...]
    root: str
    """The folder of the archive that is on the import path, with a slash at its end."""
    sdk: SdkChoice
    may_be_empty: bool
    """Whether it is left out when there is nothing in it: nobody configured it."""
    exclude: tuple[str, ...]
    keep: tuple[str, ...]
    gitignore: bool
    slimming: Slimming
    transforms: Transforms
    users: tuple[Sources, ...]
    """The code of all configured functions that attach it, as far as the configuration tells."""
    others: tuple[Target, ...] = ()
    """Other targets that it is for."""
    asked_file: str | None = None
    """The name of its archive, where another one is asked for than its own."""

    @property
    def file(self) -> str:
        return self.asked_file or f"{self.name}.zip"

    @property
    def described_target(self) -> str:
        """What it is for, for messages."""
        return " and ".join(map(str, self.targets))

    @property
    def targets(self) -> tuple[Target, ...]:
        """All that it is for, the one that it is built for first."""
        return (self.target, *self.others)

    def fits(self, target: Target) -> bool:
        """Whether a function for this target can use it."""
        return target in self.targets


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalPlan:
    """A layer that somebody else published."""

    name: str
    arn: str
    unzipped_size: int
    distributions: Mapping[str, str]
    """What it brings: versions by normalized name."""
    python: str | None
    architecture: str | None
    """What it is for, as far as that is declared."""

    def fits(self, target: Target) -> bool:
        """Whether a function for this target can use it, as far as is known."""
        return self.python in (None, target.runtime.python) and self.architecture in (None, target.architecture)

    @property
    def described_target(self) -> str:
        """What it is for, for messages."""
        return " ".join(filter(None, (self.python and f"python{self.python}", self.architecture)))


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionPlan:
    """A function's archive: its code, and what it needs and its attached layers do not give."""

    name: str
    kind: Kind
    target: Target
    sources: Sources
    needs: Needs
    attached: tuple[LayerPlan | ExternalPlan, ...]
    bundled: tuple[LayerPlan, ...]
    """Layers whose content is inside the archive."""
    sdk: SdkChoice
    exclude: tuple[str, ...]
    keep: tuple[str, ...]
    slimming: Slimming
    transforms: Transforms
    unused: str | None = None
    """What is said of a file of dependencies that lies beside its handler and is not used."""
    asked_file: str | None = None
    """The name of its archive, where another one is asked for than its own."""

    @property
    def file(self) -> str:
        own = f"{self.name}-fat.zip" if self.kind == "fat-function" else f"{self.name}.zip"
        return self.asked_file or own

    @property
    def attached_layers(self) -> tuple[LayerPlan, ...]:
        """The attached layers that are made here."""
        return tuple(layer for layer in self.attached if isinstance(layer, LayerPlan))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that one run makes."""

    layers: tuple[LayerPlan, ...]
    functions: tuple[FunctionPlan, ...]

    @property
    def all_layers(self) -> tuple[LayerPlan, ...]:
        """The layers that are made and those whose content is needed, each once."""
        used = (layer for function in self.functions for layer in (*function.attached_layers, *function.bundled))
        return each_once((*self.layers, *used))

    @property
    def made(self) -> tuple[LayerPlan | FunctionPlan, ...]:
        """What becomes an archive."""
        return (*self.layers, *self.functions)

    @property
    def artifacts(self) -> tuple[LayerPlan | FunctionPlan, ...]:
        """The functions, and the layers that are made or whose content is needed."""
        return (*self.all_layers, *self.functions)

    def lacking(self, files: Collection[str]) -> Plan:
        """The plan of what is not among these archives, attached layers as they are."""
        return Plan(
            layers=tuple(layer for layer in self.layers if layer.file not in files),
            functions=tuple(function for function in self.functions if function.file not in files),
        )

    def without(self, names: Collection[str]) -> Plan:
        """The plan without these layers."""
        return Plan(
            layers=tuple(layer for layer in self.layers if layer.name not in names),
            functions=tuple(
                replace(
                    function,
                    attached=tuple(layer for layer in function.attached if layer.name not in names),
                    bundled=tuple(layer for layer in function.bundled if layer.name not in names),
                )
                for function in self.functions
            ),
        )

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets of everything, each once."""
        targets = [layer.target for layer in self.all_layers] + [function.target for function in self.functions]
        return tuple(dict.fromkeys(targets))


def each_once(layers: Iterable[LayerPlan]) -> tuple[LayerPlan, ...]:
    """Layers by name, the first of each."""
    return tuple({layer.name: layer for layer in layers}.values())
