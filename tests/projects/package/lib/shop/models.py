import attrs


@attrs.define
class Item:
    name: str
    price: int = attrs.field(validator=attrs.validators.gt(0))


def describe(**values):
    return str(Item(**values))
