"""What the environment decides, read once per process."""

from functools import cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

LOCAL_TOKEN_KEY = "for-local-runs-only"


class Settings(BaseSettings):
    """Every field is an environment variable with the prefix ``SPECTRA_``, save where an alias says otherwise."""

    model_config = SettingsConfigDict(env_prefix="SPECTRA_", frozen=True)

    stage: Literal["local", "production"] = "local"
    region: str = Field(default="eu-central-1", validation_alias="AWS_REGION")
    token_key: SecretStr = SecretStr(LOCAL_TOKEN_KEY)
    max_rows: int = Field(default=100, ge=1, le=10_000)
    results_bucket: str = "spectra-results"
    results_delivery: Literal["spool", "s3"] = "spool"
    spool: Path = Path("/tmp/spectra")
    link_seconds: int = Field(default=900, ge=60, le=3600)

    @model_validator(mode="after")
    def _refuse_the_local_key_in_production(self) -> Self:
        if self.stage == "production" and self.token_key.get_secret_value() == LOCAL_TOKEN_KEY:
            raise ValueError("SPECTRA_TOKEN_KEY must be set in production")
        return self


@cache
def settings() -> Settings:
    return Settings()
