"""The AsyncAPI document is one, by the JSON Schema that the AsyncAPI initiative publishes."""

import json

import jsonschema
import pytest

from tests.clients.packages import ROOT
from tests.integration.event_documents import ASYNCAPI

pytestmark = pytest.mark.slow

SPECIFICATION = ROOT / ".venvs/compilers/node_modules/@asyncapi/specs/schemas/3.0.0-without-$id.json"


def test_the_document_is_valid_asyncapi_3() -> None:
    specification = json.loads(SPECIFICATION.read_text("utf-8"))
    jsonschema.Draft7Validator.check_schema(specification)
    validator = jsonschema.Draft7Validator(specification)
    document = json.loads(ASYNCAPI.read_text("utf-8"))
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)] == []
    for part in ("info", "asyncapi"):
        assert not validator.is_valid({name: document[name] for name in document if name != part})
    assert not validator.is_valid(document | {"operations": {"tell": {"action": "shout"}}})
