"""What is read, updated and deleted in one user's name, and what happens when the token is refused."""

from datetime import UTC, datetime

import pytest
import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError

from shared.domain.errors import (
    AnswerLost,
    ConnectionLocked,
    Misconfigured,
    PowensForbidden,
    PowensNotFound,
    PowensRefused,
    PowensUnavailable,
)
from tests.worlds.powens.wire import (
    NOW,
    OK_ACCOUNTS,
    OK_CONNECTION,
    REFUSED_TOKEN,
    RENEWED,
    Answer,
    account_json,
    accounts_json,
    connection_json,
    powens,
    read,
)


def test_a_temporary_code_is_single_access() -> None:
    scene = powens(Answer(body={"code": "C0de+/with=", "type": "temporary", "access": "single", "expires_in": 1800}))
    assert scene.user.temporary_code() == "C0de+/with="
    assert scene.wire.lines == ["GET /auth/token/code?type=singleAccess"]
    assert scene.wire.sent[0].token == "Bearer tok_A"


def test_an_answer_without_code_is_no_answer() -> None:
    with pytest.raises(PowensUnavailable):
        powens(Answer(body={"code": None})).user.temporary_code()


def test_a_refused_token_is_renewed_stored_and_used() -> None:
    scene = powens(REFUSED_TOKEN, RENEWED, OK_CONNECTION, OK_ACCOUNTS)
    stored_after: list[int] = []
    scene.user = scene.client.as_user(41, "tok_A", lambda token: stored_after.append(len(scene.wire.sent)))
    read(scene)
    assert [sent.token for sent in scene.wire.sent] == ["Bearer tok_A", None, "Bearer tok_B", "Bearer tok_B"]
    assert stored_after == [2]


def test_a_token_refused_again_after_its_renewal_is_for_an_operator() -> None:
    scene = powens(REFUSED_TOKEN, RENEWED, REFUSED_TOKEN)
    with pytest.raises(Misconfigured):
        read(scene)
    assert scene.renewed == ["tok_B"]


def test_a_token_that_cannot_be_stored_is_not_used() -> None:
    scene = powens(REFUSED_TOKEN, RENEWED, OK_CONNECTION, OK_ACCOUNTS)

    def fail(_: str) -> None:
        raise RuntimeError("the store is away")

    user = scene.client.as_user(41, "tok_A", fail)
    with pytest.raises(RuntimeError):
        user.read_connection(77)
    user.read_connection(77)
    assert "Bearer tok_B" not in [sent.token for sent in scene.wire.sent]


def test_refused_client_credentials_during_a_renewal_are_for_an_operator() -> None:
    with pytest.raises(Misconfigured):
        read(powens(REFUSED_TOKEN, REFUSED_TOKEN))


def test_what_is_forbidden_is_not_asked_again_without_another_token() -> None:
    scene = powens(Answer(403, {"code": "forbidden"}), Answer(403, {}))
    with pytest.raises(PowensForbidden) as caught:
        read(scene)
    assert (caught.value.status, caught.value.code) == (403, "forbidden_by_powens")
    assert scene.wire.lines == ["GET /users/41/connections/77?expand=connector,sources", "GET /users/41/connections"]


def test_what_is_forbidden_to_a_token_that_powens_takes_for_something_else_needs_no_other() -> None:
    def other(_: str) -> str:
        raise AssertionError("the token is good")

    scene = powens(Answer(403, {}), Answer(body={"connections": []}), Answer(403, {}))
    user = scene.client.as_user(41, "tok_A", scene.renewed.append, other)
    for _ in range(2):  # it is looked at once
        with pytest.raises(PowensForbidden):
            user.set_account_enabled(912, True)
    assert scene.wire.lines[1] == "GET /users/41/connections"
    assert len(scene.wire.sent) == 3


def test_what_is_forbidden_is_tried_once_with_another_token() -> None:
    scene = powens(Answer(403, {}), Answer(403, {}), OK_CONNECTION, OK_ACCOUNTS)
    refused: list[str] = []

    def other(token: str) -> str:
        refused.append(token)
        return "tok_C"

    scene.client.as_user(41, "tok_A", scene.renewed.append, other).read_connection(77)
    assert [sent.token for sent in scene.wire.sent] == ["Bearer tok_A"] * 2 + ["Bearer tok_C"] * 2
    assert refused == ["tok_A"]


def test_a_connection_is_read_with_exactly_two_gets() -> None:
    scene = powens(OK_CONNECTION, OK_ACCOUNTS)
    scene.user.read_connection(77)
    assert scene.wire.lines == [
        "GET /users/41/connections/77?expand=connector,sources",
        "GET /users/41/connections/77/accounts?all",
    ]
    assert {sent.token for sent in scene.wire.sent} == {"Bearer tok_A"}


def test_a_read_starts_before_its_first_request() -> None:
    scene = powens(OK_CONNECTION, OK_ACCOUNTS)

    def later() -> None:
        scene.now = datetime(2026, 3, 5, 11, 0, tzinfo=UTC)

    scene.wire.on_send = later
    assert scene.user.read_connection(77).read_started_at == NOW


def test_all_connections_are_read_with_exactly_two_gets_and_grouped() -> None:
    scene = powens(
        Answer(body={"connections": [connection_json(), connection_json(id=78), connection_json(id=79)]}),
        Answer(
            body=accounts_json(
                account_json(id=1, id_connection=78),
                account_json(id=2),
                account_json(id=3, id_connection=None),
                account_json(id=4, id_connection=99),
                account_json(id=5),
            )
        ),
    )
    observed = scene.user.read_all()
    assert scene.wire.lines == ["GET /users/41/connections?expand=connector,sources", "GET /users/41/accounts?all"]
    assert {each.powens_id: [account.powens_id for account in each.accounts] for each in observed} == {
        77: [2, 5],
        78: [1],
        79: [],
    }
    assert {each.read_started_at for each in observed} == {NOW}


@pytest.mark.parametrize("strange", ["text", 7, None, [], {}, connection_json(id=[]), connection_json(id="x")])
def test_a_connection_that_cannot_be_told_is_left_out_and_the_others_are_read(strange: object) -> None:
    scene = powens(Answer(body={"connections": [strange, connection_json(id=78)]}), Answer(body=accounts_json()))
    assert [each.powens_id for each in scene.user.read_all()] == [78]
    assert scene.unreadable == ["connection.id"]


@pytest.mark.parametrize(
    "strange", ["text", account_json(id_connection=[]), account_json(id_connection="x"), {"id": 5, "disabled": None}]
)
def test_an_account_of_an_unreadable_connection_may_be_any_connections(strange: object) -> None:
    scene = powens(
        Answer(body={"connections": [connection_json(), connection_json(id=78)]}),
        Answer(body=accounts_json(account_json(id=1), strange, account_json(id=[], id_connection=78))),
    )
    read = {each.powens_id: each for each in scene.user.read_all()}
    assert [account.powens_id for account in read[77].accounts] == [1]
    assert {powens_id: each.unidentified for powens_id, each in read.items()} == {77: 1, 78: 2}
    assert scene.unreadable == ["account.id", "account.id_connection"]


@pytest.mark.parametrize("silent", [None, [], "x"])
def test_an_account_listed_under_its_connection_need_not_name_it(silent: object) -> None:
    scene = powens(OK_CONNECTION, Answer(body=accounts_json(account_json(id_connection=silent))))
    assert [account.powens_id for account in scene.user.read_connection(77).accounts] == [912]


@pytest.mark.parametrize(
    "strange", ["text", None, {}, account_json(id=None), account_json(id="9x"), account_json(id=0)]
)
def test_an_account_that_cannot_be_told_is_counted_and_takes_no_other_with_it(strange: object) -> None:
    scene = powens(OK_CONNECTION, Answer(body=accounts_json(strange, account_json(id=5))))
    observed = scene.user.read_connection(77)
    assert ([account.powens_id for account in observed.accounts], observed.unidentified) == ([5], 1)
    assert scene.unreadable == ["account.id"]


def test_ids_may_come_as_their_digits() -> None:
    scene = powens(
        Answer(body={"connections": [connection_json(id="77")]}),
        Answer(body=accounts_json(account_json(id="912", id_connection="77", id_source="81"))),
    )
    [observed] = scene.user.read_all()
    [account] = observed.accounts
    assert (observed.powens_id, account.powens_id, account.source_id) == (77, 912, 81)
    assert scene.unreadable == []


@pytest.mark.parametrize(
    ("connection", "account"),
    [(connection_json(id=78), account_json()), (connection_json(), account_json(id_connection=78))],
)
def test_an_answer_about_another_connection_is_refused(connection: object, account: object) -> None:
    with pytest.raises(PowensUnavailable, match="another connection"):
        read(powens(Answer(body=connection), Answer(body=accounts_json(account))))


def test_a_connection_that_is_gone_is_not_found() -> None:
    scene = powens(Answer(404, {"code": "notFound", "description": "secret text"}))
    with pytest.raises(PowensNotFound) as caught:
        read(scene)
    assert (caught.value.status, caught.value.powens_code) == (404, "notFound")
    assert len(scene.wire.sent) == 1


def test_no_account_is_an_empty_list_where_powens_answers_it_as_an_error() -> None:
    scene = powens(OK_CONNECTION, Answer(409, {"code": "noAccount"}))
    assert scene.user.read_connection(77).accounts == ()


def test_another_refusal_of_the_accounts_is_a_refusal() -> None:
    with pytest.raises(PowensRefused):
        read(powens(OK_CONNECTION, Answer(400, {"code": "invalidValue"})))


@pytest.mark.parametrize("enabled", [True, False])
def test_an_account_is_updated_with_all_so_that_a_disabled_one_is_found(enabled: bool) -> None:
    scene = powens(Answer(body=account_json()))
    scene.user.set_account_enabled(912, enabled)
    assert scene.wire.lines == ["POST /users/41/accounts/912?all"]
    assert scene.wire.sent[0].body == {"disabled": not enabled}


def test_an_account_update_is_repeated_because_it_may_be() -> None:
    scene = powens(requests.ReadTimeout("slow"), Answer(503), Answer(body={"accounts": [account_json()]}))
    scene.user.set_account_enabled(912, True)
    assert len(scene.wire.sent) == 3


def test_an_update_of_an_account_that_is_gone_is_not_found() -> None:
    with pytest.raises(PowensNotFound):
        powens(Answer(404, {"code": "notFound"})).user.set_account_enabled(912, True)


def test_an_update_of_a_locked_connection_waits_for_the_queue() -> None:
    scene = powens(Answer(409, {"code": "connectionLocked"}, {"Retry-After": "7"}))
    with pytest.raises(ConnectionLocked) as caught:
        scene.user.set_account_enabled(912, True)
    assert caught.value.retry_after == 7
    assert len(scene.wire.sent) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=connection_json()),
        Answer(202, connection_json()),
        Answer(200, b""),
        Answer(200, b"<html>"),
        Answer(204),
    ],
)
def test_a_synchronisation_is_forced_with_a_put(answer: Answer) -> None:
    scene = powens(answer)
    scene.user.force_sync(77)
    assert scene.wire.lines == ["PUT /users/41/connections/77"]


def test_a_synchronisation_refused_because_of_a_recent_one_is_a_refusal() -> None:
    with pytest.raises(PowensRefused) as caught:
        powens(Answer(409, {"code": "conflict", "description": "Can't force"})).user.force_sync(77)
    assert (caught.value.status, caught.value.powens_code) == (409, "conflict")


@pytest.mark.parametrize(
    "lost",
    [
        requests.ReadTimeout("still synchronising"),
        requests.ConnectionError(ProtocolError("cut")),
        requests.exceptions.ChunkedEncodingError("cut in the middle"),
        Answer(502),
        Answer(504, b"<html>"),
    ],
    ids=repr,
)
def test_an_answer_that_is_lost_is_no_refusal_as_powens_may_have_begun(lost: Answer | Exception) -> None:
    scene = powens(lost)
    with pytest.raises(AnswerLost):
        scene.user.force_sync(77)
    assert len(scene.wire.sent) == 1


def never_reached() -> requests.ConnectionError:
    refused = NewConnectionError(None, "refused")  # type: ignore[arg-type]  # the pool only shows in its text
    return requests.ConnectionError(MaxRetryError(None, "/", refused))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fault",
    [requests.ConnectTimeout("slow"), requests.exceptions.SSLError("no"), never_reached(), Answer(503)],
    ids=repr,
)
def test_a_request_that_never_arrived_has_begun_nothing(fault: Answer | Exception) -> None:
    with pytest.raises(PowensUnavailable) as caught:
        powens(fault).user.force_sync(77)
    assert not isinstance(caught.value, AnswerLost)


def test_a_synchronisation_is_forced_once() -> None:
    scene = powens(Answer(503))
    with pytest.raises(PowensUnavailable):
        scene.user.force_sync(77)
    assert len(scene.wire.sent) == 1


GONE = [Answer(204, b""), Answer(200, connection_json()), Answer(200, b""), Answer(404, {"code": "notFound"})]


@pytest.mark.parametrize("answer", GONE)
def test_a_deletion_ends_well_whenever_the_connection_is_gone(answer: Answer) -> None:
    scene = powens(answer)
    scene.user.delete_connection(77)
    assert scene.wire.lines == ["DELETE /users/41/connections/77"]


@pytest.mark.parametrize("answer", GONE)
def test_a_deletion_ends_well_whenever_the_user_is_gone(answer: Answer) -> None:
    scene = powens(answer)
    scene.user.delete_user()
    assert scene.wire.lines == ["DELETE /users/41"]


def test_a_user_whose_token_went_with_them_is_gone() -> None:
    powens(REFUSED_TOKEN, Answer(404, {"code": "notFound"})).user.delete_user()


def test_a_refused_deletion_is_a_refusal() -> None:
    with pytest.raises(PowensRefused):
        powens(Answer(400, {"code": "invalidValue"})).user.delete_connection(77)
