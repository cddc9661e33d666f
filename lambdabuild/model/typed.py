"""TOML values with their key paths: typed getters that note every mistake instead of stopping at the first."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from types import MappingProxyType
from typing import TypeVar

from lambdabuild.values import dataclass

Choice = TypeVar("Choice", bound=str)
Check = Callable[[str], str | None]
"""Looks at one string; returns what is wrong with it, or None."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
# In this order: in Python a boolean is an int and a datetime is a date, in TOML they are not.
_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "a boolean"),
    (str, "a string"),
    (int, "an integer"),
    (float, "a float"),
    (datetime, "a date-time"),
    (date, "a date"),
    (time, "a time"),
    (list, "an array"),
    (Mapping, "a table"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of a TOML document and the list in which all tables of that document note their problems."""

    values: Mapping[str, object]
    path: str
    """The document's file, as messages name it."""
    problems: list[str]
    keys: tuple[str, ...] = ()

    def note(self, problem: str, *keys: str | int) -> None:
        """Note a problem of the value at ``keys``, counted from this table."""
        self.problems.append(f"{self.path}: {key_path(self.keys + keys)}: {problem}")

    def note_unknown(self, known: Iterable[str], *, renamed: Mapping[str, str] = MappingProxyType({})) -> None:
        """Note each key that is not ``known``; ``renamed`` has what is written now in place of keys that once were."""
        known = sorted(known)
        for key in self.values:
            if key.replace("_", "-") in renamed:
                self.note(f"is now {renamed[key.replace('_', '-')]}", key)
            elif key not in known:
                near = find_near(key, known)
                advice = f"did you mean {quote(near)}?" if near else f"known keys: {', '.join(known)}"
                self.note(f"unknown key; {advice}", key)

    def find_text(self, key: str, check: Check | None = None, *, example: str = "") -> str | None:
        """The string at ``key`` that passes ``check``, or None."""
        if key not in self.values:
            return None
        value = self.values[key]
        if not isinstance(value, str):
            self.note(f"expected a string{example and f' such as {quote(example)}'}, found {kind(value)}", key)
            return None
        problem = check(value) if check else None
        if problem:
            self.note(problem, key)
            return None
        return value

    def find_choice(self, key: str, choices: Sequence[Choice]) -> Choice | None:
        """The one of ``choices`` that stands at ``key``, or None."""
        text = self.find_text(key)
        for choice in choices:
            if choice == text:
                return choice
        if text is not None:
            near = find_near(text, choices)
            advice = f"did you mean {quote(near)}?" if near else f"expected one of {quote_all(choices)}"
            self.note(f"{quote(text)} is no choice; {advice}", key)
        return None

    def texts(self, key: str, check: Check | None = None) -> tuple[str, ...]:
        """The strings of the array at ``key`` that pass ``check``; empty if there is no array."""
        array = self.values.get(key, [])
        if not isinstance(array, list):
            self.note(f"expected an array of strings, found {kind(array)}", key)
            return ()
        texts = []
        for index, value in enumerate(array):
            if not isinstance(value, str):
                self.note(f"expected a string, found {kind(value)}", key, index)
            elif problem := check(value) if check else None:
                self.note(problem, key, index)
            else:
                texts.append(value)
        return tuple(texts)

    def find_flag(self, key: str) -> bool | None:
        """The boolean at ``key``, or None."""
        value = self.values.get(key)
        if isinstance(value, bool):
            return value
        if key in self.values:
            self.note(f"expected a boolean, found {kind(value)}", key)
        return None

    def find_integer(self, key: str, *, least: int) -> int | None:
        """The integer at ``key`` that is ``least`` or more, or None."""
        value = self.values.get(key)
        if key not in self.values:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            self.note(f"expected an integer, found {kind(value)}", key)
            return None
        if value < least:
            self.note(f"expected an integer of at least {least}, found {value}", key)
            return None
        return value

    def table(self, key: str) -> Table:
        """The table at ``key``; an empty one if there is none."""
        value = self.values.get(key, {})
        if not isinstance(value, Mapping):
            self.note(f"expected a table, found {kind(value)}", key)
            value = {}
        return Table(values=value, path=self.path, problems=self.problems, keys=(*self.keys, key))

    def tables(self, key: str) -> dict[str, Table]:
        """The tables in the table at ``key``, by name, in the order of the file."""
        parent = self.table(key)
        tables = {}
        for name, value in parent.values.items():
            if isinstance(value, Mapping):
                tables[name] = parent.table(name)
            else:
                parent.note(f"expected a table, found {kind(value)}; write [{key_path((*parent.keys, 'NAME'))}]", name)
        return tables


def kind(value: object) -> str:
    """What a value is in TOML's words, with its article."""
    return next((word for type_, word in _KINDS if isinstance(value, type_)), f"a {type(value).__name__}")


def quote(text: str) -> str:
    """``text`` as a TOML basic string, on one line."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")  # JSON alone lets DEL stand


def quote_all(words: Iterable[str]) -> str:
    """Words as TOML strings, with commas."""
    return ", ".join(quote(word) for word in words)


def key_path(keys: Iterable[str | int]) -> str:
    """Keys as TOML writes them, dotted, quoted where they must be; an index into an array in brackets."""
    path = ""
    for key in keys:
        if isinstance(key, int):
            path += f"[{key}]"
        else:
            path += ("." if path else "") + (key if _BARE_KEY.fullmatch(key) else quote(key))
    return path


def find_near(word: str, known: Iterable[str], aliases: Mapping[str, str] | None = None) -> str | None:
    """The known word that was probably meant, or None. ``aliases`` maps other people's words to known ones."""
    words = {_plain(name): name for name in known} | dict(aliases or {})
    matches = difflib.get_close_matches(_plain(word), words, n=1)
    return words[matches[0]] if matches else None


def _plain(word: str) -> str:
    return word.lower().replace("_", "-")
