from pathlib import Path

import shop_core
from shop_core.model import Item


def handler(event, context):
    return {"item": Item("sugar").show(), "built": Path(shop_core.__file__).parts[1:4]}
