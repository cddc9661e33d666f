"""``lambdabuild -v``: every command that is run, on stderr."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence

from lambdabuild.cli.failure import wants_json


def show_commands(argv: Sequence[str]) -> None:
    """Show them from now on: as text, or as JSON lines where the command line asks for JSON."""
    handler = logging.StreamHandler(sys.stderr)
    if wants_json(argv):
        handler.setFormatter(_JsonLines())
    logging.basicConfig(handlers=[handler])
    logging.getLogger("lambdabuild").setLevel(logging.DEBUG)


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps({"event": "command", "message": record.getMessage()})
