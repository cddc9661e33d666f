"""What goes over the wire."""

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Scalar = str | int | float | bool | date | None
ResultFormat = Literal["parquet", "arrow"]
Scope = Literal["tables:read", "queries:run"]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(Model):
    name: str
    type: str


class TableInfo(Model):
    name: str
    rows: int
    columns: list[Column]


class QueryRequest(Model):
    sql: str = Field(min_length=1, max_length=10_000)


class ResultLocation(Model):
    """Where the worker leaves the complete result of a query."""

    uri: str
    link: str


class QueryResult(Model):
    query_id: str
    columns: list[Column]
    rows: list[dict[str, Scalar]]
    row_count: int
    truncated: bool
    complete_result: ResultLocation


class ExportJob(Model):
    """One row of the jobs table: a query whose complete result somebody wants as a file."""

    job_id: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    sql: str = Field(min_length=1, max_length=10_000)
    format: ResultFormat = "parquet"
    attempts: int = Field(default=0, ge=0)


class TokenClaims(Model):
    """Who is asking, what they may do, and until when (seconds since 1970)."""

    subject: str = Field(min_length=1, max_length=128)
    scopes: frozenset[Scope]
    expires: int
