"""Who makes what at this moment, so that of builds that want the same one makes it and the others wait for it.

A claim is a file that lists keys; it is locked for as long as its build makes them, and goes with it. All keys of a
build are claimed together or none, and who waits holds no claim: so no two builds wait for each other.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from lambdabuild.locks import held, is_held, wait_until_free


@contextmanager
def claimed(folder: Path, keys: Collection[str], *, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a claim on the keys in a folder of claims; ``waiting`` is called once when another one has some of them.

    Raises OSError where the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    claim = folder / f"{os.urandom(8).hex()}.claim"
    waited = False
    with ExitStack() as holding:
        while True:
            with held(folder / "claiming.lock"):
                other = _find_other(folder, keys)
                if other is None:
                    holding.enter_context(held(claim))
                    holding.callback(claim.unlink, missing_ok=True)  # while its lock is held
                    claim.write_text("\n".join(keys))
                    break
            if not waited:
                waiting()
            waited = True
            wait_until_free(other)
        yield


def _find_other(folder: Path, keys: Collection[str]) -> Path | None:
    """Another claim on one of the keys; those of killed builds are removed."""
    for claim in folder.glob("*.claim"):
        if not is_held(claim):
            claim.unlink(missing_ok=True)
            continue
        with suppress(FileNotFoundError):  # given up just now
            if not set(keys).isdisjoint(claim.read_text().split()):
                return claim
    return None
