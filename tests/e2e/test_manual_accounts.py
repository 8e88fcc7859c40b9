"""A manual account, and a wish, on the whole system: until it is synchronised after all."""

from typing import Any

from tests.e2e.conftest import System
from tests.e2e.people import Person
from tests.polling import eventually

SAVINGS = {"name": "Épargne flexible", "type": "savings", "currency": "EUR", "balance": "1200.50"}


def kept(person: Person) -> dict[str, Any]:
    [account] = person.api.get("/v1/connections").raise_for_status().json()["manual_accounts"]
    return dict(account)


def told(person: Person, account_id: str) -> list[tuple[int, str, bool]]:
    """What the bus said of a manual account, each event once."""
    details = {d["metadata"]["event_id"]: d["data"] for d in person.events("AccountsUpdated")}
    return sorted(
        (data["revision"], line["change"], line["enabled"])
        for data in details.values()
        for line in data["accounts"]
        if line["account_id"] == account_id
    )


def test_savings_kept_manually_are_wished_for_discovered_joined_and_parted_again(system: System) -> None:
    with Person(system) as person:
        institution = person.connection["institution"]
        added = person.api.post("/v1/accounts", json=SAVINGS | {"institution_name": institution["name"]})
        assert added.status_code == 201, added.text
        path, manual_account = added.headers["location"], added.json()["id"]
        body = {"institution_id": institution["id"], "type": "savings"}
        assert [person.api.post("/v1/wishes", json=body).status_code for _ in range(2)] == [201, 200]
        for balance in range(1, 26):
            # Past the length of the history that lies in the account itself.
            person.api.patch(path, json={"balance": str(balance)}).raise_for_status()
        person.wait(
            lambda: (
                told(person, manual_account) == [(1, "added", True), *((n, "refreshed", True) for n in range(2, 27))]
            )
        )
        points = person.api.get(f"{path}/balances").raise_for_status().json()["balances"]
        assert [point["balance"] for point in points] == [*map(str, range(25, 0, -1)), "1200.50"]

        shown = {"name": "Flexible", "type": "livret_a", "balance": 25}
        person.powens.post(f"/sandbox/connections/{person.powens_connection}/accounts", json=shown).raise_for_status()
        person.wait(lambda: bool(kept(person)["link_suggestions"]))
        [granted] = eventually(lambda: person.events("AccountNowAvailable"), seconds=20)
        [wish] = person.api.get("/v1/connections").json()["wishes"]
        assert wish["available_at"] is not None
        assert (granted["data"]["wish_id"], granted["data"]["type"]) == (wish["id"], "savings")

        [suggestion] = kept(person)["link_suggestions"]
        assert {"same_type", "same_currency", "same_institution"} <= set(suggestion["evidence"])
        person.flip("Flexible", enabled=True)
        person.wait(lambda: person.account("Flexible")["enabled"])
        link = {"account_id": suggestion["account_id"]}
        person.api.put(f"{path}/link", json=link).raise_for_status()
        assert (kept(person)["enabled"], kept(person)["linked_account_id"]) == (False, link["account_id"])
        assert person.api.delete(path).json()["code"] == "account_is_joined"

        person.flip("Flexible", enabled=False)
        person.wait(lambda: kept(person)["enabled"])
        person.flip("Flexible", enabled=True)
        person.wait(lambda: not kept(person)["enabled"])
        person.api.delete(f"{path}/link").raise_for_status()
        assert kept(person)["enabled"]
        person.api.delete(path).raise_for_status()
        changes = [(n, "refreshed", True) for n in range(2, 27)]
        changes = [(1, "added", True), *changes, (27, "disabled", False), (28, "enabled", True)]
        changes += [(29, "disabled", False), (30, "enabled", True), (31, "removed", False)]
        person.wait(lambda: told(person, manual_account) == changes)
        assert len(person.events("AccountNowAvailable")) == 1
