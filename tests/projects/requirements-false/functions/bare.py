import importlib.util


def handler(event, context):
    return {name: importlib.util.find_spec(name) is not None for name in ("shared", "idna")}
