import idna
import six


def handler(event, context):
    return {"encoded": six.ensure_str(idna.encode(event["domain"])), "idna": idna.__version__, "six": six.__version__}
