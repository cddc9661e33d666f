import importlib.util


def handler(event, context):
    return {"event": event, "hello is here": importlib.util.find_spec("functions.hello") is not None}
