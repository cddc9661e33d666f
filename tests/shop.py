"""lambdabuild's command line in another process, in a project of the test's own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from lambdabuild.uv import find_binary
from tests.index import Index

_ALWAYS = re.compile(r"\.dist-info/(?:METADATA|entry_points\.txt|top_level\.txt)$")


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """What follows the progress on stderr."""
        return self.err[self.err.index("error: ") :]


_ALWAYS = re.compile(r"\.dist-info/(?:METADATA|entry_points\.txt|top_level\.txt)$")


@dataclass(frozen=True)
class Shop:
    """A project in a folder, and the environment that lambdabuild runs in."""

    project: Path
    environ: dict[str, str]

    @property
    def output(self) -> Path:
        return self.project / "dist" / "lambda"

    def start(self, *argv: str | Path, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "lambdabuild", *argv],
            cwd=self.project,
            env=self.environ | environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def run(self, *argv: str | Path, **environ: str) -> Ended:
        process = self.start(*argv, **environ)
        out, err = process.communicate()
        assert "\x1b" not in out + err
        return Ended(process.returncode, out, err)

    def done(self, *argv: str | Path, **environ: str) -> Ended:
        ended = self.run(*argv, **environ)
        assert ended.code == 0, ended.err
        return ended

    def lock(self) -> Shop:
        subprocess.run([find_binary(), "lock", "--quiet"], cwd=self.project, env=self.environ, check=True)
        return self

    def write(self, files: dict[str, str]) -> Shop:
        """Write files of the project, by path."""
        for name, text in files.items():
            path = self.project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return self

    def members(self, archive: str) -> list[str]:
        """The files in an archive of the output folder, but for the metadata that every distribution has there."""
        with zipfile.ZipFile(self.output / archive) as opened:
            return [name for name in opened.namelist() if not _ALWAYS.search(name)]

    def all_members(self, archive: str) -> list[str]:
        """The files in an archive of the output folder."""
        with zipfile.ZipFile(self.output / archive) as opened:
            return opened.namelist()


def make_shop(folder: Path, index: Index) -> Shop:
    """An empty project, with caches of its own and no index but this."""
    (folder / "shop").mkdir()
    return Shop(
        folder / "shop",
        {
            "HOME": str(folder / "home"),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
            "LAMBDABUILD_CACHE_DIR": str(folder / "cache"),
            "UV_CACHE_DIR": str(folder / "uv-cache"),
            "UV_DEFAULT_INDEX": index.simple,
            "UV_HTTP_RETRIES": "0",
            "UV_PYTHON": sys.executable,
        },
    )
