"""Two releases, a rotated key and the way back, deployed one after the other while people and webhooks go on."""

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from local.build import built
from local.intrinsics import load
from local.paths import LOCAL_PYTHON, ROOT
from powens_sandbox.webhooks.signature import sign, signature_date
from tests.e2e.conftest import System, started
from tests.e2e.crowd import acting, published
from tests.e2e.operator import Operator
from tests.e2e.somebody import Somebody
from tests.e2e.tally import Tally
from tests.polling import eventually
from tests.worlds.events import fold_is_the_state

pytestmark = pytest.mark.slow

SECRET = "synced-accounts/dev/webhook"
NEWEST, BEFORE = "Cette opération est introuvable.", "Opération introuvable."
"""What either release says of an operation that is not there."""
QUIET_SECONDS = BUSY_SECONDS = 60.0


@pytest.fixture
def newest() -> Iterator[Path]:
    with built() as folder:
        yield folder


@pytest.fixture
def before(newest: Path, tmp_path: Path) -> Path:
    """A release as it may have been: other words in the layer, and versions that know nothing of parameters."""
    folder = tmp_path / "before"
    shutil.copytree(newest, folder, ignore=shutil.ignore_patterns(".in-use"))
    template = load((folder / "template.yaml").read_text("utf-8"))
    for resource in template["Resources"].values():
        resource["Properties"].pop("VersionDescription", None)
    (folder / "template.yaml").write_text(json.dumps(template), "utf-8")
    words = folder / "SharedLayer/python/shared/contracts/locales/fr.json"
    text = words.read_text("utf-8")
    assert NEWEST in text
    words.write_text(text.replace(NEWEST, BEFORE), "utf-8")
    return folder


@dataclass
class Crowd:
    """People who tap, choose at Powens and have news from their banks, until it is left."""

    system: System
    tally: Tally = field(default_factory=Tally)
    people: list[Somebody] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.operator = Operator(self.system)
        self.since = self.system.mark()
        self.sandbox = self.system.sandbox()
        self.people += [Somebody(self.system, self.operator, self.tally, f"releases {n}", "people") for n in range(2)]
        for thread in acting(self.people, lambda one: one.arrive("revolut")):
            thread.join()
        eventually(lambda: all(one.settled() for one in self.people), seconds=BUSY_SECONDS)
        self._stop = threading.Event()
        self._threads = acting(self.people, self._act)
        return self

    def __exit__(self, *_: object) -> None:
        self.rest()
        for one in self.people:
            one.close()
        self.sandbox.close()

    def _act(self, one: Somebody) -> None:
        acts = {one.tap: 5, one.undo: 1, one.flip: 3, one.bank_news: 3}
        while not self._stop.wait(one.random.uniform(0.1, 0.4)):
            (act,) = one.random.choices(list(acts), list(acts.values()))
            act()
            one.settled()

    def goes_on(self) -> None:
        """Wait until everybody has had answers, and Powens has delivered webhooks, for some more time."""
        answers, webhooks = self.tally["answer 202"] + 5, self.attempts()["total"] + 5
        eventually(
            lambda: self.tally["answer 202"] > answers and self.attempts()["total"] > webhooks, seconds=BUSY_SECONDS
        )

    def attempts(self) -> dict[str, Any]:
        """Of Powens to deliver webhooks, newest first."""
        found: dict[str, Any] = self.sandbox.get("/sandbox/webhooks", params={"limit": 500}).raise_for_status().json()
        return found

    def rest(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=60)
            assert not thread.is_alive()

    def troubles_in_the_end(self) -> list[str]:
        """What is lost, doubled or not as it was chosen once there was time for all of it."""
        pause, deadline = threading.Event(), time.monotonic() + QUIET_SECONDS
        while (troubles := self._troubles()) and time.monotonic() < deadline:
            pause.wait(0.5)
        return troubles

    def _troubles(self) -> list[str]:
        found = [f"{number} {name} wait" for name, number in self.operator.waiting().items()]
        found += [f"{number} {name} were given up" for name, number in self.operator.dead().items()]
        found += [line for one in self.people for line in one.troubles()]
        events = published(self.system, self.operator, self.people, self.since)
        found += events.violations()
        for one in self.people:
            found += fold_is_the_state(events, one.connections(), one.gone)
        return found


@dataclass(frozen=True)
class Stage:
    """The system, as who deploys it sees it."""

    system: System

    def deploy(self, build: Path, **parameters: str) -> None:
        done = self._run(build, parameters)
        assert done.returncode == 0, done.stderr

    def is_refused(self, build: Path, **parameters: str) -> str:
        """Deploy what cannot be; what is said of it."""
        done = self._run(build, parameters)
        assert done.returncode == 1
        return done.stderr

    def _run(self, build: Path, parameters: dict[str, str]) -> "subprocess.CompletedProcess[str]":
        command = [str(LOCAL_PYTHON), "-m", "local", "run", f"--state={self.system.logs.parent}", f"--build={build}"]
        command += [f"--parameter={name}={value}" for name, value in parameters.items()]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    def rotate(self, *, current: str) -> tuple[str, str, str]:
        """As docs/deploying.md says: the key of before, and the ids of the secret's versions with either key."""
        secrets = self.system.client("secretsmanager")
        held = secrets.get_secret_value(SecretId=SECRET)
        previous = json.loads(held["SecretString"])["current"]
        value = json.dumps({"current": current, "previous": previous})
        return previous, held["VersionId"], secrets.put_secret_value(SecretId=SECRET, SecretString=value)["VersionId"]

    def accepts(self, key: str) -> bool:
        """Whether a webhook that is signed with this key is taken."""
        path, body, date = (
            "/webhooks/powens/connection-synced",
            b'{"user": {"id": 1}}',
            signature_date(datetime.now(UTC)),
        )
        headers = {"BI-Signature": sign(key, "POST", path, date, body), "BI-Signature-Date": date}
        answer = httpx.post(f"{self.system.url}{path}", content=body, headers=headers, timeout=30)
        assert answer.status_code in (200, 401), answer.text
        return answer.status_code == 200

    def says(self) -> str:
        with self.system.api("carol", **{"accept-language": "fr"}) as api:
            return str(api.get("/v1/operations/nobodys").json()["detail"])


def test_a_rotation_a_release_and_the_way_back_reach_whom_they_should_and_lose_nothing(
    newest: Path, before: Path, tmp_path: Path
) -> None:
    state = tmp_path / "system"
    state.mkdir()
    with started(state, f"--build={before}", "--no-demo-data") as system, Crowd(system) as crowd:
        stage = Stage(system)
        old, with_old, with_new = stage.rotate(current="the new key")
        assert stage.says() == BEFORE

        # The release of before publishes nothing when a parameter alone changes: its alias stays where it is.
        stage.deploy(before, WebhookSecretVersionId=with_new)
        crowd.goes_on()
        assert (stage.accepts(old), stage.accepts("the new key")) == (True, False)

        assert "LogLevel" in stage.is_refused(newest, LogLevel="NONE")
        assert stage.says() == BEFORE

        stage.deploy(newest)
        crowd.goes_on()
        assert (stage.accepts(old), stage.accepts("the new key")) == (True, True)
        assert stage.says() == NEWEST

        stage.deploy(before, WebhookSecretVersionId=with_old)
        crowd.goes_on()
        assert (stage.accepts(old), stage.accepts("the new key")) == (True, False)
        assert stage.says() == BEFORE

        crowd.rest()
        eventually(lambda: crowd.attempts()["waiting"] == 0, seconds=QUIET_SECONDS)
        assert crowd.troubles_in_the_end() == []
        # Nobody was told to come again, and no webhook was refused.
        answers = crowd.tally.of("answer ")
        assert [status for status in answers if not status.startswith(("2", "3", "4"))] == []
        assert {attempt["status"] for attempt in crowd.attempts()["webhooks"]} == {200}
