"""What must hold once faults have ended and time has passed: Powens, the newest choices, events and our API agree."""

import json
from typing import Any

from shared.domain.connection import AccountType, connection_id
from shared.domain.facts import Folded
from tests.simulation.engine import MICROSECONDS
from tests.simulation.oracle import Ended, Oracle
from tests.simulation.people.memory import USERS, Action
from tests.simulation.people.people import People
from tests.simulation.powens import Real
from tests.simulation.world import EXPIRE_EVERY, LATEST_EXPIRY, Violated, World
from tests.worlds.powens.model import Account
from tests.worlds.triggers import api_event

QUIET_SECONDS = 45 * 60
RECONCILED_SECONDS = 13 * 3600
CLOSED_SECONDS = 38 * 3600
PASSES = 2
"""Undisturbed housekeeping passes within which an overdue operation is ended."""
GRACE_SECONDS = 90
LAST_SCREENS = 1000
"""The first number of the actions that open a screen for every user when nothing goes wrong any more."""
TOLD_SECONDS = 30
"""Within which a screen hears of what was published."""
LATELY_SECONDS = 14 * 3600
"""Within which whatever shows at Powens has been read, webhooks or not."""
UPSETTING = ("renumbered", "moved", "unreadable", "connection deleted", "user deleted at Powens", "odd field")
"""After what an account that is there may seem to come up."""
LATE_ANSWERS = ("Powens outlives our patience", "Powens applies and times out", "Powens is slow", "slow AWS call")
"""How an answer to one of two workers may come late."""
FRESH_SECONDS = 27 * 3600
"""After which data is not fresh any more, with an hour of grace."""


class Checks:
    def __init__(self, world: World, oracle: Oracle, people: People) -> None:
        self.world = world
        self.oracle = oracle
        self.people = people
        world.soon = self.soon

    def hold(self, holds: bool, otherwise: str) -> None:
        """Raises Violated at once: all of this runs outside of any task."""
        self.world.invariant(holds, otherwise)
        if not holds:
            raise Violated(otherwise)

    def come_to_rest(self) -> None:
        """No more faults; then half an hour, a reconciliation, and the days after which missing accounts are closed."""
        world = self.world
        self.overdue()
        world.chance.quiet = True
        powens = world.powens
        powens.outage_until = powens.throttled_until = 0.0
        powens.locked.clear()
        powens.forbidden.clear()
        for account_id in [*powens.unreadable, *powens.nameless]:
            if world.chance.roll("clears up", account_id) < 0.5:
                powens.clear(account_id)
        began = world.engine.at
        world.engine.tell("--- from here on nothing goes wrong")
        for number, user in enumerate(USERS):
            self.people.act(Action(LAST_SCREENS + number, world.engine.at, "watch", user))
        world.run_for(QUIET_SECONDS)
        self.send_dead_letters_back()
        self.hinted(began)
        self.overdue()
        world.run_for(RECONCILED_SECONDS)
        world.run_for(CLOSED_SECONDS)
        self.everything()

    def send_dead_letters_back(self) -> None:
        """As an operator does. An erasure has no deadline: enough trouble, one after the other, gives it up.

        So does any message that met a fault at each of its deliveries.
        """
        world = self.world
        since = world.aws.seconds() - world.engine.at / MICROSECONDS
        dead = [message for queue in world.queues.values() for message in queue.dead]
        for message in dead:
            began, ended = ((at - since) * MICROSECONDS for at in (message.sent_at, message.visible_at))
            met = sum(began <= at <= ended for at in world.chance.times)
            unlucky = met >= message.receives or (world.chance.times and '"erasure_id"' in message.body)
            expected = world.dead_letters_expected or unlucky
            self.hold(bool(expected), f"a dead letter: {message.body}")
            world.chance.note("dead letter sent back", message.id)
        if dead:
            for queue in world.queues.values():
                queue.redrive(world.aws.seconds())
            world.run_for(QUIET_SECONDS)

    # --- during the run and after it

    def overdue(self) -> None:
        """No operation stays open past its deadline, once housekeeping had its passes."""
        world = self.world
        for name, (deadline, _) in self.oracle.open.items():
            later = [at for at in world.housekeeping_done if at > deadline + GRACE_SECONDS * MICROSECONDS]
            self.hold(len(later) < PASSES, f"operation {name} is open long past its deadline")

    def hinted(self, began: int) -> None:
        """What an accepted hint was about has been read, without waiting for a reconciliation."""
        world = self.world
        self.hold(world.unanswered_webhooks == 0, "a webhook is still being answered")
        for powens_id, emitted in world.hinted.items():
            self.hint(powens_id, emitted)

    def soon(self, powens_id: int, emitted: int) -> None:
        """While nothing goes wrong, a hint is answered within minutes."""
        if any(at >= emitted for at in self.world.chance.times):
            return
        if any(
            at >= emitted - 600 * MICROSECONDS and "flip" not in what for at, what, _ in self.world.powens.disturbances
        ):
            return
        self.hint(powens_id, emitted)

    def hint(self, powens_id: int, emitted: int) -> None:
        """What was said to have changed shows, unless more has changed since."""
        world, oracle = self.world, self.oracle
        connection = world.powens.connections.get(powens_id)
        changed = world.powens.changed.get(powens_id, 0)
        if connection is None or emitted < changed or world.powens.misread.get(connection.user, -1) >= emitted:
            return
        if connection.user in world.powens.erasing:
            return
        for real in world.powens.reals.values():
            there = oracle.living(real)
            if real.connection != powens_id or there is None or self.blurred(real) or oracle.namesake(real):
                continue
            _, held = oracle.held(real)
            self.hold(
                held is not None and (held["enabled"] is not there.disabled or "choice" in held),
                f"{real.name} of {powens_id} was never read: its webhook was accepted long ago",
            )

    def blurred(self, real: Real) -> bool:
        """Whether nobody can read which accounts are chosen of those that it might be."""
        powens = self.world.powens
        mine = {name for other in powens.reals.values() if other.connection == real.connection for name in other.ids}
        return real.ids[-1] in powens.unreadable or not mine.isdisjoint(powens.nameless)

    def everything(self) -> None:
        self.bugs()
        self.queues()
        self.events()
        self.screens()
        self.operations()
        self.refreshes()
        self.erasures()
        self.powens_users()
        self.secrets()
        for user in USERS:
            self.user(user)

    def bugs(self) -> None:
        """Nothing that our code does not know is ever caught at its edge."""
        revoked = any(what == "tokens revoked" for _, what, _ in self.world.powens.disturbances)
        for line in self.world.logs.getvalue().splitlines():
            for said in ("message failed", "unexpected error", "poison message"):
                if f'"message":"{said}"' not in line:
                    continue
                known = json.loads(line)
                # Revoked between its renewal and its use: nothing tells that from a client that may not renew.
                if revoked and "refuses the token that it just renewed" in known.get("exception", ""):
                    continue
                self.hold(False, f"{said}: {known.get('exception_name')} {known.get('exception', '')[-300:]}")

    def queues(self) -> None:
        world = self.world
        for queue in world.queues.values():
            self.hold(not queue.messages, f"{len(queue.messages)} messages are still in {queue.name}")
            self.hold(
                queue.sent == queue.done + len(queue.dead), f"{queue.name}: {queue.sent} sent, {queue.done} handled"
            )
            bodies = [message.body for message in queue.dead]
            self.hold(not bodies, f"dead letters in {queue.name}: {bodies[:1]}")
        self.hold(not world.outbox_dead, "outbox entries were given up")

    def events(self) -> None:
        """Each event at least once; without repeats exactly once, and the revisions of a connection without holes."""
        world, oracle = self.world, self.oracle
        seen: dict[str, dict[str, Any]] = {}
        for event in world.aws.bus:
            name = event["detail"]["metadata"]["event_id"]
            known = seen.setdefault(name, event)
            self.hold(known == event, f"event {name} was published with two contents")
        lost = sorted(set(oracle.events) - set(seen))
        self.hold(not lost, f"event {lost[:1]} was never published")
        self.hold(set(seen) <= set(oracle.events), "an event was published that was never written")
        revisions: dict[str, list[int]] = {}
        ended: list[str] = []
        for event in seen.values():
            data = event["detail"]["data"]
            if event["detail-type"] == "OperationEnded":
                ended.append(data["operation_id"])
            elif "connection_id" in data:
                revisions.setdefault(data["connection_id"], []).append(data["revision"])
        for found in revisions.values():
            self.hold(sorted(found) == list(range(1, len(found) + 1)), f"revisions {sorted(found)} of a connection")
        self.hold(sorted(ended) == sorted(set(ended)), "an operation ended twice")
        self.hold(set(ended) == set(oracle.ended), "the ends of operations and their events differ")

    def screens(self) -> None:
        """What is published while nothing goes wrong is heard by every open screen of its user.

        Of closed screens nothing is left in the table.
        """
        world = self.world
        patience = TOLD_SECONDS * MICROSECONDS
        trouble = max(world.chance.times, default=0)
        for screen in self.people.screens:
            begins = max(trouble, screen.opened_at) + patience
            ends = min(screen.token_until, screen.closed_at or world.engine.at) - patience
            heard = {(m["event"], m["connection_id"], m["revision"]): at for at, m in reversed(screen.told)}
            for at, event in world.aws.published:
                data = event["detail"]["data"]
                if begins < at < ends and data["user_id"] == screen.user and event["detail-type"] in world.told_of:
                    world.powens.drawn["event heard by a screen"] += 1
                    told_at = heard.get((event["detail-type"], data.get("connection_id"), data["revision"]))
                    self.hold(
                        told_at is not None and told_at < at + patience,
                        f"a screen of {screen.user} was not told of {event['detail-type']}",
                    )
        old = world.engine.now.timestamp() - LATEST_EXPIRY - EXPIRE_EVERY
        for item in world.table.items():
            socket = "SOCKET#" in item["pk"]["S"] + item["sk"]["S"]
            self.hold(not socket or int(item["ttl"]["N"]) > old, "a screen that is closed for long is still known")

    def operations(self) -> None:
        """Each has ended, and those that failed have a reason that happened."""
        oracle = self.oracle
        self.hold(not oracle.open, f"operations {list(oracle.open)} are still open")
        for ended in oracle.ended.values():
            if ended.status == "completed":
                continue
            self.hold(
                self.explained(ended),
                f"operation {ended.id} ended {ended.status} ({ended.reason or ended.failed}) though nothing was wrong",
            )

    def refreshes(self) -> None:
        """What is said about a refresh is what Powens made of it."""
        powens, oracle = self.world.powens, self.oracle
        for ended in oracle.ended.values():
            if ended.kind != "refresh":
                continue
            taken = [at for at, c in powens.forced if connection_id(c) == ended.connection]
            mine = any(ended.created - MICROSECONDS <= at <= ended.at for at in taken)
            # Of two workers at once, the one that Powens refuses cannot know of the other before that has its answer.
            met = {
                fault.kind
                for fault, at in zip(self.world.chance.happened, self.world.chance.times, strict=True)
                if ended.created <= at <= ended.at
            }
            unknowable = "SQS delivers twice" in met and not met.isdisjoint(LATE_ANSWERS)
            self.hold(
                unknowable or not (mine and ended.reason == "refresh_refused"),
                f"refresh {ended.id} is said to be refused, and Powens was at it",
            )
            if ended.status == "completed" and ended.reason is None:
                known = oracle.successes[ended.connection]
                before = [success for at, success in known if at < ended.created]
                now = [success for at, success in known if at <= ended.at]
                self.hold(
                    not before or before[-1] is None or (now[-1] or "") > before[-1],
                    f"refresh {ended.id} is said to be done, and nothing is newer",
                )

    def explained(self, ended: Ended) -> bool:
        """Whether something went wrong while it was open, or shortly before."""
        since = ended.created - 400 * MICROSECONDS
        if any(since <= at <= ended.at for at in self.world.chance.times):
            return True
        for at, _, connection in self.world.powens.disturbances:
            mine = connection is None or connection_id(connection) == ended.connection
            if mine and since <= at <= ended.at:
                return True
        there = next(
            (c for c in self.world.powens.connections.values() if connection_id(c.id) == ended.connection), None
        )
        if there is not None and not self.world.powens.once_blurred.isdisjoint(there.accounts):
            return True
        if ended.kind == "refresh":
            # A state that asks for the user may have begun long before the refresh, and be over by now.
            states = [
                connection_id(at)
                for since, what, at in self.world.powens.disturbances
                if at is not None and what in ("state", "consent") and since <= ended.at
            ]
            return there is None or ended.connection in states
        return all(self.long_ago(our_id, reason, connection_gone=there is None) for our_id, reason in ended.failed)

    def long_ago(self, our_id: str, reason: str | None, *, connection_gone: bool) -> bool:
        """Whether an account or its connection went away, long before anybody here heard of it perhaps."""
        real = self.oracle.real(our_id)
        if reason == "identical_accounts":
            return real is not None and real.shared
        if reason == "unreadable_at_powens":
            return real is not None and not self.world.powens.once_blurred.isdisjoint(real.ids)
        if reason in ("closed_at_bank", "recreated_by_powens", "not_found_at_powens"):
            powens = self.world.powens
            vanished = real is not None and not powens.gone_since.keys().isdisjoint(real.ids)
            return vanished or (real is not None and real.id in powens.absent)
        return reason == "connection_removed" and connection_gone

    def erasures(self) -> None:
        """Each has ended, once, and told; nothing of the user is left but what she did afterwards."""
        world, oracle = self.world, self.oracle
        left = sorted(set(oracle.erasing) - set(oracle.erased))
        self.hold(not left, f"erasures {left} have not ended")
        told: dict[str, str] = {}
        for event in world.aws.bus:
            if event["detail-type"] == "UserErased":
                told[event["detail"]["metadata"]["event_id"]] = event["detail"]["data"]["user_id"]
        self.hold(sorted(told.values()) == sorted(oracle.erasing.values()), "erasures and their events differ")
        for name, user in oracle.erasing.items():
            if self.people.last.get(user, 0) < oracle.erased[name]:
                items = [item["sk"]["S"] for item in world.table.items() if item["pk"]["S"] == f"USER#{user}"]
                self.hold(not items, f"{items[:3]} of {user} are left after her erasure")

    def powens_users(self) -> None:
        world = self.world
        held = {
            int(item["powens_user_id"]["N"])
            for item in world.table.items()
            if item["sk"]["S"] == "PROFILE" and "powens_user_id" in item
        }
        nobodys = set(world.powens.users) - held
        expected = {*world.powens.strays, *(world.powens.witnesses.intersection(world.powens.users) - held)}
        self.hold(nobodys == expected, f"users {sorted(nobodys)} at Powens are nobody's")
        listing = world.table.get("ORPHANS", "LISTING")
        assert listing is not None
        suspects = json.loads(listing["document"]["S"])["suspects"]
        self.hold({int(known) for known in suspects} == nobodys, f"{list(suspects)} are listed as orphans")
        permanent = [user for user in world.powens.permanent if user not in world.powens.deleted_users]
        self.hold(len(permanent) <= len(USERS), f"{len(permanent)} users at Powens")

    def secrets(self) -> None:
        """No token, code, IBAN or text of Powens in a log, an event, a message or, in the clear, in the table."""
        world = self.world
        items = world.table.items()
        places = {
            "the log": world.logs.getvalue(),
            "an event": json.dumps(world.aws.bus),
            "the table": repr([item for item in items if not item["sk"]["S"].startswith("SESSION")]),
            "a message": repr([message.body for queue in world.queues.values() for message in queue.dead]),
            "an answer": "\n".join(self.people.problems),
        }
        for place, text in places.items():
            for secret in world.powens.secrets:
                self.hold(secret not in text, f"a secret is in {place}: {secret[:12]}…")

    # --- what a user sees

    def get(self, user: str, path: str) -> Any:
        world = self.world
        replies: list[Any] = []

        def ask() -> None:
            replies.append(world.request(api_event("GET", path, user=user), f"check/{user}"))

        world.engine.start(f"check/{user}", ask)
        world.run_for(60, until=lambda: bool(replies))
        assert replies
        assert replies[0].status == 200, replies[0].body
        return replies[0].json

    def user(self, user: str) -> None:
        world, oracle = self.world, self.oracle
        screen = self.get(user, "/v1/connections")
        self.manual(user, screen["manual_accounts"])
        self.wishes(user, {wish["id"]: wish for wish in screen["wishes"]})
        listed = {c["id"]: c for c in screen["connections"]}
        there = {
            connection_id(c.id): c
            for c in world.powens.connections.values()
            if c.user in self.people.powens_users[user]
        }
        self.hold(set(listed) == set(there), f"{user} sees {len(listed)} connections, Powens has {len(there)}")
        for name, connection in listed.items():
            document = oracle.document(there[name].id)
            assert document is not None
            self.hold(document.get("state") == there[name].state, f"the state of {there[name].id} is not Powens'")
            self.connection(connection, there[name].id)
        for powens_id, owner in oracle.owner.items():
            if owner == user and powens_id not in self.oracle.forgotten:
                name = connection_id(powens_id)
                shown = listed.get(name)
                state = {
                    a["id"]: (a["enabled"], AccountType(a["type"]), a["currency"])
                    for a in (shown["accounts"] if shown else [])
                }
                self.hold(self.folded(name) == state, f"the events of {powens_id} fold to something else than it shows")
        ids = [account["id"] for connection in listed.values() for account in connection["accounts"]]
        self.hold(len(ids) == len(set(ids)), f"{user} has two accounts of one id")
        self.counted(list(listed.values()))

    def connection(self, connection: dict[str, Any], powens_id: int) -> None:
        world, oracle = self.world, self.oracle
        self.hold(bool(connection["institution"]["name"]), f"the bank of {powens_id} has no name")
        synchronised = world.powens.synchronised[powens_id]
        old = world.engine.at - synchronised > FRESH_SECONDS * MICROSECONDS
        self.hold(not old or connection["freshness"] != "fresh", f"the old data of {powens_id} is said to be fresh")
        shown: dict[int, list[dict[str, Any]]] = {}
        for account in connection["accounts"]:
            real = oracle.real(account["id"])
            self.hold(real is not None, "an account that Powens never had")
            assert real is not None
            if real.connection != powens_id:
                self.hold(account["status"] == "closed_at_bank", f"{real.name} has moved, and is still in {powens_id}")
                continue
            shown.setdefault(real.id, []).append(account)
        for real in world.powens.reals.values():
            if real.connection == powens_id:
                self.account(real, shown.get(real.id, []), f"{real.name} of {powens_id}")
        self.namesakes(connection, powens_id)

    def account(self, real: Real, accounts: list[dict[str, Any]], called: str) -> None:
        """One real account as the list of its connection shows it."""
        oracle = self.oracle
        there, expected = oracle.living(real), oracle.expected[real.id]
        if oracle.namesake(real):
            return
        if there is None and not self.blurred(real):
            self.hold(
                all(a["status"] == "closed_at_bank" for a in accounts), f"{called} is gone, and not shown as closed"
            )
            return
        if there is None:
            return  # what nobody can read is not known to be gone
        if self.blurred(real):
            # An old id may have been gone for long, and the bank may have closed it before: that was read.
            newest = [a for a in accounts if a["id"] == oracle.known_as(real)]
            self.hold(
                real.id in self.world.powens.absent or all(a["status"] != "closed_at_bank" for a in newest),
                f"{called} is shown as closed, which nobody could read",
            )
            return
        self.hold(len(accounts) == 1, f"{called} is shown {len(accounts)} times")
        [account] = accounts
        self.hold(
            account["enabled"] is not there.disabled,
            f"{called} is {'off' if there.disabled else 'on'} at Powens and shown otherwise",
        )
        self.hold(account["status"] in ("enabled", "disabled", "failed"), f"{called} is {account['status']} at the end")
        if len(expected.allowed) == 1:
            oracle.certain += 1
        else:
            oracle.uncertain += 1
        self.hold(
            account["enabled"] in expected.allowed,
            f"{called} is {'on' if account['enabled'] else 'off'}, against the newest choice",
        )
        if account["status"] == "failed":
            self.hold(expected.excused, f"{called} is shown as failed without a failure")
        self.hold(
            None in expected.names or account["name"] in expected.names, f"{called} has lost the name its user gave it"
        )
        self.balance(real, there, account["balance"], called)

    def balance(self, real: Real, there: Account, shown: str | None, called: str) -> None:
        """What Powens says now; where it says nothing, what it said last, and never another account's."""
        powens = self.world.powens
        hidden = there.disabled and "no balance of the disabled" in powens.kinds
        if there.error is None and not hidden and "balance" not in there.odd:
            self.hold(shown is not None and float(shown) == there.balance, f"{called} shows {shown}, an old balance")
        elif shown is not None:
            self.hold(float(shown) in real.balances, f"{called} shows {shown}, which it never had")
        elif powens.once_spoilt.isdisjoint(real.ids):
            self.hold(real.id not in self.oracle.good, f"{called} shows no balance, and had one")

    def namesakes(self, connection: dict[str, Any], powens_id: int) -> None:
        """Of accounts that nothing tells apart and that were wanted otherwise, the user is asked."""
        alike = {}
        for account in connection["accounts"]:
            real = self.oracle.real(account["id"])
            if real is not None and self.oracle.expected[real.id].alike and real.connection == powens_id:
                alike[real.id] = account
        asked = any(
            reason == "identical_accounts"
            for ended in self.oracle.ended.values()
            if ended.connection == connection["id"]
            for _, reason in ended.failed
        )
        differed = len(alike) > 1 and all(self.oracle.expected[real_id].missed for real_id in alike)
        # An answer that left some of them out may have left no doubt.
        if differed and not self.world.powens.misread:
            self.hold(asked, f"accounts of {powens_id} look alike, were wanted otherwise, and nobody was asked")

    def folded(self, name: str) -> Folded:
        """What a consumer of the bus arrives at, by the published JSON alone."""
        state: Folded = {}
        applied = 0
        mine = [e for e in self.world.aws.bus if e["detail"]["data"].get("connection_id") == name]
        for event in sorted(mine, key=lambda event: event["detail"]["data"]["revision"]):
            data = event["detail"]["data"]
            if event["detail-type"] == "OperationEnded" or data["revision"] <= applied:
                continue
            applied = data["revision"]
            for line in data.get("accounts", []):
                if line["change"] == "removed":
                    state.pop(line["account_id"], None)
                else:
                    state[line["account_id"]] = (line["enabled"], AccountType(line["type"]), line["currency"])
        return state

    def wishes(self, user: str, shown: dict[str, Any]) -> None:
        """Granted, once, when the catalogue begins to give the type or an account of it comes up; open before that."""
        world, powens = self.world, self.world.powens
        told: dict[str, set[str]] = {}
        for event in world.aws.bus:
            if event["detail-type"] == "AccountNowAvailable":
                known = told.setdefault(event["detail"]["data"]["wish_id"], set())
                known.add(event["detail"]["metadata"]["event_id"])
        for wish_id, wish in self.people.users[user].wishes.items():
            self.hold(wish_id in shown, f"a wish of {user} is lost")
            granted = shown[wish_id]["available_at"] is not None
            powens.drawn["wish granted" if granted else "wish open"] += 1
            self.hold(len(told.get(wish_id, ())) == granted, f"a wish of {user} was granted, and not told once")
            mine = self.people.powens_users[user]
            came = [
                (at, real)
                for at, real, bank, kind in powens.appeared
                if (bank, kind) == (wish.bank, wish.kind) and self.oracle.owner[real.connection] == user
            ]
            lasting = any(
                at > wish.recorded and self.oracle.living(real) is not None and not self.blurred(real)
                for at, real in came
            )
            news = powens.news.get(wish.bank)
            seen = min(world.catalogue_renewed, default=wish.recorded)
            if lasting or (news is not None and max(seen, wish.recorded) < news):
                self.hold(granted, f"{user} wished for {wish.kind}, which is there, and was not told")
            upset = any("closed" in what or what in UPSETTING for _, what, _ in powens.disturbances)
            lately = any(at > wish.asked - LATELY_SECONDS * MICROSECONDS for at, _ in came)
            if not (upset or lately or powens.misread or news is not None):
                self.hold(not granted, f"{user} was told of {wish.kind}, which nobody gives: {mine}")

    def manual(self, user: str, shown: list[dict[str, Any]]) -> None:
        """Accounts kept by hand are what she made of them, and the events say so too."""
        world, remembered = self.world, self.people.users[user]
        names = {account["id"]: account["name"] for account in shown}
        for manual_id, manual in remembered.manual.items():
            if manual.dropped is not None:
                there = manual_id in names
                self.hold(there is not manual.dropped, f"an account by hand is {'' if there else 'not '}there")
            if manual_id in names:
                self.hold(names[manual_id] in manual.names, f"an account by hand is called {names[manual_id]}")
        for manual_id, name in names.items():
            known = manual_id in remembered.manual or name in remembered.unclear
            self.hold(known, f"{user} never made the account {name} by hand")
            told: dict[int, bool] = {}
            for event in world.aws.bus:
                data = event["detail"]["data"]
                for line in data.get("accounts", []):
                    if line["account_id"] == manual_id:
                        told[data["revision"]] = line["change"] != "removed"
            self.hold(bool(told) and told[max(told)], f"the events do not know the account {name} by hand")

    def counted(self, connections: list[dict[str, Any]]) -> None:
        """One real account counts once, and through the connection that says most about it (rule 6)."""
        powens = self.world.powens
        copies: dict[str, list[tuple[Real, Account, dict[str, Any]]]] = {}
        blurred: set[str] = set()
        for connection in connections:
            for account in connection["accounts"]:
                real = self.oracle.real(account["id"])
                if real is None or account["status"] == "closed_at_bank":
                    continue
                there = self.oracle.living(real)
                if there is None or self.blurred(real):
                    blurred.add(real.identity)
                else:
                    copies.setdefault(real.identity, []).append((real, there, account))
        for identity, found in copies.items():
            counting = [account for _, _, account in found if account["duplicate_of"] is None]
            if identity in blurred:
                continue
            if len({real.connection for real, _, _ in found}) < len(found):
                # Namesakes: which of one connection is which of another, nobody knows.
                self.hold(bool(counting), f"none of those that look like {found[0][0].name} counts")
                continue
            self.hold(len(counting) == 1, f"{found[0][0].name} counts {len(counting)} times")
            [counts] = counting
            others = {account["duplicate_of"] for _, _, account in found if account is not counts}
            self.hold(others <= {counts["id"]}, f"a copy of {found[0][0].name} is said to be another account's")
            if len(found) > 1 and not any(
                there.odd or powens.connections[real.connection].odd for real, there, _ in found
            ):
                self.best(found, counts)

    def best(self, found: list[tuple[Real, Account, dict[str, Any]]], counts: dict[str, Any]) -> None:
        """Enabled before disabled, then what works, then the newest success; what is equal in all may be either."""
        powens = self.world.powens
        powens.drawn["copies"] += 1

        def rank(real: Real, there: Account) -> tuple[object, ...]:
            works = powens.works(powens.connections[real.connection]) and there.error is None
            success = there.last_update.replace(microsecond=0) if there.last_update else None
            return (not there.disabled, works, success is not None, success)

        ranked = {account["id"]: rank(real, there) for real, there, account in found}
        first = max(ranked.values())
        self.hold(
            ranked[counts["id"]] == first,
            f"of the copies of {found[0][0].name}, the one of {found[0][0].connection} counts: {ranked}",
        )
