"""What is done to distributions on their way into artifacts, as ``[tool.lambdabuild]`` says."""

from __future__ import annotations

from typing import Literal

from lambdabuild.values import dataclass

Mode = Literal["auto", "strip", "keep"]
MODES: tuple[Mode, ...] = ("auto", "strip", "keep")
Bytecode = Literal["strip", "compile"]
SdkChoice = Literal["bundle", "unrequired", "runtime"]
"""Whether boto3 and what only it needs are packaged: always, unless nothing but boto3 requires them, or never."""
BYTECODE: tuple[Bytecode, ...] = ("strip", "compile")
Compression = Literal["fast", "small"]
COMPRESSION: tuple[Compression, ...] = ("fast", "small")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slimming:
    """Which files are left out: decided when a tree is made, at no cost for the cache."""

    dist_info: Mode = "auto"
    """Metadata: ``auto`` keeps what tells of a distribution, and drops licences, hashes and the like."""
    tests: Mode = "auto"
    """Test directories: ``auto`` keeps the modules that kept code imports, and the data that it names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transforms:
    """How files are changed, or packed: part of the key of what the cache holds."""

    strip_symbols: bool = False
    bytecode: Bytecode = "strip"
    compression: Compression = "fast"
    """Whether members are copied as wheels have them, or deflated anew where that pays."""
