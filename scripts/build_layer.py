#!/usr/bin/env python3
"""Usage: build_layer.py [OPTIONS] [NAME]...

Build the layers of a project, or those named: their dependencies below python/, checked against Lambda's limits.
The project is that of the current folder, or else the one that this script lies in.

Options:
  --output PATH        A folder, or the file of the one layer: dist/lambda/layer.zip. [default: dist/lambda]
  --skip-validation    Warn of Lambda's limits instead of failing.
  -h, --help           Show this message and exit.
  All others are those of lambdabuild layer; lambdabuild layer --help shows them.

Variables:
  PYTHON_VERSION       The runtime to build for, such as 3.13. [default: from pyproject.toml]
  OUTPUT_DIR           The same as --output, which wins over it.
  LAMBDABUILD_BUILDER  docker, host or auto: in the Lambda image, on this machine, or where it can be. [default: auto]

Example:
  python scripts/build_layer.py --output dist/lambda/layer.zip --skip-validation
"""

import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "spectra"
"""The project where the script lies in the checkout of lambdabuild, which is none for Lambda itself."""
PLACES = (ROOT / ".venv" / "bin" / "lambdabuild", Path(sys.executable).with_name("lambdabuild"))


def main() -> None:
    words = sys.argv[1:]
    if {"-h", "--help"} & {*words}:
        print(__doc__, end="")
        return
    command = next((str(place) for place in PLACES if os.access(place, os.X_OK)), shutil.which("lambdabuild"))
    if command is None:
        where = ", ".join(str(place.parent) for place in PLACES)
        print(f"build_layer.py: lambdabuild is neither in {where} nor on PATH: install it there", file=sys.stderr)
        sys.exit(4)
    given = []
    if EXAMPLE.is_dir() and Path.cwd() == ROOT:
        given += ["--project", str(EXAMPLE)]
    for option, variable in (("--python", "PYTHON_VERSION"), ("--output", "OUTPUT_DIR")):
        if os.environ.get(variable):
            given += [option, os.environ[variable]]
    own = str(EXAMPLE if EXAMPLE.is_dir() else ROOT)
    os.execv(command, [command, "layer", "--project-default", own, "--upload-default", "direct", *given, *words])


if __name__ == "__main__":
    main()
