"""Each test of this folder runs twice: on the stores in memory, and on DynamoDB's adapters."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.integration.contracts.stores import Stores, dynamodb, in_memory


@pytest.fixture(scope="session")
def client() -> Any:
    """One for all tests: to make one reads megabytes of service descriptions."""
    session = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="eu-west-3")
    return session.client("dynamodb")


@pytest.fixture(params=["memory", "dynamodb"])
def stores(request: pytest.FixtureRequest, client: Any) -> Iterator[Stores]:
    if request.param == "memory":
        yield in_memory()
        return
    with mock_aws():
        yield dynamodb(client)
