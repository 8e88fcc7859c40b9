"""An issuer of tokens on loopback, its verifier, and a room of open screens."""

from collections.abc import Iterator

import pytest

from local.identity import AUDIENCE
from shared.adapters.tokens import TokenVerifier
from tests.live_wire import Wire, wire
from tests.unit.live_updates.room import Room


@pytest.fixture(scope="module")
def issuing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with wire(tmp_path_factory.mktemp("issuer")) as started:
        yield started


@pytest.fixture
def verifier(issuing: Wire) -> Iterator[TokenVerifier]:
    issuing.keys_up = True
    made = TokenVerifier(issuing.url, AUDIENCE)
    yield made
    made.session.close()


@pytest.fixture
def room() -> Room:
    return Room()
