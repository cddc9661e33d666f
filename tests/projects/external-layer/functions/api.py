import common
import idna
import six


def handler(event, context):
    return {"word": common.WORD, "idna": idna.__version__, "six": six.__version__, "place": idna.__file__}
