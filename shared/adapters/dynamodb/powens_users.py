"""Who each user is at Powens: made once, renewed, read back at its time, and found by the id at Powens (ADR 0005)."""

from datetime import datetime

from shared.adapters.dynamodb.keys import due_items, instant, powens_user_key, profile_key, shard_of, user_of
from shared.adapters.dynamodb.table import Item, Table, Value, Write, check, delete, put, update
from shared.application.ports import Clock, PowensAccess
from shared.domain.erasure import Erasure
from shared.domain.errors import UserBeingErased


def not_erased(user_id: str, powens_user_id: int | None = None) -> Write:
    """A condition: the user is not being erased, and is this Powens user if one is named."""
    condition, values = "attribute_not_exists(erasure_id)", dict[str, Value]()
    if powens_user_id is not None:
        condition, values = f"{condition} AND powens_user_id = :same", {"same": powens_user_id}
    return check(profile_key(user_id), condition, otherwise=UserBeingErased, **values)


def access_of(item: Item) -> PowensAccess:
    def time(name: str) -> datetime | None:
        return datetime.fromisoformat(item[name]) if name in item else None

    return PowensAccess(
        user_id=user_of(item),
        powens_user_id=int(item["powens_user_id"]) if "powens_user_id" in item else None,
        sealed_token=item.get("sealed_token"),
        reconcile_at=time("due_sk"),
        # Code of before moved `due_sk` alone, and meant a read.
        only_look="due_sk" in item and item.get("look_at") == item["due_sk"],
        listed_at=time("listed_at"),
        back_at=time("back_at"),
        renewing_until=time("renewing_until"),
        erasure=Erasure(
            id=item["erasure_id"],
            requested_at=datetime.fromisoformat(item["erasure_requested_at"]),
            correlation_id=item["erasure_correlation_id"],
        )
        if "erasure_id" in item
        else None,
    )


class DynamoDBPowensUsers:
    """The ports `PowensUserStore`, `TokenStore`, `KnownPowensUsers` and `ReconciliationPlan`."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self.table = table
        self.clock = clock

    def access(self, user_id: str) -> PowensAccess | None:
        item = self.table.get(profile_key(user_id))
        return access_of(item) if item else None

    def user_of(self, powens_user_id: int) -> str | None:
        item = self.table.get(powens_user_key(powens_user_id))
        return str(item["user_id"]) if item else None

    # --- becoming a user at Powens

    def claim_access(self, user_id: str, *, by: str, now: datetime, until: datetime) -> bool:
        return self.table.attempt(
            update(
                profile_key(user_id),
                "SET claimed_by = :by, claimed_until = :until",
                "attribute_not_exists(sealed_token) AND attribute_not_exists(erasure_id) AND "
                "(attribute_not_exists(claimed_until) OR claimed_until < :now)",
                by=by,
                until=instant(until),
                now=instant(now),
            )
        )

    def release_access(self, user_id: str, *, by: str) -> None:
        self.table.write(update(profile_key(user_id), "REMOVE claimed_by, claimed_until", "claimed_by = :by", by=by))

    def note_powens_user(self, user_id: str, powens_user_id: int, *, by: str, instead_of: int | None = None) -> None:
        values: dict[str, Value] = {"by": by, "powens": powens_user_id}
        # The claim may have been given back and taken again since the caller looked: nobody may be written over.
        noted = "attribute_not_exists(powens_user_id)"
        if instead_of is not None:
            noted, values["instead"] = "powens_user_id = :instead", instead_of
        writes = [
            update(profile_key(user_id), "SET powens_user_id = :powens", f"claimed_by = :by AND {noted}", **values),
            put({**powens_user_key(powens_user_id), "user_id": user_id}),
        ]
        if instead_of is not None:
            writes.append(delete(powens_user_key(instead_of)))
        self.table.transact(writes)

    def complete_access(self, user_id: str, sealed_token: bytes, *, by: str, reconcile_at: datetime) -> None:
        self.table.write(
            update(
                profile_key(user_id),
                "SET sealed_token = :token, due_pk = :shard, due_sk = :at REMOVE claimed_by, claimed_until",
                "claimed_by = :by",
                token=sealed_token,
                by=by,
                shard=f"RECONCILE#{shard_of(user_id)}",
                at=instant(reconcile_at),
            )
        )

    def forget_access(self, access: PowensAccess) -> None:
        assert access.powens_user_id is not None  # noqa: S101 - it is who is gone
        gone = access.powens_user_id
        condition = "powens_user_id = :gone AND attribute_not_exists(erasure_id)"
        self.table.transact([delete(profile_key(access.user_id), condition, gone=gone), delete(powens_user_key(gone))])

    # --- the token

    def replace_token(self, user_id: str, sealed_token: bytes, *, powens_user_id: int) -> None:
        self.table.write(
            update(
                profile_key(user_id),
                "SET sealed_token = :token, renewed_before = if_not_exists(renewed_at, :never),"
                " renewed_at = :now REMOVE renewing_until",
                "powens_user_id = :same",
                token=sealed_token,
                now=instant(self.clock()),
                never="",
                same=powens_user_id,
            )
        )

    def claim_renewal(
        self, user_id: str, *, powens_user_id: int, now: datetime, until: datetime, since: datetime
    ) -> bool:
        return self.table.attempt(
            update(
                profile_key(user_id),
                "SET renewing_until = :until",
                "powens_user_id = :same"
                " AND (attribute_not_exists(renewed_before) OR renewed_before < :since)"
                " AND (attribute_not_exists(renewing_until) OR renewing_until < :now)",
                now=instant(now),
                until=instant(until),
                since=instant(since),
                same=powens_user_id,
            )
        )

    def release_renewal(self, user_id: str, *, until: datetime) -> None:
        self.table.attempt(
            update(profile_key(user_id), "REMOVE renewing_until", "renewing_until = :until", until=instant(until))
        )

    # --- when the user is read back next

    def due_accesses(self, now: datetime, *, limit: int) -> list[PowensAccess]:
        return [access_of(item) for item in due_items(self.table, "RECONCILE", now, limit)]

    def look_at(self, access: PowensAccess, at: datetime, *, listed_at: datetime | None) -> bool:
        assert access.reconcile_at is not None  # noqa: S101 - nobody else is looked at
        values: dict[str, Value] = {"at": instant(at), "seen": instant(access.reconcile_at)}
        change = "SET due_sk = :at, look_at = :at"
        if listed_at is not None:
            change, values["listed"] = f"{change}, listed_at = :listed", instant(listed_at)
        return self.table.attempt(update(profile_key(access.user_id), change, "due_sk = :seen", **values))

    def bring_forward(self, user_id: str, at: datetime) -> None:
        # A mere look that comes before is none the worse for coming when Powens may be asked again, as a read.
        condition = "(due_sk > :at OR attribute_exists(look_at)) AND attribute_not_exists(erasure_id)"
        self.table.attempt(update(profile_key(user_id), "SET due_sk = :at REMOVE look_at", condition, at=instant(at)))

    def expect_back(self, user_id: str, at: datetime) -> None:
        def noted(change: str, planned: str) -> bool:
            condition = f"{planned} AND attribute_not_exists(erasure_id)"
            return self.table.attempt(update(profile_key(user_id), change, condition, at=instant(at)))

        # A look finds out that somebody should be back.
        if not noted("SET back_at = :at, due_sk = :at, look_at = :at", "due_sk > :at"):
            noted("SET back_at = :at", "attribute_exists(due_sk)")
