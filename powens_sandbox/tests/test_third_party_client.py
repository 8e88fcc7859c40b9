"""A client of Powens that others wrote, and that mirrors the reference field by field, works here unchanged."""

import pytest
from powens import PowensClient
from powens.exceptions import PowensAuthError, PowensConflictError, PowensNotFoundError, PowensRateLimitError

from powens_sandbox.tests.driver import CLIENT, Browser, Person, Sandbox, run
from powens_sandbox.tests.polling import eventually

ID, SECRET = CLIENT["client_id"], CLIENT["client_secret"]
RETURN = "http://localhost:9/back"
LOGIN = {"login": "anybody", "password": "1234"}


def client(sandbox: Sandbox, token: str | None = None) -> PowensClient:
    return PowensClient(base_url=f"{sandbox.url}/2.0", access_token=token, api_domain="acme.biapi.pro")


def test_it_gets_renews_and_revokes_tokens(sandbox: Sandbox) -> None:
    async def story() -> None:
        async with client(sandbox) as nobody:
            made = await nobody.auth.init_user(**CLIENT)
            renewed = await nobody.auth.renew_token(client_id=ID, client_secret=SECRET, id_user=made.id_user)
            await nobody.auth.generate_service_token(**CLIENT, scope=["payments:admin", "payments:validate"])
        async with client(sandbox, made.auth_token) as user:
            code = await user.auth.generate_code(type_="singleAccess")
            exchanged = await user.auth.exchange_code(**CLIENT, code=code.code)
            await user.auth.revoke_token()
            with pytest.raises(PowensAuthError):
                await user.users.me()
        for token in (renewed.access_token, exchanged.access_token):
            async with client(sandbox, token) as user:
                assert (await user.users.me()).id == made.id_user

    run(story())


def test_it_reads_every_resource(sandbox: Sandbox, person: Person) -> None:
    async def story() -> None:
        async with client(sandbox, person.token) as user:
            connectors = (await user.connectors.list()).connectors
            test = next(item for item in connectors if item.name == "Connecteur de test")
            sources = (await user.connectors.list_sources(connector_uuid=test.uuid)).sources
            assert [source.name for source in sources] == ["openapi", "directaccess"]
            assert (await user.connectors.get_source(connector_uuid=test.uuid, source_id=sources[0].id)) == sources[0]
            made = [
                await user.connections.create(connector_uuid=test.uuid, source=source.name, fields=LOGIN)
                for source in sources
            ]
            listed = [item async for item in user.connections.list()]
            assert [item.id for item in listed] == [item.id for item in made]
            every = [item async for item in user.accounts.list(include_all=True)]
            assert [item async for item in user.accounts.list()] == []
            for account in every:
                changed = await user.accounts.update(account_id=account.id, disabled=False, include_all=True)
                assert changed.disabled is None
            eventually(lambda: all(item["last_update"] for item in person.accounts().values()))
            envelope = await user.accounts.list_all()
            assert envelope.total == len(every) == len(envelope.accounts)
            transactions = [item async for item in user.transactions.list(limit=4)]
            assert len({item.id for item in transactions}) == 5 * len(every)
            assert (await user.transactions.get(transaction_id=transactions[0].id)) == transactions[0]
            page = await user.transactions.list_page(account_id=every[0].id)
            assert page.first_date
            assert page.last_date
            pea = next(item for item in envelope.accounts if item.type == "pea")
            lines = [item async for item in user.investments.list(account_id=pea.id)]
            assert sum(line.valuation or 0 for line in lines) == pea.balance
            assert (await user.investments.get(investment_id=lines[0].id)) == lines[0]
            assert (await user.account_ownerships.list()).account_ownerships
            orders = (await user.market_orders.list(account_id=pea.id)).marketorders
            assert [order.state for order in orders] == ["EXECUTED", "PENDING"]
            assert (await user.market_orders.get(market_order_id=orders[0].id)) == orders[0]
            loan = next(item for item in envelope.accounts if item.type == "loan")
            plan = (await user.loan_amortizations.list(account_id=loan.id)).loanamortizations
            assert sum(line.amortization_amount.value or 0 for line in plan) == -(loan.balance or 0)
            assert plan[-1].remaining_capital.value == 0
            assert (await user.pockets.list()).pockets == []
            assert (await user.account_types.get(type_id=2)).name == "checking"
            assert (await user.currencies.list()).currencies
            assert (await user.connections.list_sources(connection_id=made[0].id)).sources
            assert await user.connections.list_logs_raw(connection_id=made[0].id)
            await user.connections.delete(connection_id=made[0].id)
            await user.users.delete()

    run(story())


def test_it_reads_the_pockets_of_employee_savings(sandbox: Sandbox, person: Person) -> None:
    person.connect("epargne-salariale-union")
    eventually(lambda: all(item["last_update"] for item in person.accounts().values()))

    async def story() -> None:
        async with client(sandbox, person.token) as user:
            held = {item.type: item async for item in user.accounts.list()}
            for kind, locked in (("pee", "date"), ("perco", "retirement")):
                pockets = (await user.pockets.list(account_id=held[kind].id)).pockets
                assert {pocket.condition for pocket in pockets} == {locked, "available"}
                assert sum(pocket.value for pocket in pockets) == held[kind].balance
                assert {pocket.availability_date is not None for pocket in pockets} == {locked == "date", False}
                assert (await user.pockets.get(pocket_id=pockets[0].id)) == pockets[0]
                lines = [item async for item in user.investments.list(account_id=held[kind].id)]
                below = (await user.pockets.list(investment_id=lines[0].id)).pockets
                assert sum(pocket.quantity for pocket in below) == lines[0].quantity
            for lost in (user.pockets.get(pocket_id=1), user.market_orders.get(market_order_id=1)):
                with pytest.raises(PowensNotFoundError):
                    await lost
            with pytest.raises(PowensNotFoundError):
                await user.pockets.list(investment_id=1)

    run(story())


def test_it_understands_every_refusal(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("revolut")
    eventually(lambda: person.get(f"/users/me/connections/{made['id']}")["last_update"])

    async def story() -> None:
        async with client(sandbox, person.token) as user:
            with pytest.raises(PowensConflictError):
                await user.connections.sync(connection_id=made["id"], psu_requested=False)
            with pytest.raises(PowensNotFoundError) as refused:
                await user.accounts.get(account_id=999_999)
            assert refused.value.error_code == "notFound"
            sandbox.fault(target="api", match="POST /accounts/", kind="status", status=429, retry_after=3, times=1)
            with pytest.raises(PowensRateLimitError) as limited:
                await user.accounts.update(account_id=made["all_accounts"][0]["id"], bookmarked=True)
            assert limited.value.retry_after == 3

    run(story())


def test_the_addresses_that_it_builds_open_the_webview(sandbox: Sandbox, person: Person) -> None:
    user = client(sandbox, person.token)
    made = person.connect("revolut")
    for built, step in (
        (user.webview.connect_url(client_id=ID, redirect_uri=RETURN, code=person.code(), lang="fr"), "terms"),
        (
            user.webview.manage_url(
                client_id=ID, redirect_uri=RETURN, code=person.code(), lang="fr", connection_id=made["id"]
            ),
            "accounts",
        ),
        (
            user.webview.reconnect_url(
                client_id=ID, redirect_uri=RETURN, code=person.code(), lang="fr", connection_id=made["id"]
            ),
            "bank",
        ),
    ):
        address = str(getattr(built, "url", built)).removeprefix("https://webview.powens.com")
        assert Browser(sandbox, address, {}).step == step
