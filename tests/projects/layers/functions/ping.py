import client
import idna


def handler(event, context):
    return {"library": client.library(), "idna": idna.__version__}
