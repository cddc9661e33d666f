"""The three handlers, called as Lambda calls them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from spectra import tokens
from spectra.handlers import api, authorizer, worker
from spectra.models import TokenClaims
from spectra.settings import LOCAL_TOKEN_KEY, Settings

Events = Callable[[str], Any]


def test_api_answers_the_example(event: Events, context: Any) -> None:
    answer = api.handler(event("api-handler"), context)
    expected = event("expected/api-handler")
    body = json.loads(answer["body"])
    assert body["complete_result"].pop("link").startswith("https://spectra-results.s3.eu-central-1.amazonaws.com/")
    assert {"statusCode": answer["statusCode"], "body": body} == expected


def test_api_signs_the_link_with_the_credentials_of_its_role(
    event: Events, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    answer = api.handler(event("api-handler"), context)
    link = json.loads(answer["body"])["complete_result"]["link"]
    assert "X-Amz-Credential=AKIAEXAMPLE%2F" in link
    assert "X-Amz-Expires=900" in link


def test_api_shows_no_more_rows_than_it_may(event: Events, context: Any) -> None:
    request = event("api-handler") | {"body": json.dumps({"sql": "SELECT * FROM orders"})}
    body = json.loads(api.handler(request, context)["body"])
    assert (len(body["rows"]), body["row_count"], body["truncated"]) == (100, 240, True)


def test_api_lists_the_tables(event: Events, context: Any) -> None:
    request = event("api-handler") | {"httpMethod": "GET", "path": "/tables", "resource": "/tables", "body": None}
    answer = api.handler(request, context)
    assert [(table["name"], table["rows"]) for table in json.loads(answer["body"])] == [
        ("orders", 240),
        ("products", 8),
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [({"sql": "SELECT * FROM nothing"}, 400), ({"sql": ""}, 422), ({"query": "SELECT * FROM orders"}, 422)],
)
def test_api_refuses_bad_requests(event: Events, context: Any, body: dict[str, str], status: int) -> None:
    answer = api.handler(event("api-handler") | {"body": json.dumps(body)}, context)
    assert answer["statusCode"] == status
    assert isinstance(json.loads(answer["body"]), dict)


def test_worker_exports_the_example_and_reports_the_job_it_cannot_run(event: Events, context: Any, spool: Path) -> None:
    assert worker.handler(event("worker"), context) == event("expected/worker")
    (parquet,) = spool.glob("results/*.parquet")
    (arrow,) = spool.glob("results/*.arrow")
    refunded_or_large = pq.read_table(parquet).to_pylist()
    assert len(refunded_or_large) == 65
    assert all(row["status"] == "refunded" or row["quantity"] > 7 for row in refunded_or_large)
    by_product = feather.read_table(arrow)
    assert by_product.column_names == ["product", "typical", "first"]
    assert by_product["typical"].to_pylist() == sorted(by_product["typical"].to_pylist(), reverse=True)


def test_authorizer_allows_the_routes_of_a_good_token(event: Events, context: Any) -> None:
    assert authorizer.handler(event("authorizer"), context) == event("expected/authorizer")


def _token(key: str = LOCAL_TOKEN_KEY, expires: int = 4_102_444_800) -> str:
    claims = TokenClaims(subject="someone", scopes=frozenset({"tables:read"}), expires=expires)
    return f"Bearer {tokens.sign(claims, key.encode())}"


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        ("", "a bearer token is required"),
        ("Basic dXNlcjpwYXNz", "a bearer token is required"),
        ("Bearer !", "the token is not base64url"),
        (_token(key="another"), "the signature does not match"),
        (_token(expires=1_000_000_000), "the token has expired"),
    ],
)
def test_authorizer_denies_everything_to_a_bad_token(
    event: Events, context: Any, authorization: str, reason: str
) -> None:
    request = event("authorizer") | {"headers": {"authorization": authorization}}
    answer = authorizer.handler(request, context)
    (statement,) = answer["policyDocument"]["Statement"]
    assert (statement["Effect"], answer["context"]["reason"]) == ("Deny", reason)


def test_production_needs_a_key_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECTRA_STAGE", "production")
    with pytest.raises(ValueError, match="SPECTRA_TOKEN_KEY must be set"):
        Settings()
    monkeypatch.setenv("SPECTRA_TOKEN_KEY", "one of our own")
    assert Settings().stage == "production"
