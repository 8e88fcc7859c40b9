"""One logger and one way to count for all functions. Nothing that a user, Powens or a bank wrote is logged."""

import logging
from datetime import timedelta

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger()

# At DEBUG the AWS SDK writes whole answers, secrets and plaintexts included, and Lambda's log level is the root's.
for _library in ("boto3", "botocore", "urllib3"):
    logging.getLogger(_library).setLevel(logging.INFO)


def count(name: str, value: int = 1) -> None:
    """Add to a metric of the service's namespace, by the dimension `service`."""
    with single_metric(name=name, unit=MetricUnit.Count, value=value):
        pass


def measure(name: str, length: timedelta) -> None:
    """A metric in seconds, by the dimension `service`."""
    with single_metric(name=name, unit=MetricUnit.Seconds, value=length.total_seconds()):
        pass


def count_unreadable(field: str) -> None:
    """A field of Powens' answers that could not be read. `field` is our name for it; its value is not ours to log."""
    logger.warning("unreadable field", extra={"field": field})
    count("UnreadableFields")
