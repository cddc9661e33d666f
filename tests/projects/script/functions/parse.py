# /// script
# requires-python = ">=3.10"
# dependencies = [
#     "iniconfig==2.0.0",
# ]
# ///
from importlib.metadata import PackageNotFoundError, version

import iniconfig


def handler(event, context):
    config = iniconfig.IniConfig("event.ini", data=event["ini"])
    return {section.name: dict(section.items()) for section in config} | {"metadata": _version()}


def _version():
    try:
        return version("iniconfig")
    except PackageNotFoundError:
        return None
