import importlib.util
import sys

import markupsafe._speedups


def handler(event, context):
    tomli = importlib.util.find_spec("tomli") is not None
    return {"python": sys.version_info[:2], "tag": markupsafe._speedups.__file__.split(".")[-2], "tomli": tomli}
