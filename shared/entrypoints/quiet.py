"""What libraries may log. By itself, as the webhook imports nothing that takes time."""

import logging


def silence_libraries() -> None:
    """Whatever the log level of a function is, libraries write nothing below INFO.

    At DEBUG the AWS SDK writes whole requests and answers, credentials, secrets and plaintexts included. Lambda's log
    level is that of the root logger, from which each library has its own; our logger has one of its own.
    """
    root = logging.getLogger()
    root.setLevel(max(root.level, logging.INFO))
