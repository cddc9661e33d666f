"""Complete results as files: how they are written, where they lie, and the link that fetches one."""

from functools import cache
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import EnvProvider
from pyarrow import feather

from spectra.models import ResultFormat, ResultLocation
from spectra.settings import settings


def encode(answer: pa.Table, kind: ResultFormat) -> bytes:
    sink = pa.BufferOutputStream()
    if kind == "parquet":
        pq.write_table(answer, sink, compression="zstd")
    else:
        feather.write_feather(answer, sink, compression="lz4")
    return bytes(sink.getvalue())


def deliver(query_id: str, kind: ResultFormat, content: bytes) -> str:
    """Leave a result where its readers look, and say where that is."""
    where = settings()
    key = _key(query_id, kind)
    if where.results_delivery == "s3":
        s3().put_object(Bucket=where.results_bucket, Key=key, Body=content)
        return f"s3://{where.results_bucket}/{key}"
    path = where.spool / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path.as_uri()


def locate(query_id: str, kind: ResultFormat) -> ResultLocation:
    where = settings()
    key = _key(query_id, kind)
    link = s3().generate_presigned_url(
        "get_object", Params={"Bucket": where.results_bucket, "Key": key}, ExpiresIn=where.link_seconds
    )
    return ResultLocation(uri=f"s3://{where.results_bucket}/{key}", link=link)


def _key(query_id: str, kind: ResultFormat) -> str:
    return f"results/{query_id}.{kind}"


@cache
def s3() -> Any:
    """Lambda puts the credentials of its role into the environment. Without them links are plain, unsigned ones."""
    signed = EnvProvider().load() is not None
    config = Config(signature_version="s3v4" if signed else UNSIGNED, s3={"addressing_style": "virtual"})
    return boto3.client("s3", region_name=settings().region, config=config)
