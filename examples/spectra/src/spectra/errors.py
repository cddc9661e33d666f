"""The mistakes a caller can make."""


class QueryError(ValueError):
    """The query cannot be read, or asks for something that is not there."""


class TokenError(ValueError):
    """The token is missing, forged, malformed or too old."""
