"""Our AWS clients are botocore's own, made with less: the same models, the same addresses."""

import ast
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import UnknownServiceError

from shared.adapters.aws import SERVICES, aws_client

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")


@pytest.mark.parametrize("service", SERVICES)
def test_a_client_is_the_one_that_botocore_makes_by_itself(service: str) -> None:
    ours, usual = aws_client(service), botocore.session.Session().create_client(service)

    def described(client: Any) -> tuple[Any, ...]:
        model = client.meta.service_model
        shapes = {name: model.shape_for(name).metadata for name in model.shape_names}
        operations = {name: model.operation_model(name).http for name in model.operation_names}
        return model.metadata, operations, shapes, client.meta.endpoint_url, client.meta.region_name

    assert described(ours) == described(usual)
    assert client_errors(ours) == client_errors(usual)


def client_errors(client: Any) -> list[str]:
    return sorted(shape.name for shape in client.meta.service_model.error_shapes)


def test_every_service_that_the_functions_ask_for_can_be_had() -> None:
    asked = {
        node.args[0].value
        for path in (ROOT / "shared").rglob("*bootstrap.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"self.client", "aws_client"}
        and isinstance(node.args[0], ast.Constant)
    }
    assert asked == set(SERVICES)


def test_a_service_that_no_function_calls_is_refused() -> None:
    with pytest.raises(UnknownServiceError):
        aws_client("s3")
