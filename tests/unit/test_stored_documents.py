"""How documents are stored: what is known is read in one pass, and what is not known is kept (ADR 0044)."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass, replace
from decimal import Decimal
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared.adapters.dynamodb.documents import Documents
from shared.application.ports import Listed
from shared.contracts.api.overview import connection_list
from shared.domain.connection import Connection, Operation, OperationItem, OperationKind
from shared.domain.incidents import Incident
from shared.domain.manual import BalancePoint, ManualAccount
from shared.domain.unknown import Stored, known, value_of
from shared.domain.wishes import Wish
from tests.builders import BANK, NOW, account, connection, operation

CONNECTIONS: Documents[Connection] = Documents(Connection, apart={"version"})
HELD = connection(
    account(1, iban_key="k1"),
    account(2, balance=Decimal("0.10")),
    operations=(replace(operation(), items=(OperationItem(account_id="a", wanted=True, before=False),)),),
    version=0,
)
names = st.text(min_size=1, max_size=8).filter(lambda name: name not in get_type_hints(Connection))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def classes(kind: Any) -> Iterator[type]:
    """The dataclasses that a document of this type is made of."""
    if is_dataclass(kind) and isinstance(kind, type):
        yield kind
        for member in get_type_hints(kind).values():
            yield from classes(member)
    for part in get_args(kind):
        yield from classes(part)


@pytest.mark.parametrize(
    "kind", [Connection, Operation, ManualAccount, tuple[BalancePoint, ...], Wish, tuple[Incident, ...]], ids=str
)
def test_every_part_of_a_stored_document_keeps_what_it_does_not_know(kind: Any) -> None:
    parts = list(classes(kind))
    assert parts
    assert [part for part in parts if not issubclass(part, Stored)] == []


def test_a_document_without_anything_new_is_what_pydantic_makes_of_it() -> None:
    plain = TypeAdapter(Connection).dump_json(HELD, exclude_defaults=True, exclude={"version"})
    assert CONNECTIONS.write(HELD) == plain
    assert CONNECTIONS.read(plain) == HELD


@given(added=st.dictionaries(names, values, min_size=1, max_size=3), at=st.integers(0, 4))
def test_whatever_is_added_anywhere_comes_back_beside_what_has_changed(added: dict[str, Any], at: int) -> None:
    content = json.loads(CONNECTIONS.write(HELD))
    places = (content, content["institution"], content["accounts"][1], content["operations"][0])
    part = (*places, content["operations"][0]["items"][0])[at]
    new = {name: value for name, value in added.items() if name not in part}
    part |= new
    read = CONNECTIONS.read(json.dumps(content))
    assert read == HELD, "nothing of it counts here"
    written = json.loads(CONNECTIONS.write(replace(read, revision=2)))
    assert written == content | {"revision": 2} | (new if at == 0 else {})


def test_a_text_that_looks_like_what_is_kept_is_only_a_text() -> None:
    odd = replace(HELD, institution=replace(BANK, name='{"unknown":"{}"}'), accounts=())
    assert CONNECTIONS.read(CONNECTIONS.write(odd)) == odd


@pytest.mark.parametrize("change", [{"user_id": None}, {"revision": "many"}, {"accounts": {}}, {"newer": 1, "id": 3}])
def test_what_is_known_must_still_be_right(change: dict[str, Any]) -> None:
    content = json.loads(CONNECTIONS.write(HELD)) | change
    with pytest.raises(ValidationError):
        CONNECTIONS.read(json.dumps(content))


def test_a_value_of_a_newer_release_is_none_of_ours_and_is_written_as_it_was() -> None:
    content = json.loads(CONNECTIONS.write(HELD))
    content["operations"][0] |= {"kind": "split"}
    content["operations"][0]["items"][0] |= {"status": "delegated"}
    read = CONNECTIONS.read(json.dumps(content))
    [found] = read.operations
    assert found.kind not in list(OperationKind)
    assert not found.of_choices
    assert known(found.kind, OperationKind.REFRESH) is OperationKind.REFRESH
    assert known(OperationKind.DELETION, OperationKind.REFRESH) is OperationKind.DELETION
    assert json.loads(CONNECTIONS.write(read)) == content


def test_two_unknown_values_are_equal_when_their_texts_are() -> None:
    one, same, other = (value_of(OperationKind, text) for text in ("split", "split", "merge"))
    assert one == same != other
    assert len({one, same, other}) == 2
    assert value_of(OperationKind, "refresh") is OperationKind.REFRESH
    with pytest.raises(ValueError, match="split"):
        OperationKind("split")


@pytest.mark.quiet
def test_a_list_of_a_thousand_accounts_takes_as_long_as_it_did() -> None:
    """Ratios within one run: to plain pydantic, and of the list to the same list before a newer release."""
    many = [connection(*(account(n, iban_key=f"{n:064d}") for n in range(250)), powens_id=i) for i in range(4)]
    documents = [CONNECTIONS.write(each) for each in many]
    newer = [json.dumps(_marked(json.loads(document))) for document in documents]
    plain = TypeAdapter(Connection)

    def read(texts: list[Any], reader: Callable[[Any], Connection]) -> Callable[[], object]:
        return lambda: [reader(text) for text in texts]

    def listed(texts: list[Any]) -> Callable[[], object]:
        def show() -> str:
            found = Listed(all_connections=tuple(map(CONNECTIONS.read, texts)), manual_accounts=(), wishes=())
            return connection_list(found, now=NOW, language="fr", public_url="").model_dump_json()

        return show

    before, now = fastest(read(documents, plain.validate_json), read(documents, CONNECTIONS.read))
    assert now < 1.25 * before, "what is known pays nothing for what is not"
    known_only, with_newer = fastest(listed(documents), listed(newer))
    assert with_newer < 2 * known_only, "while two releases run, and after going back"


def _marked(content: Any) -> Any:
    for part in content["accounts"]:
        part["newer"] = "2026-03-05T09:00:00Z"
    return content


def fastest(*tasks: Callable[[], object]) -> list[float]:
    """The shortest time of each on the processor, in turns."""
    times: list[list[float]] = [[] for _ in tasks]
    for _ in range(25):
        for task, measured in zip(tasks, times, strict=True):
            began = time.thread_time()
            task()
            measured.append(time.thread_time() - began)
    return [min(measured) for measured in times]


def test_dates_and_amounts_are_read_alike_on_both_ways() -> None:
    content = json.loads(CONNECTIONS.write(HELD)) | {"newer": 1}
    read = CONNECTIONS.read(json.dumps(content))
    assert read.created_at == NOW
    assert read.accounts[1].balance == Decimal("0.10")
