"""Distributions written by hand: wheels and sdists as bytes, with everything about them at the test's command."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """A wheel: its files as they are in the archive, RECORD included."""

    name: str
    version: str
    tag: str
    files: Mapping[str, bytes]
    launchers: Mapping[str, str] = field(default_factory=dict)
    """Console scripts: name to ``module:function``."""
    executables: frozenset[str] = frozenset()

    @property
    def dist_info(self) -> str:
        return f"{self.name}-{self.version}.dist-info"

    @property
    def filename(self) -> str:
        return f"{self.name}-{self.version}-{self.tag}.whl"

    @property
    def data(self) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for path, content in self.files.items():
                info = zipfile.ZipInfo(path)
                info.external_attr = (0o100755 if path in self.executables else 0o100644) << 16
                archive.writestr(info, content)
        return out.getvalue()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def wheel(
    name: str,
    version: str = "1.0",
    files: Mapping[str, str | bytes] | None = None,
    *,
    tag: str = "py3-none-any",
    requires: Iterable[str] = (),
    launchers: Mapping[str, str] | None = None,
    executables: Iterable[str] = (),
    record: str | None = None,
) -> Wheel:
    """A wheel with these files, by default one module of its name; ``record`` replaces the true RECORD."""
    info = f"{name}-{version}.dist-info"
    content = {path: _bytes(data) for path, data in ({f"{name}.py": ""} if files is None else files).items()}
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"]
    metadata += [f"Requires-Dist: {requirement}\n" for requirement in requires]
    content[f"{info}/METADATA"] = "".join(metadata).encode()
    content[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n".encode()
    if launchers:
        lines = [f"{script} = {entry}" for script, entry in launchers.items()]
        content[f"{info}/entry_points.txt"] = "\n".join(["[console_scripts]", *lines, ""]).encode()
    content[f"{info}/RECORD"] = (record_of(content, f"{info}/RECORD") if record is None else record).encode()
    return Wheel(
        name=name,
        version=version,
        tag=tag,
        files=content,
        launchers=launchers or {},
        executables=frozenset(executables),
    )


def record_of(files: Mapping[str, bytes], record: str) -> str:
    """The RECORD of these files, in their order, that lists itself last."""
    rows = [record_row(path, content) for path, content in files.items() if path != record]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([*rows, (record, "", "")])
    return out.getvalue()


def record_row(path: str, content: bytes) -> tuple[str, str, str]:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return path, f"sha256={digest}", str(len(content))


def sdist(name: str, version: str = "1.0") -> tuple[str, bytes]:
    """File name and bytes of a source distribution that declares itself, and has no build system to speak of."""
    out = io.BytesIO()
    root = f"{name}-{version}"
    files = {
        f"{root}/PKG-INFO": f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n",
        f"{root}/pyproject.toml": f'[project]\nname = "{name}"\nversion = "{version}"\n',
    }
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as archive:
        for path, text in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return f"{root}.tar.gz", out.getvalue()


def _bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data
