"""One logger and one metrics namespace for all functions. Nothing that a user, Powens or a bank wrote is logged."""

from aws_lambda_powertools import Logger, Metrics

logger = Logger()
metrics = Metrics()
