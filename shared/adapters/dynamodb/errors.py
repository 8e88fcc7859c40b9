"""What DynamoDB's errors mean: something that passes, or a bug of ours."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from shared.domain.errors import StoreUnavailable

_RETRYABLE = {
    "TransactionConflictException",
    "TransactionInProgressException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "InternalServerError",
    "ServiceUnavailable",
}


@contextmanager
def translated() -> Iterator[None]:
    """Turn what botocore raises for a passing trouble into StoreUnavailable; what is left is a bug of ours."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _RETRYABLE:
            raise StoreUnavailable(code) from error
        raise
    except BotoCoreError as error:
        raise StoreUnavailable(type(error).__name__) from error
