"""The catalogue of institutions: kept, searched, never made worse by what Powens answers or by who refreshes too."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from functions.accounts_api.container import container
from functions.institution_catalogue import app as institution_catalogue
from shared.adapters.dynamodb.catalogue import CHUNK_KEPT, LARGEST_CHUNK
from shared.application.institutions import Copy
from shared.application.ports import StaleWriteError
from shared.domain.catalogue import Catalogue, CatalogueEntry
from shared.domain.errors import AppError, PowensUnavailable, StoreUnavailable
from shared.domain.observation import Institution
from tests.integration.api_steps import refused
from tests.integration.world import World
from tests.worlds.powens.fake import error
from tests.worlds.powens.model import Connector
from tests.worlds.powens.wire import Answer
from tests.worlds.triggers import event_file

NEO = "7d1f0000-0000-4000-8000-000000000001"


def offer(world: World, *names: str, **changes: Any) -> None:
    for number, name in enumerate(names, start=len(world.powens.connectors) + 1):
        uuid = f"7d1f0000-0000-4000-8000-{number:012d}"
        world.powens.connectors[uuid] = Connector(uuid=uuid, name=name, **changes)


def listed(world: World, query: str = "") -> Any:
    reply = world.api("GET", "/v1/institutions", query=query)
    assert reply.status == 200, reply.body
    return reply.json


def names(world: World, query: str = "") -> list[str]:
    return [institution["name"] for institution in listed(world, query)["institutions"]]


def kept(world: World) -> Copy | None:
    with world.looking():
        return container().catalogue_store.catalogue()


def keep(world: World, copy: Copy) -> None:
    with world.looking():
        container().catalogue_store.keep(copy)


def test_before_the_first_refresh_there_is_nothing_and_that_is_said(world: World) -> None:
    assert listed(world) == {"institutions": [], "refreshed_at": None, "stale": True}


def test_an_institution_is_shown_with_everything_that_is_known_of_it(world: World) -> None:
    offer(world, "Néobanque")
    assert world.refresh_catalogue()["institutions"] == 1
    answer = listed(world, "search=neobanque")
    [shown] = answer["institutions"]
    assert answer["stale"] is False
    assert answer["refreshed_at"].startswith("2026-03-05T")
    assert shown["logo_url"] == f"https://api.example.com/v1/institutions/{NEO}/logo"
    assert (shown["id"], shown["color"], shown["restricted"]) == (NEO, "#191c1f", False)
    assert shown["capabilities"] == ["bank"]
    assert shown["sources"] == [{"name": "openapi", "disabled": False}]
    assert [(one["type"], one["answer"]) for one in shown["account_types"]] == [
        ("checking", "yes"),
        ("card", "unknown"),
        ("savings", "no"),
        ("securities", "no"),
        ("life_insurance", "no"),
        ("employee_savings", "no"),
        ("loan", "no"),
        ("crypto", "no"),
        ("other", "no"),
    ]
    assert shown["account_types"][2]["evidence"] == [
        "no_capability:bankwealth",
        "no_product:wealth",
        "only_source:openapi",
    ]


def test_search_finds_by_initials_without_accents_and_with_typos_and_keeps_the_limit(world: World) -> None:
    offer(world, "Crédit Agricole", "Société Générale", "Revolut", "BNP Paribas")
    offer(world, "Banque secrète", hidden=True)
    world.refresh_catalogue()
    assert names(world, "search=ca")[0] == "Crédit Agricole"
    assert names(world, "search=societe+generale") == ["Société Générale"]
    assert names(world, "search=revolt") == ["Revolut"]
    assert names(world, "search=secrete") == []
    assert names(world) == ["BNP Paribas", "Crédit Agricole", "Revolut", "Société Générale"]
    assert names(world, "limit=1") == ["BNP Paribas"]
    for wrong in ("limit=0", "limit=101", "limit=x"):
        assert world.api("GET", "/v1/institutions", query=wrong).status == 422


def test_a_warm_process_looks_once_a_minute_whether_there_is_a_newer_catalogue(world: World) -> None:
    offer(world, "Revolut")
    world.refresh_catalogue()
    world.forget()
    names(world)
    assert world.aws.calls == ["GetItem", "GetItem"]
    names(world)
    assert world.aws.calls == ["GetItem", "GetItem"]
    world.clock.advance(minutes=1)
    names(world)
    assert world.aws.calls == ["GetItem"] * 3
    offer(world, "Boursorama")
    world.refresh_catalogue()
    world.clock.advance(minutes=1)
    assert names(world) == ["Boursorama", "Revolut"]
    assert names(world, "search=bourso") == ["Boursorama"]


def test_a_refresh_that_finds_nothing_new_writes_the_pointer_alone(world: World) -> None:
    offer(world, "Revolut")
    world.refresh_catalogue()
    world.forget()
    world.clock.advance(hours=1)
    world.refresh_catalogue()
    assert world.aws.calls.count("PutItem") == 1
    assert world.powens.count("GET /connectors") == 1


@pytest.mark.parametrize(
    "answer",
    [
        error(503),
        error(400),
        Answer(200, {"connectors": []}),
        Answer(200, {"connectors": [{"garbage": True}] * 10}),
        Answer(200, {"connectors": [{"uuid": "u-1", "name": "Seule"}]}),
        Answer(200, {"error": "not a list"}),
        Answer(200, b"<html>"),
    ],
)
def test_whatever_powens_answers_the_last_good_copy_stays_and_an_operator_is_told(world: World, answer: Answer) -> None:
    offer(world, *(f"Banque {number}" for number in range(10)))
    world.refresh_catalogue()
    before = listed(world, "limit=100")
    world.powens.fail("GET /connectors", answer, times=3)
    world.clock.advance(hours=1)
    with pytest.raises(AppError):
        world.refresh_catalogue()
    world.clock.advance(minutes=1)
    assert listed(world, "limit=100") == before


def test_a_pause_keeps_the_catalogue_as_it_is_and_alarms_nobody(world: World) -> None:
    offer(world, "Revolut")
    world.refresh_catalogue()
    before = listed(world)
    with world.looking():
        container().budget_store.pause(world.clock.now + timedelta(hours=2))
    world.forget()
    world.clock.advance(hours=1)

    assert world.refresh_catalogue()["institutions"] == 1
    assert world.powens.count("GET /connectors") == 0
    assert listed(world) == before
    # Afterwards it is renewed.
    world.clock.advance(hours=1, seconds=1)
    world.refresh_catalogue()
    assert world.powens.count("GET /connectors") == 1


def test_during_a_pause_not_even_a_logo_is_fetched(world: World) -> None:
    with world.looking():
        container().budget_store.pause(world.clock.now + timedelta(minutes=2))
    world.forget()

    answer = world.api("GET", f"/v1/institutions/{NEO}/logo")

    refused(answer, 503, "powens_busy")
    assert int(answer.headers["retry-after"]) > 60
    assert world.powens.log == []


def test_without_a_good_copy_a_failure_keeps_nothing(world: World) -> None:
    world.powens.fail("GET /connectors", error(503), times=3)
    with pytest.raises(PowensUnavailable):
        world.refresh_catalogue()
    assert kept(world) is None


def test_an_operator_can_have_a_shrunk_catalogue_believed_but_not_an_empty_one(world: World) -> None:
    offer(world, *(f"Banque {number}" for number in range(10)))
    world.refresh_catalogue()
    world.powens.connectors = dict(list(world.powens.connectors.items())[:2])
    with pytest.raises(AppError):
        world.refresh_catalogue()
    believed = event_file("institution_catalogue/by-an-operator")
    assert world.invoke(institution_catalogue.lambda_handler, believed)["institutions"] == 2
    world.powens.connectors = {}
    with pytest.raises(AppError):
        world.invoke(institution_catalogue.lambda_handler, believed)
    assert len(kept(world).catalogue.entries) == 2  # type: ignore[union-attr]


def test_a_catalogue_that_is_not_renewed_for_days_is_called_stale_and_denies_nothing(world: World) -> None:
    offer(world, "Revolut")
    world.refresh_catalogue()
    world.clock.advance(days=4)
    answer = listed(world)
    assert answer["stale"] is True
    assert {one["answer"] for one in answer["institutions"][0]["account_types"]} == {"yes", "unknown"}


def test_an_older_read_never_overwrites_a_newer_one(world: World) -> None:
    offer(world, "Revolut")
    world.powens.before("GET /connectors", lambda: overtaken(world))
    world.clock.advance(seconds=10)
    assert world.refresh_catalogue()["kept"] is False
    assert list(kept(world).catalogue.entries) == ["newer"]  # type: ignore[union-attr]


def overtaken(world: World) -> None:
    """Another refresh begins later and ends earlier."""
    about = Institution(id="newer", name="Plus récente")
    world.clock.advance(seconds=10)
    keep(
        world, Copy(catalogue=Catalogue(read_at=world.clock.now, entries={"newer": CatalogueEntry(institution=about)}))
    )


INSTITUTIONS_POINTER = {"pk": {"S": "INSTITUTIONS"}, "sk": {"S": "CATALOGUE"}}


def large(world: World, seed: str) -> Copy:
    """A catalogue that does not fit one part."""
    entries = {}
    for number in range(20_000):
        identifier = f"{seed}-{hash((seed, number)):x}-{number * 7919:x}-{number * 104729:x}"
        entries[identifier] = CatalogueEntry(institution=Institution(id=identifier, name=f"Banque {identifier}"))
    return Copy(catalogue=Catalogue(read_at=world.clock(), entries=entries))


def contents(world: World) -> list[str]:
    return [i["sk"]["S"] for i in world.items() if i["sk"]["S"].startswith("CATALOGUE#")]


def test_a_large_catalogue_is_kept_in_parts_and_what_it_replaces_goes_after_a_while(world: World) -> None:
    keep(world, large(world, "b"))
    world.clock.now += 2 * CHUNK_KEPT
    first = large(world, "a")
    keep(world, first)
    parts = [key for key in contents(world) if kept(world).version in key]  # type: ignore[union-attr]
    assert len(parts) > 1
    assert set(parts) < set(contents(world)), "what it has replaced may just be read"
    assert all(len(item["content"]["B"]) <= LARGEST_CHUNK for item in world.items() if item["sk"]["S"] in parts)
    assert kept(world).catalogue == first.catalogue  # type: ignore[union-attr]
    world.clock.now += 2 * CHUNK_KEPT
    keep(world, replace(first, catalogue=replace(first.catalogue, read_at=world.clock(), entries={})))
    assert set(parts) < set(contents(world))
    assert len(contents(world)) == len(parts) + 1, "what that had replaced is gone"
    world.clock.now += CHUNK_KEPT
    # A page of what is expired may have nothing of it, and there be another one.
    world.aws.fault("Query", lambda _: {"Items": [], "LastEvaluatedKey": INSTITUTIONS_POINTER})
    with world.invoking("institution_catalogue"):
        last = replace(first.catalogue, read_at=world.clock(), entries={})
        container().catalogue_store.keep(replace(first, catalogue=last))
    assert set(contents(world)).isdisjoint(parts)


def test_a_reader_whose_catalogue_is_replaced_while_it_reads_takes_the_new_one(world: World) -> None:
    offer(world, "Revolut")
    world.refresh_catalogue()
    with world.looking():
        pointer = world.dynamodb.get_item(TableName=world.environment["TABLE_NAME"], Key=INSTITUTIONS_POINTER)
    old = {"Item": {**pointer["Item"], "version": {"S": "gone"}}}
    world.aws.fault("GetItem", lambda _: old)
    assert names(world) == ["Revolut"]
    world.clock.advance(minutes=1)
    for _ in range(2):
        world.aws.faults += [("GetItem", lambda _: old), ("GetItem", lambda _: {})]
    reply = world.api("GET", "/v1/institutions")
    assert (reply.status, reply.json["code"]) == (503, StoreUnavailable.code)


def test_two_who_write_incidents_at_once_do_not_overwrite_each_other(world: World) -> None:
    with world.looking():
        store = container().incident_store
        store.keep_incidents((), version=0)
        with pytest.raises(StaleWriteError):
            store.keep_incidents((), version=0)
        assert store.incidents() == ((), 1)
