"""The short way: a build of which nothing has changed says again what it said, before anything heavy is imported."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from lambdabuild import buildstate
from lambdabuild.buildstate import Told
from lambdabuild.cache import Cache, default_root
from lambdabuild.cli.options import BuildOptions
from lambdabuild.environment import current_folder, environment, home
from lambdabuild.ledger import Changed, Ledger, recording
from lambdabuild.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """Of a build that is not unchanged: what it reads, for the next one."""

    cache: Cache
    key: str
    ledger: Ledger

    def keep(self, told: Told, *, until: str) -> str | None:
        """Keep the state of a build that went well; gives the path of something that was changed meanwhile."""
        try:
            buildstate.keep(self.cache, self.key, told, seen=self.ledger.take(), until=until)
        except Changed as changed:
            return str(changed)
        return None


@contextmanager
def asking(command: str, options: BuildOptions, **more: Any) -> Iterator[Recorder | None]:
    """None when the build is unchanged, and has said so; else what records the reading of this one."""
    started = time.monotonic()
    environ = environment()
    cache = Cache(default_root(environ, home=home(), platform=sys.platform))
    question = {"command": command, "cwd": str(current_folder()), **asdict(options), **more}
    key = buildstate.question_key(question, environ)
    today = datetime.now(tz=timezone.utc).date().isoformat()
    told = None if options.upgrade else buildstate.find_unchanged(cache, key, today=today)
    if told is not None:
        _say_again(told, options, time.monotonic() - started)
        yield None
        return
    with recording() as ledger:
        yield Recorder(cache=cache, key=key, ledger=ledger)


def _say_again(told: Told, options: BuildOptions, seconds: float) -> None:
    sys.stderr.write(told.warnings)
    sys.stderr.flush()
    if options.as_json:
        document = json.loads(told.output)
        print(json.dumps({**document, "removed": [], "unchanged": True, "seconds": round(seconds, 3)}, indent=2))
    else:
        print(f"{told.output}{told.last}, unchanged, {seconds:.1f} s")
