"""What a single value of the configuration may look like: ``find_*_problem`` says what is wrong, or returns None."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath, PureWindowsPath

from lambdabuild.model.choices import ARCHITECTURES
from lambdabuild.model.typed import Check, Table, find_near, quote, quote_all

_OTHERS_ARCHITECTURES = {"amd64": "x86_64", "aarch64": "arm64"}
_IMAGE_FIELDS = ("python", "architecture")

PLAIN_PYTHON = re.compile(r" *>= *3\.([0-9]{1,3}) *")
"""What most projects say in requires-python; it needs no parser, which takes as long to import as click."""
_ARTIFACT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# Names of distributions, extras and dependency groups:
# https://packaging.python.org/en/latest/specifications/name-normalization/#name-format
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_LONGEST_HANDLER = 128
_MODULE_PART = re.compile(r"[^\s\\:./\x00-\x1f\x7f\ud800-\udfff]+")
"""What may stand between the dots and slashes of a handler."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_NAME = 255
"""Bytes, on the usual file systems."""


def find_name_problem(name: str) -> str | None:
    """Of a distribution, an extra or a dependency group."""
    if _NAME.fullmatch(name):
        return None
    return f"{quote(name)} is not a name; names are ASCII letters and digits, with -, _ and . between them"


def find_artifact_name_problem(name: str) -> str | None:
    """Of a layer or a function: the name becomes a file name."""
    if _ARTIFACT_NAME.fullmatch(name):
        return None
    return (
        f"{quote(name)} cannot be the name of a file; names are ASCII letters, digits, ., _ and -, "
        "and begin with a letter or digit"
    )


def find_requires_python_problem(value: str) -> str | None:
    """https://packaging.python.org/en/latest/specifications/version-specifiers/"""
    if PLAIN_PYTHON.fullmatch(value):
        return None
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        SpecifierSet(value)
    except InvalidSpecifier:
        return f"{quote(value)} is not a version specifier; write it like {quote('>=3.12')}"
    return None


def python_check(pythons: Sequence[str]) -> Check:
    """A check that a runtime is one of ``pythons``, written ``3.13`` or ``python3.13``."""

    def find_problem(value: str) -> str | None:
        if value.removeprefix("python") in pythons:
            return None
        return f"{quote(value)} is not a Lambda runtime; expected one of {quote_all(pythons)}"

    return find_problem


def find_python(table: Table, pythons: Sequence[str]) -> str | None:
    """The language version, ``"3.13"``, of the runtime that a table's ``python`` names, or None."""
    python = table.find_text("python", python_check(pythons), example=pythons[-1])
    return python.removeprefix("python") if python else None


def find_path(table: Table, key: str, check: Check) -> str | None:
    """The path at ``key`` that passes ``check``, without ``.`` parts, or None."""
    path = table.find_text(key, check)
    return str(PurePosixPath(path)) if path else None


def find_architecture_problem(value: str) -> str | None:
    """In AWS's words."""
    if value in ARCHITECTURES:
        return None
    near = find_near(value, ARCHITECTURES, _OTHERS_ARCHITECTURES)
    advice = f"did you mean {quote(near)}?" if near else f"expected one of {quote_all(ARCHITECTURES)}"
    return f"{quote(value)} is not an architecture of Lambda; {advice}"


def find_output_problem(value: str) -> str | None:
    """Any path of a directory will do."""
    if not value.strip():
        return "is empty; expected a directory"
    if value.endswith(".zip"):
        return f"{quote(value)} is the name of a file; expected a directory (--output names the file of one archive)"
    return "has a control character in it" if _CONTROL.search(value) else _find_long_problem(value)


_IMAGE = re.compile(
    r"(?:(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::\d+)?/)?"
    r"(?-i:[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*)"
    r"(?::\w[\w.-]{0,127})?(?:@[a-z][a-z0-9.+_-]*:[0-9a-f]{32,})?",
    re.ASCII | re.IGNORECASE,
)
"""https://pkg.go.dev/github.com/distribution/reference"""


def find_image_problem(reference: str) -> str | None:
    """An image reference in which ``{python}`` and ``{architecture}`` may stand; also of ``LAMBDABUILD_IMAGE``."""
    if not reference or re.search(r"[\s\x00-\x1f\x7f]", reference):
        return f"{quote(reference)} is not an image reference"
    fields = re.findall(r"\{([^{}]*)\}", reference)
    for field in fields:
        if field not in _IMAGE_FIELDS:
            near = find_near(field, _IMAGE_FIELDS)
            advice = f"did you mean {{{near}}}?" if near else "known are {python} and {architecture}"
            return f"{{{field}}} is not a field of an image reference; {advice}"
    filled = re.sub(r"\{[^{}]*\}", "1", reference)
    if re.search(r"[{}]", filled):
        return f"{quote(reference)} has a brace without its partner"
    if not _IMAGE.fullmatch(filled):
        return f"{quote(reference)} is not an image reference, such as registry.example/name:tag"
    return None


def find_handler_syntax_problem(handler: str) -> str | None:
    """``package.module.function`` or ``dir/module.function``, as Lambda takes it.

    The runtime imports the module with importlib, so that its folders and its file need not be identifiers.
    https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html
    """
    if _is_handler(handler):
        if len(handler) <= _LONGEST_HANDLER:
            return None
        return f"has {len(handler)} characters; a handler has at most {_LONGEST_HANDLER} on Lambda"
    meant = re.sub(r"[.]py(?=[:.][^:./]+$)", "", handler).replace("\\", "/").removeprefix("./").replace(":", ".")
    if _is_handler(meant) and meant != handler:
        return f"{quote(handler)} is not a handler; did you mean {quote(meant)}?"
    if re.search(r"\s", handler):
        return f"{quote(handler)} has a space in it, which Lambda does not take in a handler"
    return f'{quote(handler)} is not a handler; write "package.module.function" or "dir/module.function"'


def find_path_problem(path: str) -> str | None:
    """A relative POSIX path that stays inside the project."""
    if not path.strip():
        return "is empty; expected a path inside the project"
    if "\\" in path:
        return f"{quote(path)} has a backslash in it; write paths with /"
    if _CONTROL.search(path):
        return f"{quote(path)} has a control character in it"
    if path.startswith("/") or PureWindowsPath(path).drive:
        return f"{quote(path)} is absolute; expected a path inside the project"
    if ".." in path.split("/"):
        return f"{quote(path)} leaves the project; expected a path inside it"
    return _find_long_problem(path)


def _find_long_problem(path: str) -> str | None:
    longest = max(len(name.encode(errors="surrogatepass")) for name in path.split("/"))
    if longest <= _LONGEST_NAME:
        return None
    return f"has a name of {longest} bytes in it; a file's has at most {_LONGEST_NAME}"


def find_inner_path_problem(path: str) -> str | None:
    """As any path, and not the project's directory itself."""
    problem = find_path_problem(path)
    if not problem and PurePosixPath(path) == PurePosixPath():
        return f"{quote(path)} is the project itself; name what is inside it"
    return problem


def find_pattern_problem(pattern: str) -> str | None:
    """A gitignore pattern: whatever ``model.patterns`` can read."""
    if not pattern.strip():
        return "is empty; expected a gitignore pattern"
    from lambdabuild.model.patterns import source_rules  # imports pathspec, which most projects do without

    try:
        source_rules(exclude=(pattern,))
    except (ValueError, re.error):  # re.error: a range like [z-a]
        return f"{quote(pattern)} is not a gitignore pattern"
    return None


def _is_handler(text: str) -> bool:
    module, dot, function = text.rpartition(".")
    return bool(dot) and function.isidentifier() and all(map(_MODULE_PART.fullmatch, re.split("[./]", module)))
