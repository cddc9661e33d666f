"""A function and its layers on one import path: which of two modules is found, and what is hidden by it.

Parts of a namespace package without ``__init__`` join, in whatever root they lie (PEP 420), so a namespace that is
split over layers does no harm by itself. One part with an ``__init__`` is the whole package, and the others are not
found; unless that ``__init__`` extends the package's path. Where setuptools' ``-nspkg.pth`` makes the namespace, its
own root alone is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lambdabuild.model.importroot import LAYERS_ROOT, Found, Name, Read, Root, is_module, names, shared_names
from lambdabuild.model.lint import Remark, exclusion, listed
from lambdabuild.model.pthfiles import find_namespace, pth_files

_EXTENDING = ("extend_path(", "declare_namespace(")
"""https://packaging.python.org/en/latest/guides/packaging-namespace-packages/#legacy-namespace-packages"""
_PRECEDENCE = (
    "a function's own files come first, then those of its layers, a later layer's over an earlier one's: "
    "https://docs.aws.amazon.com/lambda/latest/dg/python-layers.html"
)
_JOINED = "the parts of a package join (https://peps.python.org/pep-0420/)"
_RENAME = "rename the module, or exclude one of the two"


def remark_import_path(
    function: Root, layers: Sequence[Root], *, file: str, python: str, read: Read
) -> Iterator[Remark]:
    """What a function, of which ``file`` is the archive, and its layers hide of each other.

    Versions of one distribution are left to the check that decides which of them is packaged.
    """
    if not layers:
        return
    merged, overwritten = _merged(layers, python)
    for (earlier, later), paths in overwritten.items():
        yield Remark(
            artifact=file,
            code="hidden-module",
            text=f"layers {earlier} and {later} bring different modules of one name, and those of {later} win: "
            f"{listed(paths)}",
            hint=_PRECEDENCE,
        )
    roots = [function, *merged]
    comparison = _Comparison(file, tuple(root.folder for root in roots), _namespaces(roots, read), read)
    comparison.compare(roots, "")
    yield from comparison.remarks()


def _merged(layers: Sequence[Root], python: str) -> tuple[list[Root], dict[tuple[str, str], list[str]]]:
    """The roots that layers make together, in their order on Lambda; and the modules that a later layer replaces."""
    roots: dict[str, dict[str, Found]] = {f"{LAYERS_ROOT}/python/lib/python{python}/site-packages": {}}
    overwritten: dict[tuple[str, str], list[str]] = {}
    for layer in layers:
        files = roots.setdefault(layer.folder, {})
        for path in filter(is_module, layer.files.keys() & files.keys()):
            before, found = files[path], layer.files[path]
            if not _same_distribution(before, found) and not _same_content(before, found):
                overwritten.setdefault((before.artifact, found.artifact), []).append(path)
        files |= layer.files
    return [Root(folder=folder, files=files) for folder, files in roots.items()], {
        pair: sorted(paths) for pair, paths in overwritten.items()
    }


@dataclass(frozen=True, slots=True)
class _Winner:
    """Where a name is found first, and the file that makes it so."""

    root: Root
    by: str

    @property
    def artifact(self) -> str:
        return self.root.files[self.by].artifact


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Roots of one function, name by name, and what was found about them."""

    function: str
    order: Sequence[str]
    """The folders of all roots as they are searched."""
    namespaces: Mapping[str, Mapping[str, str]]
    """The namespaces that .pth files make: by folder, the roots that do, and the file in each."""
    read: Read
    _hidden: list[Remark] = field(default_factory=list)
    _differing: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """Paths by the artifact that hides and the one that is hidden."""
    _equal: dict[tuple[str, str], list[tuple[str, int]]] = field(default_factory=dict)
    """As well, with sizes."""

    def compare(self, roots: Sequence[Root], prefix: str) -> None:
        """Look at each name that several roots have below a folder; the roots are in the order of the search."""
        among = shared_names(roots, prefix)
        found = [names(root.files, prefix, among=among) if among else {} for root in roots]
        for name in dict.fromkeys(name for one in found for name in one):
            here = [(root, one[name]) for root, one in zip(roots, found, strict=True) if name in one]
            if len(here) > 1 and not (prefix and name == "__init__"):  # which is the package, looked at before
                joined = self._joined(here, prefix + name)
                self.compare(joined, f"{prefix}{name}/")

    def remarks(self) -> Iterator[Remark]:
        yield from self._hidden
        for (winner, loser), paths in self._differing.items():
            text = f"modules of {winner} hide different ones of the same name in {loser}: {listed(paths)}"
            yield Remark(artifact=self.function, code="hidden-module", text=text, hint=_PRECEDENCE)
        for (winner, loser), sized in self._equal.items():
            total = sum(size for _, size in sized)
            paths = [path for path, _ in sized]
            text = f"modules of {winner} are in {loser} as well, {total:,} bytes: {listed(paths)}"
            yield Remark(
                artifact=self.function, code="duplicate-module", text=text, hint="exclude them from one of the two"
            )

    def _joined(self, here: Sequence[tuple[Root, Name]], folder: str) -> list[Root]:
        """The roots of which the parts of a package are found; notes what is not."""
        made = self.namespaces.get(folder, {})
        joined = [root for root, _ in here if root.folder in made]
        if joined:
            winner = _Winner(joined[0], made[joined[0].folder])
            for root, name in here:
                if root not in joined:
                    self._hides(winner, root, name.paths, f"without that file {_JOINED}: {exclusion([winner.by])}")
            return joined
        first = next(((root, name) for root, name in here if name.found), None)
        if first is None:
            return [root for root, _ in here]
        winning, mine = first
        if self._extends(winning, mine):
            return [winning, *(root for root, _ in here if root is not winning)]
        for root, name in here:
            if root is not winning:
                self._pair(winning, mine, root, name)
        return []

    def _pair(self, winning: Root, mine: Name, root: Root, theirs: Name) -> None:
        """Note what the name that is found hides of another root's, or else what they both have."""
        assert mine.found is not None
        behind = self._is_behind(root, winning)
        hidden = [path for path in theirs.paths if path not in winning.files or not behind]
        hint = f"without __init__.py {_JOINED}; or put them into one artifact"
        if mine.init is None or theirs.modules or _strangers(winning, mine, root, theirs):
            hint = _RENAME
        if self._hides(_Winner(winning, mine.found), root, hidden, hint):
            return
        for path in theirs.paths:
            if path not in winning.files or _same_distribution(winning.files[path], root.files[path]):
                continue
            first, second = winning.files[path], root.files[path]
            pair = first.artifact, second.artifact
            if not _same_content(first, second):
                self._differing.setdefault(pair, []).append(path)
            elif first.entry.member.size:
                self._equal.setdefault(pair, []).append((path, first.entry.member.size))

    def _hides(self, winner: _Winner, root: Root, hidden: Iterable[str], hint: str) -> bool:
        """Note what is not found; whether there is any.

        It may be of a version of a distribution that another one replaces, as long as the root that is first wins.
        """
        behind = self._is_behind(root, winner.root)
        superseding = {found.distribution for found in winner.root.files.values() if behind} - {None}
        artifacts: dict[str, list[str]] = {}
        for path in hidden:
            other = winner.root.files.get(path)
            same = other is not None and _same_content(other, root.files[path])
            if not same and root.files[path].distribution not in superseding:
                artifacts.setdefault(root.files[path].artifact, []).append(path)
        for artifact, paths in artifacts.items():
            whose = "" if winner.artifact == self.function else f" of {winner.artifact}"
            text = f"{winner.by}{whose} hides modules of {artifact}: {listed(paths)}"
            self._hidden.append(Remark(artifact=self.function, code="hidden-module", text=text, hint=hint))
        return bool(artifacts)

    def _is_behind(self, root: Root, other: Root) -> bool:
        """Whether a root is searched after another one."""
        return self.order.index(root.folder) > self.order.index(other.folder)

    def _extends(self, root: Root, name: Name) -> bool:
        """Whether a package's ``__init__`` looks for the other parts itself."""
        if name.init is None or not name.init.endswith(".py"):
            return False
        text = self.read(root.files[name.init].entry.member)
        return any(call in text for call in _EXTENDING)


def _namespaces(roots: Iterable[Root], read: Read) -> dict[str, dict[str, str]]:
    """The namespaces that .pth files make: by folder, the roots that do and the file in each."""
    made: dict[str, dict[str, str]] = {}
    for root in roots:
        for name, found in pth_files(root).items():
            for line in read(found.entry.member).splitlines():
                namespace = find_namespace(line)
                if namespace is not None:
                    made.setdefault(namespace, {}).setdefault(root.folder, name)
    return made


def _strangers(winning: Root, mine: Name, root: Root, theirs: Name) -> bool:
    """Whether two whole packages share but the name, because a distribution is one of them."""
    if mine.init is None or theirs.init is None:
        return False
    return bool(winning.files[mine.init].distribution or root.files[theirs.init].distribution)


def _same_distribution(one: Found, other: Found) -> bool:
    """Whether one distribution brings both files, maybe in two versions."""
    return one.distribution is not None and one.distribution == other.distribution


def _same_content(one: Found, other: Found) -> bool:
    return one.entry.member.sha256 == other.entry.member.sha256
