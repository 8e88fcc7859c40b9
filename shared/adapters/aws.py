"""What each function takes of the machine that it runs on: AWS clients with our time-outs, and the time."""

from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config

_CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "max_attempts": 3})


def aws_client(service: str, **options: str) -> Any:
    return boto3.client(service, config=_CONFIG, **options)  # type: ignore[call-overload]


def utc_now() -> datetime:
    return datetime.now(UTC)
