import attrs
import idna
import iniconfig
import markupsafe
import six

import settings


def handler(event, context):
    found = [module.__name__ for module in (attrs, idna, iniconfig, markupsafe, six)]
    return {"found": found, "place": settings.PLACE}
