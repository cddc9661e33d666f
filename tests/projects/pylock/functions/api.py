import importlib.util

import idna
import markupsafe._speedups


def handler(event, context):
    there = {name: importlib.util.find_spec(name) is not None for name in ("colorama", "markupsafe")}
    return {"idna": idna.__version__, **there}
