# /// script
# requires-python = ">=3.10"
# dependencies = ["attrs<25"]
#
# [tool.uv]
# exclude-newer = "2026-11-01T00:00:00Z"
# ///
import attrs


@attrs.frozen
class Point:
    x: int
    y: int = 0


def handler(event, context):
    return attrs.asdict(Point(**event))
