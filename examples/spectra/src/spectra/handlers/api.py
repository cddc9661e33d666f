"""api-handler: answers queries at once, behind an API Gateway REST API.

``GET /tables`` says what there is; ``POST /queries`` with ``{"sql": "..."}`` runs a query, returns its first rows, and
says where the complete result lies once the worker has exported it.
"""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.exceptions import BadRequestError
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from spectra import engine, results, sql, warehouse
from spectra.errors import QueryError
from spectra.models import Column, QueryRequest, QueryResult, TableInfo
from spectra.settings import settings

logger = Logger(service="spectra-api")
app = APIGatewayRestResolver(enable_validation=True)


@app.get("/tables")
def list_tables() -> list[TableInfo]:
    return [TableInfo(name=table.name, rows=table.rows, columns=_columns(table.schema)) for table in warehouse.tables()]


@app.post("/queries")
def run_query(request: QueryRequest) -> QueryResult:
    try:
        query = sql.parse(request.sql)
        answer = engine.run(query)
    except QueryError as error:
        logger.info("query refused", reason=str(error))
        raise BadRequestError(str(error)) from None
    shown = answer.slice(0, settings().max_rows)
    logger.info("query answered", query_id=query.identity, table=query.table, rows=answer.num_rows)
    return QueryResult(
        query_id=query.identity,
        columns=_columns(answer.schema),
        rows=shown.to_pylist(),
        row_count=answer.num_rows,
        truncated=shown.num_rows < answer.num_rows,
        complete_result=results.locate(query.identity, "parquet"),
    )


def _columns(schema: Any) -> list[Column]:
    return [Column(name=field.name, type=str(field.type)) for field in schema]


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
