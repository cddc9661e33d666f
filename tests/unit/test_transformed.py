"""model.transformed: what is told of bytecode and symbols."""

from __future__ import annotations

from dataclasses import replace

from lambdabuild.model.documents import artifact_document
from lambdabuild.model.manifestparse import parse_artifact
from lambdabuild.model.patterns import distribution_rules
from lambdabuild.model.report import Artifact
from lambdabuild.model.transformed import (
    Symbols,
    bytecode_size,
    restored_notes,
    stripped_symbols,
    transformed_lines,
)
from lambdabuild.model.tree import prefixed, segment_tree
from tests.samples import artifact, member, segment

PLAIN = artifact()


def compiled(file: str, size: int, python: str = "3.13.5") -> Artifact:
    provenance = replace(PLAIN.provenance, bytecode=python)
    return replace(artifact(file), bytecode_size=size, provenance=provenance)


def stripped(file: str, saved: int, **restored: str) -> Artifact:
    return replace(artifact(file), symbols=Symbols(saved=saved, restored=tuple(sorted(restored.items()))))


def test_the_size_of_bytecode() -> None:
    made = segment("one", "1", member("one.py", "12"), member("one/__pycache__/a.cpython-313.pyc", "12345"))
    assert bytecode_size(segment_tree([made], distribution_rules(keep=["**"]))) == 5


def test_what_stripping_did_to_a_tree() -> None:
    small, brittle, other = member("a/small.so", "code"), member("a/brittle.so", "code[]"), member("b.so", "code[]")
    segments = segment("a", "1", small, brittle), segment("b", "1", other)
    tree = prefixed(segment_tree(segments, distribution_rules()), "python/")
    restored = {"a 1": {"a/brittle.so": "it would break", "a/excluded.so": "it would break"}, "c 1": {"b.so": "no"}}
    assert stripped_symbols(tree, {small.sha256: 9, "00" * 32: 100}, restored) == Symbols(
        saved=9, restored=(("python/a/brittle.so", "it would break"),)
    )


def test_lines() -> None:
    artifacts = [
        compiled("layer.zip", 8_405_811),
        compiled("api.zip", 900),
        compiled("old.zip", 1200, "3.12.1"),
        stripped("big.zip", 30_608_997),
        stripped("small.zip", 0),
        replace(artifact("less.zip", zipped_size=97_500_000), recompressed=2_500_000),
        replace(artifact("same.zip"), recompressed=0),
        PLAIN,
    ]
    assert list(transformed_lines(artifacts)) == [
        "bytecode of Python 3.13.5: layer.zip 8.4 MB, api.zip 900 B unzipped",
        "bytecode of Python 3.12.1: old.zip 1.2 kB unzipped",
        "symbols left out: big.zip 30.6 MB unzipped",
        'compression = "small": less.zip 2.5 MB less (2.5%)',
    ]
    assert list(transformed_lines([PLAIN])) == []


def test_notes() -> None:
    restored = {f"{name}.so": "it would not load" for name in "edcba"}
    assert list(restored_notes([stripped("layer.zip", 1, **restored), stripped("api.zip", 1), PLAIN])) == [
        "layer.zip has shared objects that break without their symbols, and keep them: a.so (it would not load); "
        "b.so (it would not load); c.so (it would not load); and 2 more"
    ]


def test_in_the_manifest() -> None:
    for made in (compiled("layer.zip", 5), stripped("layer.zip", 5, **{"a.so": "it would not load"})):
        assert parse_artifact(artifact_document(made)) == made
        assert len({made, made}) == 1
