"""Secrets Manager, where the credentials for Powens lie."""

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from shared.domain.errors import Misconfigured, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_PERMANENT = {
    "AccessDeniedException",
    "DecryptionFailure",
    "InvalidParameterException",
    "InvalidRequestException",
    "ResourceNotFoundException",
}


def read_secret(client: "SecretsManagerClient", secret_id: str) -> str:
    """The text of a secret. Raises Misconfigured for one that we may not or cannot read, Unavailable otherwise."""
    try:
        return client.get_secret_value(SecretId=secret_id)["SecretString"]
    except (ClientError, BotoCoreError) as error:
        if isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") in _PERMANENT:
            raise Misconfigured("Secrets Manager refuses the Powens secret", code="powens_secret_refused") from error
        raise Unavailable("Secrets Manager does not answer", code="secrets_unavailable") from error
