"""``python scripts/bench``: the folder is run, and its modules are imported as ``scripts.bench``."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    from scripts.bench.command import main

    sys.exit(main(sys.argv[1:]))
