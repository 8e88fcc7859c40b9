"""Carries operations out at Powens, and erases users. Trigger: the commands queue (FIFO, one connection at a time).

Guarantee: an operation ends, in Powens' state or with a reason, whatever is delivered twice, late or half-done; an
erasure ends with nothing left.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import TypeAdapter

from shared.bootstrap import Container
from shared.contracts.messages import Command, EraseUser
from shared.entrypoints.observability import count_ended, count_refused, count_unreadable, logged, logger
from shared.entrypoints.sqs import FifoBatch, Received


@cache
def container() -> Container:
    return Container.from_env(on_unreadable=count_unreadable, on_refused=count_refused, on_ended=count_ended)


@cache
def contract() -> TypeAdapter[Command | EraseUser]:
    return TypeAdapter(Command | EraseUser)


def carry_out(unit: Sequence[Received[Command | EraseUser]]) -> None:
    for received in unit:
        command = received.message
        logger.append_keys(correlation_id=command.correlation_id)
        if isinstance(command, EraseUser):
            logger.append_keys(erasure_id=command.erasure_id)
            container().erase.run(command.user_id, command.erasure_id)
            continue
        logger.append_keys(operation_id=command.operation_id)
        container().carry_out.run(
            command.user_id,
            command.connection_id,
            command.operation_id,
            first_attempt=received.receive_count == 1,
        )


@logged
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    container().remaining_seconds = lambda: context.get_remaining_time_in_millis() / 1000
    url = container().settings.commands_queue_url
    return FifoBatch(lambda: container().sqs, url, contract(), carry_out)(event)
