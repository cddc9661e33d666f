import greeting
import idna
from shop_core.model import Item


def handler(event, context):
    return {"greeting": greeting.greet(event["name"]), "item": Item("tea").show(), "idna": idna.__version__}
