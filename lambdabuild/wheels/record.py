"""The RECORD of a wheel, held against its members: every file listed with its hash, every row a file.

https://packaging.python.org/en/latest/specifications/binary-distribution-format/#signed-wheel-files
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lambdabuild.wheels.names import refusal

_ALGORITHMS = frozenset({"sha256", "sha384", "sha512"})
"""The specification wants sha256 or better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What RECORD says of a file."""

    algorithm: str
    digest: bytes
    size: int | None

    def holds(self, content: bytes | bytearray, sha256: str) -> bool:
        if self.size is not None and self.size != len(content):
            return False
        if self.algorithm == "sha256":
            return self.digest.hex() == sha256
        return self.digest == hashlib.new(self.algorithm, content).digest()


def read_record(content: bytes | bytearray, path: str, names: Collection[str], wheel: str) -> Mapping[str, Claim]:
    """The claim about every one of these members but RECORD itself and its signatures.

    Raises PolicyError for a file without a hash, a row without a file and a row that cannot be read.
    """
    unsigned = {path, f"{path}.jws", f"{path}.p7s"}
    claims: dict[str, Claim] = {}
    try:
        rows = list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise refusal(wheel, f"cannot be read: {error}", path) from None
    for row in rows:
        if not row:
            continue
        name, digest, size = (*row, "", "")[:3]
        if len(row) > 3 or name not in names:
            raise refusal(wheel, "is in its RECORD and not in the wheel", name)
        if name == path and not digest:
            continue
        if not digest:
            if name in unsigned:
                continue
            raise refusal(wheel, "has no hash in its RECORD", name)
        claim = _claim(digest, size)
        if claim is None:
            raise refusal(wheel, f"has a hash or a size in its RECORD that is none: {digest!r}, {size!r}", name)
        if claims.setdefault(name, claim) != claim:
            raise refusal(wheel, "has two rows in its RECORD that contradict each other", name)
    missing = next((name for name in names if name not in claims and name not in unsigned), None)
    if missing is not None:
        raise refusal(wheel, "is not in its RECORD", missing)
    return claims


def _claim(digest: str, size: str) -> Claim | None:
    algorithm, _, encoded = digest.partition("=")
    if algorithm not in _ALGORITHMS or (size and not (size.isascii() and size.isdigit())):
        return None
    try:
        value = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    if len(value) != hashlib.new(algorithm).digest_size or len(size) > 20:
        return None
    return Claim(algorithm=algorithm, digest=value, size=int(size) if size else None)
