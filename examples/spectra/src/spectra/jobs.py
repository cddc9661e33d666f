"""Export jobs as the jobs table streams them: DynamoDB items inside queue messages."""

import json
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from spectra.models import ExportJob

_items = TypeDeserializer()


def from_message(body: str) -> ExportJob:
    """The job inside a stream record (INSERT or MODIFY) that a pipe has put into the queue."""
    image: dict[str, Any] = json.loads(body)["dynamodb"]["NewImage"]
    return ExportJob.model_validate({name: _items.deserialize(value) for name, value in image.items()})
