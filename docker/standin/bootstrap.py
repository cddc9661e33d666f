"""Runtime of the stand-in: Lambda's import path around awslambdaric.

Python starts with this script's directory (/var/runtime), then PYTHONPATH,
the standard library and /var/lang's site-packages. Lambda puts in front of
these:

    /var/task
    /opt/python/lib/pythonX.Y/site-packages   \\
    /opt/python                                > unless PYTHONPATH is set
    /var/lang/lib/pythonX.Y/site-packages     /

and treats the task root and the two layer directories as site directories,
so that their .pth files work.
"""

import os
import site
import sys
import sysconfig

TASK_ROOT = os.environ["LAMBDA_TASK_ROOT"]
LAYER_ROOT = "/opt/python"


def extend_import_path():
    site_dirs = [TASK_ROOT]
    front = [TASK_ROOT]
    if "PYTHONPATH" not in os.environ:
        python = "python{}.{}".format(*sys.version_info)
        layers = [os.path.join(LAYER_ROOT, "lib", python, "site-packages"), LAYER_ROOT]
        site_dirs += layers
        front += [*layers, sysconfig.get_path("purelib")]
        # For child processes; this one has its path already.
        os.environ["PYTHONPATH"] = os.environ["LAMBDA_RUNTIME_DIR"]
    sys.path[:0] = front
    for directory in site_dirs:
        site.addsitedir(directory)


if __name__ == "__main__":
    extend_import_path()
    # After the path is complete: a layer's or a function's own copy wins.
    from awslambdaric.__main__ import main

    main([TASK_ROOT, os.environ["_HANDLER"]])
