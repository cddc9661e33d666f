"""Which ELF files of an artifact are loaded for certain when what is in it is imported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from lambdabuild.model.attempts import Code
from lambdabuild.model.elfs import Elf
from lambdabuild.model.tree import SOURCES


class Loading:
    """Judges files by their names, by what asks for them, and by reading the code of their distributions."""

    def __init__(self, elfs: Iterable[Elf], read_code: Callable[[str], Code]) -> None:
        """``read_code`` gives the code of an owner; it is called when a question first concerns that."""
        self._read_code = read_code
        self._code: dict[str, Code] = {}
        self._known: dict[Elf, bool] = {}
        self._askers: dict[str, list[Elf]] = {}
        for elf in elfs:
            for name in elf.needed:
                self._askers.setdefault(name, []).append(elf)

    def is_certain(self, elf: Elf) -> bool:
        """Whether the file is loaded, in whatever way, whenever its distribution is used.

        Application code is what somebody put there on purpose: all of it. Of a distribution, an extension module,
        unless its importers go on without it; what its code imports or names; and the libraries that such files ask
        for. Not programs, and not plugins that nothing names: a healthy wheel may bring some that no function can load.
        """
        return next(self._loaders(elf), None) is not None

    def find_loader(self, elf: Elf) -> Elf | None:
        """Another file of the distribution, by which this one is loaded for certain."""
        loaders = (one for one in self._loaders(elf) if one.owner == elf.owner)
        return next((loader for loader in loaders if loader != elf), None)

    def _loaders(self, elf: Elf) -> Iterator[Elf]:
        """The file itself and those that ask for it, themselves or through others, where they are loaded for certain
        and not as libraries of others."""
        seen, waiting = {elf}, [elf]
        while waiting:
            one = waiting.pop(0)
            if self._is_loaded(one):
                yield one
            asking = [asker for asker in self._asking(one) if asker not in seen]
            seen.update(asking)
            waiting += asking

    def _is_loaded(self, elf: Elf) -> bool:
        if elf not in self._known:
            self._known[elf] = elf.owner == SOURCES or self._is_loaded_by_code(elf)
        return self._known[elf]

    def _is_loaded_by_code(self, elf: Elf) -> bool:
        if elf.binary.program:
            return False
        code, module = self._of(elf.owner), elf.module
        if module is not None and code.tries_only(module):
            return False
        if elf.tag is not None or elf.binary.extension:
            return True
        if module is not None and (len(module) == 1 or code.imports(module)):
            return True
        return code.mentions(elf.name)

    def _asking(self, elf: Elf) -> list[Elf]:
        return [asking for name in sorted(elf.names) for asking in self._askers.get(name, ())]

    def _of(self, owner: str) -> Code:
        if owner not in self._code:
            self._code[owner] = self._read_code(owner)
        return self._code[owner]
