"""The settings of the functions, read once from the environment; secrets are read from Secrets Manager when needed."""

import json
from collections.abc import Mapping
from typing import Annotated, NamedTuple, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, NonNegativeInt, SecretStr, ValidationError, field_validator

from shared.domain.errors import Misconfigured


def _from_env[S: BaseModel](settings: type[S], environment: Mapping[str, str]) -> S:
    try:
        given = {name: environment[name.upper()] for name in settings.model_fields if name.upper() in environment}
        return settings.model_validate(given)
    except ValidationError as error:
        names = sorted({str(fault["loc"][0]).upper() for fault in error.errors()})
        raise Misconfigured(f"missing or wrong: {', '.join(names)}", code="environment_incomplete") from None


class Scopes(NamedTuple):
    """What a token must have been given to read, to change, and to erase its user."""

    read: str
    write: str
    erase: str


def _scopes(value: object) -> object:
    return (value.split() or None) if isinstance(value, str) else value


type TokenScopes = Annotated[Scopes | None, BeforeValidator(_scopes)]


class Settings(BaseModel):
    """Each field is the environment variable of the same name in capitals; `template.yaml` sets them all.

    `powens_calls_per_minute` 0 is no limit. `confirm_connections_within_minutes` 0: no connection has to be confirmed.
    `access_tokens_only` refuses tokens that do not say what they are for. `token_scopes` are those to read, to change
    and to erase; empty asks for none. `erasure_sign_in_within_minutes` 0: however long ago.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    table_name: str
    event_bus_name: str
    commands_queue_url: str
    refresh_queue_url: str
    outbox_failures_queue_url: str
    token_key_id: str
    powens_secret_id: str
    powens_api_url: str
    powens_webview_url: str
    powens_domain: str
    public_url: str
    return_to_allowed: tuple[str, ...]
    powens_calls_per_minute: NonNegativeInt = 0
    confirm_connections_within_minutes: NonNegativeInt = 0
    access_tokens_only: bool = False
    token_scopes: TokenScopes = None
    erasure_sign_in_within_minutes: NonNegativeInt = 0

    @field_validator("return_to_allowed", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """Raises Misconfigured, naming the variables at fault."""
        return _from_env(cls, environment)


class LiveSettings(BaseModel):
    """What `live_updates` alone needs. `live_endpoint` is the https address of the WebSocket API's stage."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    table_name: str
    live_endpoint: str
    jwt_issuer: str
    jwt_audience: str
    access_tokens_only: bool = False
    token_scopes: TokenScopes = None

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """Raises Misconfigured, naming the variables at fault."""
        return _from_env(cls, environment)


class PowensSecret(BaseModel):
    """The JSON of the Powens secret. `identity_key` keys the hashes of IBANs and numbers and never changes.

    `users_token`, from Powens' console, may list all users of the domain; without it orphans are not looked for.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    client_id: str
    client_secret: SecretStr
    identity_key: SecretStr
    users_token: SecretStr | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises Misconfigured, without a word of the secret."""
        try:
            secret = cls.model_validate(json.loads(text))
        except ValueError:
            raise Misconfigured("the Powens secret is not what it should be", code="powens_secret_invalid") from None
        if not secret.client_secret.get_secret_value() or not secret.identity_key.get_secret_value():
            raise Misconfigured("the Powens secret is empty", code="powens_secret_invalid")
        return secret
