"""`python -m ops powens-setup`, on the Powens sandbox: what a domain lacks, and what the API lets be made of it."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ops import __main__ as command
from ops.powens import Powens, Refused
from ops.powens_setup import EVENTS, Domain, Finding, KeyLost, State
from ops.system import System
from tests.ops.conftest import CONFIG_TOKEN, PUBLIC_URL, Sandbox

DEPLOYING = Path(__file__).parents[2] / "docs" / "deploying.md"
WEBHOOK_SECRET = "synced-accounts/dev/webhook"


def domain_of(stack: System, sandbox: Sandbox) -> Domain:
    return Domain(stack, sandbox.powens, CONFIG_TOKEN)


def states(findings: list[Finding]) -> dict[str, State]:
    return {finding.what: finding.state for finding in findings}


def current(secrets: Any) -> tuple[dict[str, str], str]:
    """The webhook secret and its version."""
    found = secrets.get_secret_value(SecretId=WEBHOOK_SECRET)
    return json.loads(found["SecretString"]), found["VersionId"]


def deployed(stack: System, secrets: Any) -> System:
    """The stack once it was deployed with the key that the secret has now."""
    return replace(stack, parameters={**stack.parameters, "WebhookSecretVersionId": current(secrets)[1]})


@pytest.fixture
def complete(stack: System, sandbox: Sandbox, secrets: Any) -> System:
    domain_of(stack, sandbox).apply(lambda _: None)
    ready = deployed(stack, secrets)
    domain_of(ready, sandbox).apply(lambda _: None)
    return ready


def test_an_empty_domain_lacks_everything_and_a_survey_changes_nothing(stack: System, sandbox: Sandbox) -> None:
    found = states(domain_of(stack, sandbox).survey())

    assert found["redirect URI"] is found["compression of webhooks"] is found["HMAC provider"] is State.MISSING
    assert found["deployed webhook key"] is State.BY_HAND
    assert {found[f"webhook {event}"] for event in EVENTS} == {State.WAITS}
    assert {method for method, _ in sandbox.asked} == {"GET"}


def test_webhooks_wait_until_the_key_that_signs_them_is_deployed(stack: System, sandbox: Sandbox, secrets: Any) -> None:
    """Registered earlier, their deliveries would be refused and hold up the ones behind them."""
    first = states(domain_of(stack, sandbox).apply(lambda _: None))
    assert {first[f"webhook {event}"] for event in EVENTS} == {State.WAITS}
    assert first["HMAC provider"] is first["redirect URI"] is first["compression of webhooks"] is State.OK

    ready = deployed(stack, secrets)

    assert set(states(domain_of(ready, sandbox).apply(lambda _: None)).values()) == {State.OK}
    [provider] = sandbox.console("GET", "/webhooks/auth")["authproviders"]
    registered = {
        hook["url"]: (hook["event"], hook["id_auth"]) for hook in sandbox.console("GET", "/webhooks")["webhooks"]
    }
    assert registered == {
        f"{PUBLIC_URL}/webhooks/powens/{event.lower().replace('_', '-')}": (event, provider["id"]) for event in EVENTS
    }


def test_what_is_there_is_neither_made_again_nor_changed(complete: System, sandbox: Sandbox, secrets: Any) -> None:
    before = current(secrets)
    sandbox.asked.clear()

    assert set(states(domain_of(complete, sandbox).apply(lambda _: None)).values()) == {State.OK}
    assert {method for method, _ in sandbox.asked} == {"GET"}
    assert current(secrets) == before


def test_the_new_key_is_the_only_one_that_the_stack_will_accept(
    complete: System, sandbox: Sandbox, secrets: Any
) -> None:
    """What was there at the first deployment is a word that anybody could guess."""
    secret, _ = current(secrets)

    assert set(secret) == {"current"}
    assert len(secret["current"]) >= 32


@pytest.mark.parametrize("written", [True, False], ids=["list", "text"])
def test_redirect_uris_of_others_stay(stack: System, sandbox: Sandbox, written: bool) -> None:
    other = "wealthapp://back"
    sandbox.console("PUT", "/clients/10000001", {"redirect_uris": [other]})
    powens = sandbox.powens
    if not written:
        # How a form shows a list.
        send = sandbox.send

        def as_text(*given: Any, **named: Any) -> Any:
            answer = send(*given, **named)
            shown = answer.members()
            if "redirect_uris" in shown:
                return replace(
                    answer, body=json.dumps({**shown, "redirect_uris": ",".join(shown["redirect_uris"])}).encode()
                )
            return answer

        powens = Powens(powens.api_url, as_text)

    Domain(stack, powens, CONFIG_TOKEN).apply(lambda _: None)

    allowed = sandbox.console("GET", "/clients/10000001")["redirect_uris"]
    assert allowed == [other, f"{PUBLIC_URL}/v1/webview-return"]


def test_webhooks_of_other_consumers_are_left_alone(complete: System, sandbox: Sandbox) -> None:
    elsewhere = sandbox.console(
        "POST", "/webhooks", {"event": "ACCOUNT_FOUND", "url": "https://other.example.com/hook"}
    )

    findings = domain_of(complete, sandbox).apply(lambda _: None)

    assert set(states(findings).values()) == {State.OK}
    kept = {hook["id"]: hook for hook in sandbox.console("GET", "/webhooks")["webhooks"]}
    assert kept[elsewhere["id"]] == elsewhere


def test_a_webhook_that_nobody_signs_is_linked_to_the_provider(complete: System, sandbox: Sandbox) -> None:
    [hook, *_] = sandbox.console("GET", "/webhooks")["webhooks"]
    sandbox.console("POST", f"/webhooks/{hook['id']}", {"id_auth": None})
    what = f"webhook {hook['event']}"

    assert states(domain_of(complete, sandbox).survey())[what] is State.WRONG
    assert states(domain_of(complete, sandbox).apply(lambda _: None))[what] is State.OK
    assert sandbox.console("GET", f"/webhooks/{hook['id']}")["id_auth"] == hook["id_auth"]


def test_an_event_that_comes_twice_is_for_somebody_to_decide(complete: System, sandbox: Sandbox) -> None:
    [hook, *_] = sandbox.console("GET", "/webhooks")["webhooks"]
    sandbox.console("POST", "/webhooks", {"event": hook["event"], "url": hook["url"], "id_auth": hook["id_auth"]})

    assert states(domain_of(complete, sandbox).apply(lambda _: None))[f"webhook {hook['event']}"] is State.WRONG


def test_an_address_that_names_another_event_is_wrong_and_an_event_too_many_is_not(
    complete: System, sandbox: Sandbox
) -> None:
    base = f"{PUBLIC_URL}/webhooks/powens"
    sandbox.console("POST", "/webhooks", {"event": "ACCOUNT_SYNCED", "url": f"{base}/account-synced"})
    sandbox.console("POST", "/webhooks", {"event": "USER_SYNCED", "url": f"{base}/powens-user"})

    found = states(domain_of(complete, sandbox).survey())

    assert (found["webhook ACCOUNT_SYNCED"], found["webhook USER_SYNCED"]) == (State.EXTRA, State.WRONG)


def test_a_domain_whose_api_knows_no_webhooks_gets_a_list_for_the_console(stack: System, sandbox: Sandbox) -> None:
    sandbox.fault(match="GET /webhooks\\?", kind="status", status=404, times=100)

    found = {finding.what: finding for finding in domain_of(stack, sandbox).survey()}

    assert {found[f"webhook {event}"].state for event in EVENTS} == {State.BY_HAND}
    assert f"{PUBLIC_URL}/webhooks/powens/account-found" in found["webhook ACCOUNT_FOUND"].detail


def test_what_powens_refuses_to_make_stops_nothing_else(stack: System, sandbox: Sandbox) -> None:
    sandbox.fault(match="PUT /clients", kind="status", status=403, times=100)
    said: list[Finding] = []

    found = states(domain_of(stack, sandbox).apply(said.append))

    assert [finding.what for finding in said if finding.state is State.BY_HAND] == ["redirect URI"]
    assert (found["redirect URI"], found["HMAC provider"]) == (State.MISSING, State.OK)


def test_the_largest_webhook_waits_until_webhooks_are_compressed(stack: System, sandbox: Sandbox, secrets: Any) -> None:
    """Its first body holds all transactions, which uncompressed are more than Lambda takes."""
    sandbox.fault(match="POST /config", kind="status", status=403, times=100)
    domain_of(stack, sandbox).apply(lambda _: None)

    found = states(domain_of(deployed(stack, secrets), sandbox).apply(lambda _: None))

    assert found["webhook CONNECTION_SYNCED"] is State.WAITS
    assert found["webhook ACCOUNTS_FETCHED"] is State.OK


def test_compression_is_switched_on_by_whichever_of_its_two_names_the_domain_knows(
    stack: System, sandbox: Sandbox
) -> None:
    def knows_the_second(method: str, url: str, *, body: bytes | None, **given: Any) -> Any:
        if method == "POST" and url.endswith("/config") and b"webhooks.compressions.enabled" not in (body or b""):
            body = b"{}"
        return sandbox.send(method, url, body=body, **given)

    domain = Domain(stack, Powens(sandbox.powens.api_url, knows_the_second), CONFIG_TOKEN)

    assert states(domain.apply(lambda _: None))["compression of webhooks"] is State.OK


def test_a_key_that_cannot_be_kept_leaves_no_provider_behind(
    stack: System, sandbox: Sandbox, secrets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason: Any = {"Code": "AccessDeniedException", "Message": "no"}

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": reason}, "PutSecretValue")

    monkeypatch.setattr(secrets, "put_secret_value", refuse)

    with pytest.raises(KeyLost, match="AccessDeniedException"):
        domain_of(stack, sandbox).apply(lambda _: None)
    assert sandbox.console("GET", "/webhooks/auth")["authproviders"] == []


def test_a_wrong_config_token_is_said_and_nothing_else_of_it(stack: System, sandbox: Sandbox) -> None:
    with pytest.raises(Refused, match=r"^list the webhooks: Powens answered 401 unauthorized$"):
        Domain(stack, sandbox.powens, "not-the-token").survey()


def test_the_deployment_guide_lists_the_webhooks_that_are_registered() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `/webhooks/powens/([a-z-]+)` \|", DEPLOYING.read_text("utf-8"), re.MULTILINE)

    assert dict(rows) == {event: event.lower().replace("_", "-") for event in EVENTS}


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def typed(stack: System, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, System]:
    """What the command finds under the name of the stack; a test may deploy it anew."""
    found = {"stack": stack}
    monkeypatch.setattr(System, "of", lambda _: found["stack"])
    monkeypatch.setattr(command, "Powens", lambda url: Powens(url, sandbox.send))
    monkeypatch.setenv(command.CONFIG_TOKEN, CONFIG_TOKEN)
    return found


def test_the_command_is_a_rehearsal_unless_it_is_told_otherwise(
    typed: dict[str, System], sandbox: Sandbox, secrets: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["powens-setup", "--stack", "synced-accounts-dev"]) == 1
    assert "nothing was changed" in capsys.readouterr().out
    assert {method for method, _ in sandbox.asked} == {"GET"}

    assert command.main(["powens-setup", "--stack", "synced-accounts-dev", "--apply"]) == 1
    version = current(secrets)[1]
    assert f"WebhookSecretVersionId={version}" in capsys.readouterr().out

    typed["stack"] = deployed(typed["stack"], secrets)
    assert command.main(["powens-setup", "--stack", "synced-accounts-dev", "--apply"]) == 0
    assert capsys.readouterr().out.endswith("all is there\n")


@pytest.mark.usefixtures("typed")
def test_no_secret_is_ever_printed(secrets: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--apply"], ["--apply"]):
        command.main(["powens-setup", "--stack", "synced-accounts-dev", *arguments])
    said = capsys.readouterr()

    for secret in (CONFIG_TOKEN, "sandbox-client-secret", current(secrets)[0]["current"]):
        assert secret not in said.out + said.err


@pytest.mark.usefixtures("typed")
def test_without_a_config_token_the_command_says_where_it_belongs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(command.CONFIG_TOKEN)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)

    assert command.main(["powens-setup", "--stack", "synced-accounts-dev"]) == 1
    assert capsys.readouterr().err.startswith("stopped: no config token")
