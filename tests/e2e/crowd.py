"""Many people at once: what they do in threads, what they were told, and their secrets."""

import json
import threading
from collections.abc import Callable

from tests.e2e.conftest import System
from tests.e2e.operator import Operator
from tests.e2e.somebody import Somebody
from tests.worlds import invariants
from tests.worlds.events import Published


def acting(people: list[Somebody], act: Callable[[Somebody], None]) -> list[threading.Thread]:
    """A thread for each; what goes wrong in one is kept as broken."""

    def whole(one: Somebody) -> None:
        try:
            act(one)
        except Exception as error:  # noqa: BLE001 - it is the run's result
            one.broken.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=whole, args=(one,), name=one.id, daemon=True) for one in people]
    for thread in threads:
        thread.start()
    return threads


def published(system: System, operator: Operator, people: list[Somebody], since: int) -> Published:
    """What these people's outboxes hold, and what came over the bus."""
    ids = {one.id for one in people}
    expected = operator.written_events(ids)
    seen = [(e["detail-type"], e["detail"]) for e in system.events(since) if e["detail"]["data"]["user_id"] in ids]
    return Published(expected, tuple(seen))


def secrets_found(operator: Operator, people: list[Somebody], events: Published, *, letters: str = "") -> list[str]:
    secrets = operator.secrets([one.id for one in people])
    for one in people:
        secrets |= one.ibans()
    texts = {**operator.logs(), "the events": json.dumps([d for _, d in events.seen]), "dead letters": letters}
    return invariants.nothing_secret(texts, secrets)
