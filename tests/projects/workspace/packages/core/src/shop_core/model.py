from importlib.resources import files

import six


class Item:
    def __init__(self, name):
        self.name = six.ensure_text(name)

    def show(self):
        unit = files("shop_core").joinpath("unit.txt").read_text().strip()
        return f"a {unit} of {self.name}"
