"""Powens user tokens under KMS. The encryption context binds a token to one of our users."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from shared.domain.errors import Misconfigured, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

_PERMANENT = {"InvalidCiphertextException", "IncorrectKeyException", "AccessDeniedException", "NotFoundException"}


@dataclass(frozen=True, slots=True)
class KmsSeal:
    """`shared.application.access.TokenSeal` on KMS."""

    client: "KMSClient"
    key_id: str

    def seal(self, user_id: str, token: str) -> bytes:
        try:
            sealed = self.client.encrypt(
                KeyId=self.key_id, Plaintext=token.encode(), EncryptionContext={"user_id": user_id}
            )
        except (ClientError, BotoCoreError) as error:
            raise _translated(error) from error
        return sealed["CiphertextBlob"]

    def unseal(self, user_id: str, sealed: bytes) -> str:
        try:
            opened = self.client.decrypt(
                KeyId=self.key_id, CiphertextBlob=sealed, EncryptionContext={"user_id": user_id}
            )
        except (ClientError, BotoCoreError) as error:
            raise _translated(error) from error
        return opened["Plaintext"].decode()


def _translated(error: ClientError | BotoCoreError) -> Misconfigured | Unavailable:
    if isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") in _PERMANENT:
        return Misconfigured("KMS refuses the token key", code="token_key_refused")
    return Unavailable("KMS does not answer", code="key_service_unavailable")
