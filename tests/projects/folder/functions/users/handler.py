import six

import store
from views.table import rows


def process(event, context):
    return {"users": rows(store.find(event.get("name"))), "six": six.__version__}
