"""Bearer tokens: claims as JSON, signed with HMAC-SHA256. ``base64url(claims).base64url(signature)``"""

import base64
import binascii
import hashlib
import hmac

from pydantic import ValidationError

from spectra.errors import TokenError
from spectra.models import TokenClaims


def sign(claims: TokenClaims, key: bytes) -> str:
    payload = claims.model_dump_json().encode()
    return f"{_encode(payload)}.{_encode(_signature(payload, key))}"


def verify(token: str, key: bytes, *, now: float) -> TokenClaims:
    """The claims of a token that is genuine and still valid, or TokenError."""
    encoded_payload, _, encoded_signature = token.partition(".")
    payload, signature = _decode(encoded_payload), _decode(encoded_signature)
    if not hmac.compare_digest(signature, _signature(payload, key)):
        raise TokenError("the signature does not match")
    try:
        claims = TokenClaims.model_validate_json(payload)
    except ValidationError as error:
        raise TokenError("the claims are malformed") from error
    if claims.expires <= now:
        raise TokenError("the token has expired")
    return claims


def _signature(payload: bytes, key: bytes) -> bytes:
    return hmac.new(key, payload, hashlib.sha256).digest()


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise TokenError("the token is not base64url") from None
