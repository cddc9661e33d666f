"""worker: takes export jobs from a queue and leaves complete results as files.

Jobs that fail are reported one by one, so that the queue redelivers those and no others.
"""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from spectra import engine, jobs, results, sql
from spectra.errors import QueryError
from spectra.models import ExportJob

logger = Logger(service="spectra-worker")
processor = BatchProcessor(event_type=EventType.SQS)


def export(job: ExportJob) -> str:
    """Run one job, and say where its result lies."""
    query = sql.parse(job.sql)
    answer = engine.run(query)
    content = results.encode(answer, job.format)
    uri = results.deliver(query.identity, job.format, content)
    logger.info("job exported", job_id=job.job_id, rows=answer.num_rows, size=len(content), uri=uri)
    return uri


def process(record: SQSRecord) -> str:
    job = jobs.from_message(record.body)
    try:
        return export(job)
    except QueryError as error:
        logger.warning("job refused", job_id=job.job_id, attempts=job.attempts, reason=str(error))
        raise


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    return process_partial_response(event=event, record_handler=process, processor=processor, context=context)
