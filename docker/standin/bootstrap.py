"""Runtime of the stand-in: Lambda's import path around awslambdaric.

Python starts with this script's directory (/var/runtime), PYTHONPATH, the
standard library and /var/lang's site-packages. Lambda puts in front of these

    /var/task
    /opt/python/lib/pythonX.Y/site-packages
    /opt/python
    /var/lang/lib/pythonX.Y/site-packages

or, where PYTHONPATH is set, only the first. All but the last are site
directories: their .pth files work.
"""

import os
import site
import sys
import sysconfig

TASK_ROOT = os.environ["LAMBDA_TASK_ROOT"]


def extend_import_path():
    """Make sys.path what it is on Lambda."""
    ours, runtimes = [TASK_ROOT], []
    if "PYTHONPATH" not in os.environ:
        major, minor = sys.version_info[:2]
        ours += [f"/opt/python/lib/python{major}.{minor}/site-packages", "/opt/python"]
        runtimes = [sysconfig.get_path("purelib")]
        # For child processes; this one has its path already.
        os.environ["PYTHONPATH"] = os.environ["LAMBDA_RUNTIME_DIR"]
    sys.path[:0] = ours + runtimes
    for directory in ours:
        site.addsitedir(directory)


if __name__ == "__main__":
    extend_import_path()
    # Only now: a copy that a layer or the function brings comes first.
    from awslambdaric.__main__ import main

    main([TASK_ROOT, os.environ["_HANDLER"]])
