import iniconfig
import shared


def handler(event, context):
    return [iniconfig.__name__, shared.WORD]
