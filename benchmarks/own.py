"""lambdabuild itself, in the states that the cases name."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.measure import run
from benchmarks.projects import VERSIONS, Edited, Project, Snapshot, lock_with
from benchmarks.race import Contender, nothing
from benchmarks.workplace import Workplace, tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """lambdabuild on a project of its own, with a cache of its own.

    The others try nothing of what they build, so it does not either, unless ``proof`` is wanted.
    """

    place: Workplace
    project: Project
    builder: str
    proof: bool = False

    def contender(
        self, *commands: str, prepare: Callable[[], None] = nothing, archives: Sequence[str] = ("layer",)
    ) -> Contender:
        """These commands, one after the other."""
        options = ["--builder", self.builder, *([] if self.proof else ["--no-verify"])]
        lines = [[*command.split(), *options] for command in commands]
        runs = [[tool("lambdabuild"), *line, "--project", str(self.project.folder)] for line in lines]
        return Contender(
            name="proof" if self.proof else "lambdabuild",
            label=" && ".join(f"lambdabuild {shlex.join(line)}" for line in lines),
            short="lambdabuild, as it comes" if self.proof else "lambdabuild",
            argv=runs[0] if len(runs) == 1 else ["sh", "-c", " && ".join(map(shlex.join, runs))],
            cwd=self.project.folder,
            environ=self._environ,
            prepare=prepare,
            archives=[self.project.output / f"{archive}.zip" for archive in archives],
        )

    def build(self, contender: Contender) -> Sequence[Path]:
        """The archives, built outside of what is timed; raises Failed."""
        log = self.place.folder / "set-up.log"
        run(contender.argv, cwd=contender.cwd, environ=self._environ, log=log, timeout=900, measured=False)
        return contender.archives

    def layer(self) -> Contender:
        """The layer from an empty cache, every file downloaded already."""
        return self.contender("layer", prepare=self.project.forget)

    def small_layer(self) -> Contender:
        """The same with the compression that takes longer and makes less."""
        file = self.project.folder / "pyproject.toml"
        table = "[tool.lambdabuild]\n"
        file.write_text(file.read_text(encoding="utf-8").replace(table, f'{table}compression = "small"\n'), "utf-8")
        made = self.layer()
        what = 'compression = "small"'
        return replace(made, name="small", label=f"{made.label}, {what}", short=f"lambdabuild, {what}")

    def unchanged(self) -> Contender:
        """The layer as the warm-up left it: nothing is to be done."""
        return self.contender("layer")

    def dependency_changed(self) -> Contender:
        """The layer after one small distribution got another version, which is downloaded and was never built."""
        made = self.contender("layer")
        lock = self.project.folder / "uv.lock"
        old, new = (lock_with(self.place, self.project.folder, version) for version in VERSIONS)
        assert old != new
        self.build(made)
        self.project.forget()
        lock.write_bytes(old)
        self.build(made)
        built = Snapshot([self.project.cache, self.project.output])
        built.save()

        def prepare() -> None:
            built.restore()
            lock.write_bytes(new)

        return replace(made, prepare=prepare)

    def code_edited(self, source: str) -> Contender:
        """All slim zips after an edit in the package that they share."""
        edited = Edited(self.project.folder / source)
        return self.contender("package", prepare=edited.edit, archives=self.project.functions)

    def fat(self) -> Contender:
        """All fat zips, none of them there, after the layer was built."""
        self.build(self.contender("layer"))
        built = Snapshot([self.project.cache, self.project.output])
        built.save()
        archives = [f"{name}-fat" for name in self.project.functions]
        return self.contender("package --fat", prepare=built.restore, archives=archives)

    def everything(self) -> Contender:
        """Layer, slim zips and fat zips from an empty cache, every file downloaded already."""
        archives = ["layer", *self.project.functions, *(f"{name}-fat" for name in self.project.functions)]
        return self.contender("package", "package --fat", prepare=self.project.forget, archives=archives)

    @property
    def _environ(self) -> Mapping[str, str]:
        return {**self.place.environ, "LAMBDABUILD_CACHE_DIR": str(self.project.cache)}
