from importlib.resources import files

from shop import NAME, models


def handler(event, context):
    greeting = files("shop").joinpath("greeting.txt").read_text().strip()
    return {"name": NAME, "greeting": greeting, "item": models.describe(**event)}
