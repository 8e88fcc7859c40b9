"""How far it is from a request to the ledger and back: whoever steps through a function passes each of these frames."""

import inspect
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.api.operations import OperationView, operation_view
from shared.contracts.texts import Language
from shared.domain import ledger
from shared.domain.connection import Operation
from tests.integration.world import World

ROOT = Path(__file__).parents[2]
OURS = tuple(f"{ROOT / folder}/" for folder in ("functions", "shared"))
DOMAIN = f"{ROOT / 'shared' / 'domain'}/"
MOST_FRAMES = 10


def way_here() -> list[str]:
    """The functions of ours that wait for the caller, the outermost first, without those of the domain."""
    frame, names = inspect.currentframe(), list[str]()
    while frame is not None:
        if frame.f_code.co_filename.startswith(OURS) and not frame.f_code.co_filename.startswith(DOMAIN):
            names.append(frame.f_code.co_qualname)
        frame = frame.f_back
    return names[::-1]


@pytest.mark.parametrize("headers", [{}, {"idempotency_key": "3f0c5a54"}], ids=["without a key", "with a key"])
def test_a_selection_reaches_the_ledger_in_a_few_steps_none_of_which_only_binds_arguments(
    world: World, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    connection = world.connect(1, 2)
    ways: list[list[str]] = []
    choose = ledger.choose

    def noted(*args: Any, **named: Any) -> ledger.Outcome:
        ways.append(way_here())
        return choose(*args, **named)

    monkeypatch.setattr(ledger, "choose", noted)
    assert world.choose(connection, 1, **headers).status == 202

    [way] = ways
    assert way[0] == "lambda_handler"
    assert way[-1].startswith("RecordOperation.select")
    assert len(way) <= MOST_FRAMES, way
    assert not [name for name in way if name.endswith("<lambda>")]


@pytest.mark.parametrize("headers", [{}, {"idempotency_key": "3f0c5a54"}], ids=["without a key", "with a key"])
def test_the_answer_to_a_selection_is_rendered_once(
    world: World, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    connection = world.connect(1, 2)
    rendered: list[str] = []

    def noted(operation: Operation, language: Language) -> OperationView:
        rendered.append(operation.id)
        return operation_view(operation, language)

    monkeypatch.setattr("functions.accounts_api.reply.operation_view", noted)
    answer = world.choose(connection, 1, **headers)

    assert rendered == [answer.json["id"]]
    assert world.choose(connection, 1, **headers).status == 202
    # The second time the answer of the key is given as it was kept.
    assert len(rendered) == (1 if headers else 2)
