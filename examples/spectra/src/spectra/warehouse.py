"""The data: tables held as Parquet in memory, read column by column.

The CSV files in ``data/`` stand for what would be Parquet objects in a bucket.
"""

from collections.abc import Collection
from functools import cache
from importlib.resources import files

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from spectra.errors import QueryError

SCHEMAS = {
    "orders": pa.schema(
        {
            "order_id": pa.int64(),
            "ordered_on": pa.date32(),
            "region": pa.string(),
            "channel": pa.string(),
            "product": pa.string(),
            "quantity": pa.int32(),
            "amount_cents": pa.int64(),
            "status": pa.string(),
        }
    ),
    "products": pa.schema(
        {
            "product": pa.string(),
            "category": pa.string(),
            "unit_cents": pa.int64(),
        }
    ),
}


class Table:
    """One table of the warehouse."""

    def __init__(self, name: str, parquet: pa.Buffer) -> None:
        metadata = pq.read_metadata(pa.BufferReader(parquet))
        self.name = name
        self.rows: int = metadata.num_rows
        self.schema: pa.Schema = metadata.schema.to_arrow_schema()
        self._parquet = parquet

    def field(self, column: str) -> pa.Field:
        if column not in self.schema.names:
            raise QueryError(f"table {self.name!r} has no column {column!r}; it has {', '.join(self.schema.names)}")
        return self.schema.field(column)

    def read(self, columns: Collection[str], where: pc.Expression | None) -> pa.Table:
        """The rows that meet the condition, with these columns and no others."""
        return pq.read_table(pa.BufferReader(self._parquet), columns=list(columns), filters=where, use_threads=False)


@cache
def table(name: str) -> Table:
    schema = SCHEMAS.get(name)
    if schema is None:
        raise QueryError(f"there is no table {name!r}; there are {', '.join(SCHEMAS)}")
    with files("spectra").joinpath("data", f"{name}.csv").open("rb") as file:
        rows = csv.read_csv(file, convert_options=csv.ConvertOptions(column_types=schema))
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="zstd", row_group_size=64)
    return Table(name, sink.getvalue())


def tables() -> list[Table]:
    return [table(name) for name in SCHEMAS]
