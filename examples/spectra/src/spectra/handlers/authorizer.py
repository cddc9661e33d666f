"""authorizer: turns a bearer token into an IAM policy for API Gateway (a REQUEST authorizer)."""

import time
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.data_classes.api_gateway_authorizer_event import (
    APIGatewayAuthorizerRequestEvent,
    APIGatewayAuthorizerResponse,
)
from aws_lambda_powertools.utilities.typing import LambdaContext

from spectra import tokens
from spectra.errors import TokenError
from spectra.models import Scope, TokenClaims
from spectra.settings import settings

ROUTES: dict[Scope, tuple[str, str]] = {
    "tables:read": ("GET", "/tables"),
    "queries:run": ("POST", "/queries"),
}

logger = Logger(service="spectra-authorizer")


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = APIGatewayAuthorizerRequestEvent(event)
    try:
        claims = _claims(request.headers.get("authorization", ""))
    except TokenError as error:
        logger.warning("token refused", reason=str(error))
        return _denial(request.method_arn, str(error))
    logger.info("token accepted", subject=claims.subject)
    return _permission(request.method_arn, claims)


def _claims(authorization: str) -> TokenClaims:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise TokenError("a bearer token is required")
    return tokens.verify(token.strip(), settings().token_key.get_secret_value().encode(), now=time.time())


def _permission(arn: str, claims: TokenClaims) -> dict[str, Any]:
    """Allow the routes of the token's scopes, whichever of them is asked for: API Gateway caches the answer."""
    scopes = sorted(claims.scopes)
    policy = APIGatewayAuthorizerResponse.from_route_arn(arn, claims.subject, {"scopes": " ".join(scopes)})
    for scope in scopes:
        policy.allow_route(*ROUTES[scope])
    if not scopes:
        policy.deny_all_routes()
    return policy.asdict()


def _denial(arn: str, reason: str) -> dict[str, Any]:
    policy = APIGatewayAuthorizerResponse.from_route_arn(arn, "anonymous", {"reason": reason})
    policy.deny_all_routes()
    return policy.asdict()
