import idna
import six

import settings
from common.text import shout


def handler(event, context):
    return {"idna": idna.__version__, "six": six.__version__, "said": shout(event["say"]), "place": settings.PLACE}
