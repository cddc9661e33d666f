import attr
import idna
import six


def handler(event, context):
    return {"attrs": attr.__version__, "idna": idna.__version__, "six": six.__version__}
