"""A user's choices from the API or the Webview to Powens, back into the ledger, and out onto the bus."""

from tests.integration.world import World


def test_a_visit_to_the_webview_brings_its_accounts_into_the_list_as_they_were_ticked(world: World) -> None:
    connection = world.connect(1, 2, 3, disabled=(3,))
    assert world.enabled(connection) == {1, 2}
    [added] = world.events("AccountsUpdated")
    assert {line["change"] for line in added["data"]["accounts"]} == {"added"}
    assert added["metadata"]["cause"] == "webview"
