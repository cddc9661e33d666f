#!/usr/bin/env python3
"""The classic door to ``lambdabuild layer``: ``python scripts/build_layer.py --output DIR --skip-validation``."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV_PYTHON = ROOT / ".venv" / "bin" / "python"

sys.path[0] = str(ROOT)
try:
    from lambdabuild.cli import main
except ModuleNotFoundError as error:
    if not VENV_PYTHON.exists() or Path(sys.prefix) == VENV_PYTHON.parent.parent:
        sys.exit(f"{error}; make the environment first: {ROOT / 'scripts' / 'venv.sh'}")
    os.execv(VENV_PYTHON, [str(VENV_PYTHON), *sys.argv])

if __name__ == "__main__":
    sys.argv[1:1] = ["layer", "--upload-default", "direct"]
    main()
