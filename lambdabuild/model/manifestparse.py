"""The manifest read back. A value of another kind than a build writes is an error that tells where it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from lambdabuild.model.report import Artifact, ExternalLayer, Kind, Provenance, Share
from lambdabuild.model.sources import IgnoreRule
from lambdabuild.model.transformed import Symbols
from lambdabuild.values import dataclass

T = TypeVar("T")

_IGNORE_RULES: Mapping[str, IgnoreRule] = {"git": "git", "gitignore": "gitignore"}
_KINDS: Mapping[str, Kind] = {"layer": "layer", "function": "function", "fat-function": "fat-function"}
_WORDS: Mapping[type, str] = {
    bool: "true or false",
    str: "a string",
    int: "a number",
    float: "a fraction",
    list: "an array",
    dict: "an object",
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_RUNTIME = re.compile(r"python3\.[0-9]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ARCHIVE = re.compile(r"[^/\\\x00-\x1f\x7f]+\.zip")


def parse_artifacts(document: Mapping[str, Any]) -> tuple[Artifact, ...]:
    """The artifacts of a manifest; raises ValueError with the place of what is wrong."""
    artifacts = tuple(_parse(one) for one in _Object(values=document, where="").objects("artifacts"))
    files = [artifact.file for artifact in artifacts]
    for file in files:
        if files.count(file) > 1:
            raise ValueError(f"{file} is in it {files.count(file)} times")
    return artifacts


def parse_artifact(document: Mapping[str, Any]) -> Artifact:
    """The inverse of ``artifact_document``; raises ValueError for anything else."""
    return _parse(_Object(values=document, where=""))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Object:
    """A JSON object, and where it is in the document."""

    values: Mapping[str, Any]
    where: str

    def get(self, key: str, kind: type[T], what: str, default: T | None = None) -> T:
        value = self.values.get(key, default)
        if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
            found = f"found {_WORDS.get(type(value), 'null')}" if key in self.values else "which is missing"
            raise ValueError(f"{self.where}{key}: expected {what}, {found}")
        return value

    def text(self, key: str, pattern: re.Pattern[str] | None = None) -> str:
        text = self.get(key, str, "a string")
        text.encode()  # half of a surrogate pair cannot be written anywhere: UnicodeEncodeError is a ValueError
        if pattern is not None and not pattern.fullmatch(text):
            raise ValueError(f"{self.where}{key}: {text!r} is nothing that a build writes")
        return text

    def find_text(self, key: str) -> str | None:
        return None if self.values.get(key) is None else self.text(key)

    def number(self, key: str, default: int | None = None) -> int:
        number = self.get(key, int, "a number", default)
        if number < 0:
            raise ValueError(f"{self.where}{key}: {number} is less than nothing")
        return number

    def texts(self, key: str) -> tuple[str, ...]:
        array = self.get(key, list, "an array", [])
        numbered = _Object(values={f"{key}[{at}]": one for at, one in enumerate(array)}, where=self.where)
        return tuple(map(numbered.text, numbered.values))

    def objects(self, key: str, default: list[Any] | None = None) -> Iterator[_Object]:
        for at, values in enumerate(self.get(key, list, "an array", default)):
            if not isinstance(values, dict):
                found = _WORDS.get(type(values), "null")
                raise ValueError(f"{self.where}{key}[{at}]: expected an object, found {found}")
            yield _Object(values=values, where=f"{self.where}{key}[{at}].")


def _parse(one: _Object) -> Artifact:
    return Artifact(
        name=one.text("name", _NAME),
        file=one.text("path", _ARCHIVE),
        kind=_KINDS[one.text("kind", re.compile("|".join(_KINDS)))],
        runtime=one.text("runtime", _RUNTIME),
        architecture=one.text("architecture", re.compile("x86_64|arm64")),
        handler=one.find_text("handler"),
        layers=one.texts("layers"),
        external_layers=tuple(map(_parse_external, one.objects("external_layers", []))),
        sha256=one.text("sha256", _SHA256),
        content_digest=one.text("content_digest", _SHA256),
        zipped_size=one.number("zipped_size"),
        unzipped_size=one.number("unzipped_size"),
        files=one.number("files"),
        source_size=one.number("source_size"),
        distributions=tuple(map(_parse_share, one.objects("distributions"))),
        provenance=Provenance(
            builder=one.text("builder"),
            image_digest=one.find_text("image_digest"),
            uv=one.text("uv_version"),
            compressor=one.text("compressor"),
            bytecode=one.find_text("bytecode_python"),
            strip=one.find_text("strip_version"),
            networked=one.texts("built_with_network"),
        ),
        bytecode_size=one.number("bytecode_size", 0),
        symbols=_parse_symbols(one),
        recompressed=None if one.values.get("recompressed") is None else one.number("recompressed"),
        part_of=one.find_text("part_of"),
        ignore_rule=_IGNORE_RULES.get(one.find_text("ignore_rule") or ""),
        compatible_runtimes=one.texts("compatible_runtimes"),
        configured=one.get("configured", bool, "true or false", default=True),
    )


def _parse_share(one: _Object) -> Share:
    return Share(
        name=one.text("name"),
        version=one.text("version"),
        size=one.number("size"),
        files=one.number("files"),
        modules=one.texts("modules"),
    )


def _parse_external(one: _Object) -> ExternalLayer:
    return ExternalLayer(name=one.text("name"), arn=one.text("arn"), unzipped_size=one.number("unzipped_size"))


def _parse_symbols(artifact: _Object) -> Symbols | None:
    if artifact.values.get("symbols") is None:
        return None
    one = _Object(values=artifact.get("symbols", dict, "an object"), where=f"{artifact.where}symbols.")
    restored = _Object(values=one.get("restored", dict, "an object"), where=f"{one.where}restored.")
    return Symbols(saved=one.number("saved"), restored=tuple((path, restored.text(path)) for path in restored.values))
