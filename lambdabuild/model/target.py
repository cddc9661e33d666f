"""What an artifact is built for: a Lambda runtime and an instruction set architecture, in AWS's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from lambdabuild.values import dataclass

_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
_OCI_ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Libstdcxx:
    """The newest symbol versions that a libstdc++ has: ``(3, 4, 29)`` is GLIBCXX_3.4.29."""

    glibcxx: tuple[int, ...]
    cxxabi: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """One of Lambda's Python runtimes, as ``resources/runtimes.toml`` describes it."""

    python: str
    """Language version, ``"3.13"``."""
    os: str
    glibc: tuple[int, int]
    """glibc of the operating system."""
    wheel_glibc: tuple[int, int]
    """The newest glibc that a wheel's platform tag may ask for (PEP 600); never above ``glibc``."""
    libstdcxx: Libstdcxx
    """What every instance of the runtime has."""
    newest_libstdcxx: Libstdcxx
    """What an update of the operating system brought, which instances of the service may lack."""
    libraries: frozenset[str]
    """Shared libraries that it surely has, by the names that binaries ask for."""
    deprecation: date | None = None
    """The last day on which AWS patches it. None: not announced, as of a preview."""
    blocks_create: date | None = None
    blocks_update: date | None = None
    """From when AWS creates no functions with it, and updates none."""
    preview: bool = False
    """Whether AWS has it for trials only."""

    @property
    def image_tag(self) -> str:
        """The tag of its image, and what ``{python}`` stands for in an image reference."""
        return f"{self.python}-preview" if self.preview else self.python

    @property
    def name(self) -> str:
        """AWS's identifier, ``python3.13``."""
        return f"python{self.python}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A runtime on an architecture."""

    runtime: Runtime
    architecture: str
    """``"x86_64"`` or ``"arm64"``."""

    @property
    def machine(self) -> str:
        """The machine as wheels and the kernel name it: ``x86_64`` or ``aarch64``."""
        return _MACHINES[self.architecture]

    @property
    def cache_tag(self) -> str:
        """What marks the runtime's bytecode in file names (PEP 3147): ``cpython-313``."""
        return f"cpython-{self.runtime.python.replace('.', '')}"

    @property
    def oci_architecture(self) -> str:
        """The architecture as images name it (``GOARCH``): ``amd64`` or ``arm64``."""
        return _OCI_ARCHITECTURES[self.architecture]

    @property
    def uv_platform(self) -> str:
        """The value of uv's ``--python-platform`` that imposes the runtime's glibc ceiling."""
        major, minor = self.runtime.wheel_glibc
        return f"{self.machine}-manylinux_{major}_{minor}"

    @property
    def marker_environment(self) -> dict[str, str]:
        """The environment in which dependency markers are read (PEP 508), as in the runtime."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.runtime.python}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.runtime.python}.0",
            "python_version": self.runtime.python,
            "sys_platform": "linux",
        }

    def __str__(self) -> str:
        return f"{self.runtime.name} {self.architecture}"


def parse_runtimes(document: Mapping[str, object]) -> tuple[Runtime, ...]:
    """The runtimes of a parsed ``runtimes.toml``, oldest first.

    Raises KeyError, TypeError or ValueError for a malformed table: the file is ours, so that is a bug.
    """
    tables, libraries = document["runtime"], document["libraries"]
    if not isinstance(tables, list) or not isinstance(libraries, list):
        raise TypeError("runtimes.toml: libraries must be an array, [[runtime]] an array of tables")
    runtimes = [
        Runtime(
            python=table["python"],
            os=table["os"],
            glibc=_glibc(table["glibc"]),
            wheel_glibc=_glibc(table["wheel-glibc"]),
            libstdcxx=_libstdcxx(table["libstdcxx"]),
            newest_libstdcxx=_libstdcxx(table.get("newest-libstdcxx", table["libstdcxx"])),
            libraries=frozenset(name.format(python=table["python"]) for name in libraries),
            deprecation=table.get("deprecation"),
            blocks_create=table.get("blocks-create"),
            blocks_update=table.get("blocks-update"),
            preview=table.get("preview", False),
        )
        for table in tables
    ]
    return tuple(sorted(runtimes, key=lambda runtime: _glibc(runtime.python)))


def find_runtime(runtimes: Iterable[Runtime], python: str) -> Runtime | None:
    """The runtime for a language version such as ``"3.13"`` (``"python3.13"`` is read too), or None."""
    version = python.removeprefix("python")
    return next((runtime for runtime in runtimes if runtime.python == version), None)


def _libstdcxx(table: Mapping[str, str]) -> Libstdcxx:
    return Libstdcxx(glibcxx=_numbers(table["glibcxx"]), cxxabi=_numbers(table["cxxabi"]))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _glibc(version: str) -> tuple[int, int]:
    major, minor = version.split(".")
    return int(major), int(minor)
