"""The generated TypeScript client plays the journey of docs/clients against the whole system."""

from pathlib import Path

import pytest

from tests.clients.packages import NODE, run
from tests.e2e.conftest import System
from tests.e2e.people import Person

pytestmark = pytest.mark.slow


def test_an_app_with_the_generated_client_lists_chooses_waits_and_undoes(system: System, app: Path) -> None:
    with Person(system) as person:
        said = run(NODE, "run.js", system.url, person.token, cwd=app).splitlines()
        accounts = person.connection["accounts"]
    assert said[0].startswith("Disabling Compte courant")
    assert said[1:] == ["The choice is completed.", "The undo is completed."]
    assert [account["enabled"] for account in accounts] == [True] * 3
