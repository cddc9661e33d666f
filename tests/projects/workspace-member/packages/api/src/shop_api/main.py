import idna
from shop_core import UNIT


def handler(event, context):
    return {"idna": idna.__version__, "unit": UNIT}
