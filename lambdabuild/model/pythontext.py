"""Python source split into code, comments and strings by its bytes alone: alike whatever Python runs lambdabuild."""

from __future__ import annotations

import re

from lambdabuild.values import dataclass

_NEWLINES = re.compile(rb"\r\n?")
_TOKEN = re.compile(  # strings as runs of plain characters between others: many times faster than one by one
    rb"#[^\n]*"
    rb"|\"\"\"[^\"\\]*(?:(?:\\.|\"(?!\"\"))[^\"\\]*)*(?:\"\"\")?"
    rb"|'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*(?:''')?"
    rb"|\"[^\"\\\n]*(?:\\.[^\"\\\n]*)*\"?"
    rb"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'?",
    re.DOTALL,
)
_OF_TYPE_CHECKERS = re.compile(
    rb"^([ \t]*)if[ \t]+(?:\w+\.)*TYPE_CHECKING[ \t]*:[^\n]*(?:\n(?:\1[ \t]+[^\n]*|[ \t]*)$)*", re.MULTILINE
)
_BLANKS = bytes(byte if byte == ord("\n") else ord(" ") for byte in range(256))


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonText:
    """A module's source, in which every line ends with a newline."""

    code: bytes
    """As long as the source, with spaces for comments, strings and what only type checkers read. A line that goes on
    after a backslash is one."""
    strings: tuple[tuple[int, str], ...]
    """Where each string begins, and what stands between its quotes."""
    source: bytes

    def line(self, offset: int) -> int:
        """The number of the line, from 1."""
        return self.source.count(b"\n", 0, offset) + 1


def read_python(source: bytes) -> PythonText:
    """Never fails; what is no Python is told apart somehow, and always in the same way."""
    source = _NEWLINES.sub(b"\n", source)
    strings: list[tuple[int, str]] = []
    parts: list[bytes] = []
    at = 0
    for found in _TOKEN.finditer(source):
        text = found[0]
        parts += source[at : found.start()], text.translate(_BLANKS)
        at = found.end()
        if not text.startswith(b"#"):
            quotes = 3 if text[:3] in (b'"""', b"'''") and len(text) > 2 else 1
            strings.append((found.start(), text[quotes : len(text) - quotes].decode(errors="replace")))
    code = b"".join((*parts, source[at:])).replace(b"\\\n", b"  ")
    if b"TYPE_CHECKING" in code:
        code = _OF_TYPE_CHECKERS.sub(lambda found: found[0].translate(_BLANKS), code)
    return PythonText(code=code, strings=tuple(strings), source=source)
