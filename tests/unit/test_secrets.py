"""What a failing Secrets Manager means: a passing trouble is waited for, a refusal is for our operators."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from shared.adapters.secrets import read_secret
from shared.domain.errors import AppError, Misconfigured, Unavailable


class Client:
    """Answers with a text, or fails."""

    def __init__(self, answer: str | Exception) -> None:
        self.answer = answer

    def get_secret_value(self, **asked: str) -> dict[str, str]:
        assert asked == {"SecretId": "powens"}
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"SecretString": self.answer}


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "said by AWS"}}, "GetSecretValue")


def test_it_reads_the_text_of_a_secret() -> None:
    client: Any = Client("{}")
    assert read_secret(client, "powens") == "{}"


@pytest.mark.parametrize(
    ("trouble", "meaning"),
    [
        (refused("ThrottlingException"), Unavailable),
        (refused("InternalServiceError"), Unavailable),
        (ReadTimeoutError(endpoint_url="https://secrets.example"), Unavailable),
        (refused("AccessDeniedException"), Misconfigured),
        (refused("ResourceNotFoundException"), Misconfigured),
    ],
)
def test_the_kind_of_trouble_says_who_must_act(trouble: Exception, meaning: type[AppError]) -> None:
    client: Any = Client(trouble)
    with pytest.raises(meaning) as raised:
        read_secret(client, "powens")
    assert "said by AWS" not in str(raised.value)
