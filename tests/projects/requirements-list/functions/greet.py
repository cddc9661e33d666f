import importlib.util

import six
from markupsafe import escape


def handler(event, context):
    name = escape(six.ensure_text(event["name"]))
    return {"hello": str(name), "tomli": importlib.util.find_spec("tomli") is not None}
