"""What each function takes of the machine that it runs on: AWS clients with our time-outs, and the time.

botocore without boto3, and its models read for their content only: a client is made twice as fast (ADR 0048).
"""

import gzip
import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

from botocore.config import Config
from botocore.loaders import JSONFileLoader, Loader
from botocore.session import Session

SERVICES = ("apigatewaymanagementapi", "dynamodb", "events", "kms", "secretsmanager", "sqs")
"""The AWS services that the functions call."""

_CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "max_attempts": 3})
_OPENED: dict[str, Any] = {".json": open, ".json.gz": gzip.open}


class _PlainFiles(JSONFileLoader):
    """Reads botocore's files into plain dicts; botocore makes an OrderedDict of each, which takes twice as long."""

    def load_file(self, file_path: str) -> Any:
        """The content of the JSON file, compressed or not, that `file_path` names without ending; None for no file."""
        for ending, opened in _OPENED.items():
            try:
                with opened(file_path + ending, "rb") as file:
                    return json.loads(file.read())
            except FileNotFoundError:
                continue
        return None


class _OurServices(Loader):
    """botocore looks through the folders of all services, some 400 of them, to learn whether ours exist."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - as botocore calls it
        return list(SERVICES)


def aws_client(service: str, *, endpoint_url: str | None = None) -> Any:
    """A client of one of SERVICES. Raises botocore's UnknownServiceError for any other."""
    return _session().create_client(service, config=_CONFIG, endpoint_url=endpoint_url)


@cache
def _session() -> Session:
    session = Session()
    session.register_component("data_loader", _OurServices(file_loader=_PlainFiles()))
    return session


def utc_now() -> datetime:
    return datetime.now(UTC)
