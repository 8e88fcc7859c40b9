"""Every setting of the sandbox, in one place.

Each field is set by the environment variable `POWENS_SANDBOX_` + its name in capitals; nothing needs to be set. Most
can also be changed while the sandbox runs, with `PATCH /sandbox/settings` or on the page `/sandbox`. The fields under
"What Powens does not document" are the known unknowns: each default is a guess, each other value is another guess, and
a system that works with Powens has to work with all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, cast

from powens_sandbox.errors import ApiError

PREFIX = "POWENS_SANDBOX_"

type Value = str | int | float | bool | tuple[str, ...]


def _option[T](
    default: T, doc: str, *, choices: tuple[str, ...] = (), fixed: bool = False, low: float = 0, high: float = 10**9
) -> T:
    metadata = {"doc": doc, "choices": choices, "fixed": fixed, "low": low, "high": high}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """The values in force. Frozen: a change makes a new one, so that a request never sees half a change."""

    # The process
    host: str = _option("127.0.0.1", "Address to listen on.", fixed=True)
    port: int = _option(8081, "Port to listen on.", fixed=True, high=65535)
    seed: str = _option("powens", "Same seed, same banks, people and figures.", fixed=True)
    log_entries: int = _option(2000, "How many requests and how many deliveries are remembered.", fixed=True, low=1)
    log_bytes: int = _option(32_000_000, "How many bytes of bodies each of the two logs keeps.", fixed=True, low=1000)
    backlog_entries: int = _option(
        20_000, "How many payloads wait to be sent again; the oldest go first.", fixed=True, low=1
    )

    backlog_bytes: int = _option(
        100_000_000,
        "Bytes of bodies that one webhook's waiting payloads may take; the oldest go first.",
        fixed=True,
        low=1,
    )

    # The client application and its secrets
    client_id: str = _option("10000001", "The client application's id: digits only.", fixed=True)
    client_secret: str = _option("sandbox-client-secret", "The client application's secret.", fixed=True)
    config_token: str = _option("sandbox-config-token", "Token for /config, /webhooks and /webhooks/auth.", fixed=True)
    users_token: str = _option("sandbox-users-token", "Token for GET /users.", fixed=True)
    manage_token: str = _option(
        "sandbox-manage-token", "Manage token: makes the token of /auth/init permanent.", fixed=True
    )
    app_name: str = _option("Application de démonstration", "Name of the client application on the Webview pages.")
    domain: str = _option("", "The only value that the Webview's `domain` may have. Empty: any.")
    redirect_uris: tuple[str, ...] = _option(
        ("http://localhost:8080/v1/webview-return",),
        "Where the Webview may send the user back to, separated by commas.",
    )
    agent: bool = _option(True, "Whether the client may send bank credentials by the API.")

    # Webhooks
    webhook_base_url: str = _option(
        "http://localhost:8080/webhooks/powens",
        "Each event is posted to this URL + / + its name in kebab case. Empty: none is registered.",
        fixed=True,
    )
    webhook_events: tuple[str, ...] = _option(("all",), "Events with a webhook from the start, or `all`.", fixed=True)
    webhook_auth: str = _option(
        "hmac_signature",
        "Authentication of the webhooks that exist from the start.",
        choices=("hmac_signature", "user_token", "oauth", "none"),
        fixed=True,
    )
    webhook_secret: str = _option("sim-secret-0001", "HMAC secret of those webhooks.", fixed=True)
    webhook_oauth_url: str = _option("", "Where a token is fetched when `webhook_auth` is oauth.", fixed=True)
    webhook_gzip: bool = _option(False, "Compress the bodies.")
    webhook_order: str = _option(
        "per_webhook",
        "per_webhook: in order within each event. strict: one at a time over all. shuffled: any order.",
        choices=("per_webhook", "strict", "shuffled"),
    )
    webhook_shuffle_window: float = _option(0.5, "Seconds within which shuffled deliveries are spread.")
    webhook_delay: float = _option(0.0, "Seconds before the first attempt.")
    webhook_duplicates: float = _option(0.0, "Probability that an accepted payload is sent once more.", high=1)
    webhook_loss: float = _option(0.0, "Probability that a payload is never sent.", high=1)
    first_sync_transactions: int = _option(
        40,
        "Transactions of an account. The first CONNECTION_SYNCED holds them all: 20000 make it several megabytes.",
        high=200_000,
    )

    # Synchronisation
    sync_delay: float = _option(0.3, "Seconds between a choice of accounts and the synchronisation that follows.")
    background_sync_hours: float = _option(
        24.0, "Hours between two synchronisations that nobody asked for.", low=0.001, high=100_000
    )
    forced_sync: str = _option(
        "recent",
        "A forced synchronisation is refused with 409 when the last one is recent, always, or never.",
        choices=("recent", "refused", "accepted"),
    )
    forced_sync_interval: float = _option(60.0, "Seconds that count as recent.")
    forced_sync_seconds: float = _option(
        2.0,
        "Seconds that a forced synchronisation takes before it is answered, unless `background` is given. It ends even "
        "when the caller has hung up; another one meanwhile is refused.",
        high=3600,
    )
    consent_days: int = _option(180, "Days until the consent given at the bank ends.", high=36_500)
    temporary_seconds: int = _option(
        1800, "Life of temporary tokens and codes, and of users without a permanent token."
    )

    # What Powens does not document
    webhook_timeout: float = _option(10.0, "Seconds to wait for the consumer.", low=0.05)
    webhook_retry_interval: float = _option(60.0, "Seconds between two runs of the flusher.", low=0.05)
    webhook_date: str = _option(
        "attempt",
        "Date that is signed when a payload is sent again: of this attempt, or of the first one.",
        choices=("attempt", "original"),
    )
    webhook_gzip_signature: str = _option(
        "compressed", "Bytes that are signed when the body is compressed.", choices=("compressed", "plain")
    )
    webhook_gzip_arrival: str = _option(
        "compressed",
        "What arrives of a compressed body: its bytes as sent, or the text, inflated by a host on the way that leaves "
        "`content-encoding: gzip` on. Only a `plain` signature can be checked then.",
        choices=("compressed", "inflated"),
    )
    webhook_signed_path: str = _option(
        "path", "Whether a query string of the URL is part of the signed text.", choices=("path", "path_and_query")
    )
    webhook_token: str = _option(
        "latest", "Which of a user's tokens a webhook with token authentication carries.", choices=("latest", "first")
    )
    webhook_data_ids: str = _option("increasing", "Whether id_webhook_data grows.", choices=("increasing", "random"))
    choice_events: str = _option(
        "accounts_then_sync",
        "After accounts are ticked or unticked: their own events at once and then a synchronisation, only the "
        "synchronisation, only their own events, or their own events after the synchronisation.",
        choices=("accounts_then_sync", "sync_only", "accounts_only", "sync_then_accounts"),
    )
    connect_events: str = _option(
        "found_enabled_sync",
        "Events of a new connection: all of them, without ACCOUNT_FOUND, or only the synchronisation.",
        choices=("found_enabled_sync", "enabled_sync", "sync_only"),
    )
    connection_deleted_events: str = _option(
        "connection",
        "Events of a deleted connection: CONNECTION_DELETED, or ACCOUNT_DISABLED for each account before it.",
        choices=("connection", "accounts_and_connection"),
    )
    user_deleted_events: str = _option(
        "user",
        "Events of a deleted user: USER_DELETED, or CONNECTION_DELETED for each connection before it.",
        choices=("user", "connections_and_user"),
    )
    disabled_account_fields: str = _option(
        "named",
        "What is known of a disabled account: its name; also number, type and currency; also IBAN and balance.",
        choices=("minimal", "named", "full"),
    )
    multi_update_answer: str = _option(
        "envelope", "Answer to an update of several accounts.", choices=("envelope", "list", "always_envelope")
    )
    reenabled_transactions: str = _option(
        "new_ids",
        "Ids of an account's transactions after it was disabled and enabled again.",
        choices=("new_ids", "same_ids"),
    )
    spent_code: str = _option(
        "redirect",
        "A code that is unknown, too old or spent: back to redirect_uri with session_expired, or an error page.",
        choices=("redirect", "page"),
    )
    manage_callback: str = _option(
        "state",
        "What `manage` adds to redirect_uri: state; also connection_id and, after a removal, connection_deleted.",
        choices=("state", "connection"),
    )
    connect_callback: str = _option(
        "both",
        "With max_connections above 1: connection_id and connection_ids, or connection_ids alone.",
        choices=("both", "ids_only"),
    )
    cancelled_connect: str = _option(
        "removed",
        "What becomes of the connection when the user cancels after the credentials.",
        choices=("removed", "kept"),
    )
    preticked_accounts: bool = _option(True, "Whether the accounts of a new connection are ticked beforehand.")
    missing_language: str = _option(
        "redirect",
        "A Webview address without language: a redirect (302) to the same address with the browser's language, 503, or "
        "the visit begins at once in that language.",
        choices=("redirect", "unavailable", "browser"),
    )
    locked_during_sync: bool = _option(
        False, "Whether a connection refuses changes (409) until its synchronisation ended."
    )
    locked_status: int = _option(409, "Status of connectionLocked.", low=400, high=599)
    bad_token_status: int = _option(401, "Status for a token that is unknown or revoked.", low=400, high=499)
    bad_token_code: str = _option("unauthorized", "Code for a token that is unknown or revoked.")
    gone_user_status: str = _option(
        "400",
        "Status of /auth/renew for a user that is gone: invalidValue, forbidden, notFound or conflict.",
        choices=("400", "403", "404", "409"),
    )
    forbidden: str = _option(
        "nothing",
        "What a user's token, good as it is, may not do (403): change accounts, read accounts and connections, or "
        "anything below /users.",
        choices=("nothing", "updates", "reads", "everything"),
    )
    access_token_key: str = _option(
        "access_token",
        "Name of the token in the answers of /auth/token/access and /auth/renew.",
        choices=("access_token", "token"),
    )
    rate_limit: int = _option(
        0, "Calls that the API answers in each `rate_limit_seconds`; 0: no limit. Powens' own sandbox: 30."
    )
    rate_limit_seconds: float = _option(
        60.0, "Seconds over which calls are counted. Powens names a minute and a day, which do not agree.", low=0.1
    )
    rate_limit_code: str = _option("tooManyRequests", "Code of the 429.")
    no_account_status: int = _option(409, "Status of noAccount.", low=400, high=499)
    no_account_on_list: bool = _option(False, "Whether the list of accounts too is refused when none is enabled.")
    delete_connection_answer: str = _option(
        "204", "Answer to the deletion of a connection: nothing, or the connection.", choices=("204", "200")
    )
    naive_timezone: str = _option(
        "Europe/Paris", "Time zone of the date-times, which carry none.", choices=("Europe/Paris", "UTC")
    )
    datetime_form: str = _option(
        "naive",
        "Whether the date-times of accounts carry an offset, as seen with some banks.",
        choices=("naive", "offset"),
    )
    empty_dates: str = _option(
        "null",
        "How a date-time that is not there is written: null, 0000-00-00 00:00:00 or an empty text. An account's "
        "`disabled` is always null when it is ticked.",
        choices=("null", "zero", "empty"),
    )
    shared_ibans: str = _option(
        "all",
        "Accounts without an IBAN of their own that carry the current account's: none, its cards, or all of them "
        "(cards, savings, vaults).",
        choices=("none", "cards", "all"),
    )
    account_numbers: str = _option(
        "by_bank",
        "Account numbers: as each bank gives them, or at every bank its own one for each account, only the last four "
        "digits, or one filler for all.",
        choices=("by_bank", "own", "masked", "filler"),
    )
    account_type_form: str = _option("name", "Form of an account's type.", choices=("name", "object"))
    source_account_types: bool = _option(
        True, "Whether connectors and their sources name the types of accounts that they share."
    )
    connector_form: str = _option(
        "live",
        "Connectors as seen live, with upper-case usages and `stability`; or as documented.",
        choices=("live", "documented"),
    )
    currency_form: str = _option("object", "Form of an account's currency.", choices=("object", "code"))
    source_form: str = _option(
        "flat",
        "Whether name, priority and auth_mechanism of a connection's source are nested under `source`.",
        choices=("flat", "nested"),
    )
    webauth_address: bool = _option(
        True,
        "Whether a connection in webauthRequired shows the bank's short-lived address in `error_message` and the end "
        "of it in `expire`.",
    )
    linked_lists: str = _option(
        "transactions",
        "Lists with paging links: transactions, where they are documented, or all. The others have `total` and are "
        "paged by `offset`.",
        choices=("transactions", "all"),
    )
    links_key: str = _option("_links", "Name of the paging links.", choices=("_links", "_link"))
    list_cap: int = _option(1000, "Items in a list asked for without `limit`; 0: all.", high=1000)
    unknown_filters: str = _option(
        "refused",
        "A query parameter that the list of transactions does not know: 400, or as if it were not there.",
        choices=("refused", "ignored"),
    )
    psu_sync_needs_sca: bool = _option(False, "Whether a forced synchronisation asks the user to authenticate again.")

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> "Settings":
        """Raises ApiError that names the variable when a value cannot be used."""
        given = {
            item.name: environment[PREFIX + item.name.upper()]
            for item in fields(cls)
            if PREFIX + item.name.upper() in environment
        }
        return cls().changed(given, starting=True)

    def changed(self, wanted: Mapping[str, object], *, starting: bool = False) -> "Settings":
        """Raises ApiError 400 for an unknown name, a value that does not fit, or one fixed at the start."""
        known = {item.name: item for item in fields(self)}
        changes: dict[str, Value] = {}
        for name, value in wanted.items():
            if name not in known:
                raise ApiError(400, "invalidValue", f"There is no setting {name[:60]!r}")
            metadata = known[name].metadata
            if metadata["fixed"] and not starting:
                raise ApiError(400, "invalidValue", f"{name} is fixed when the sandbox starts")
            changes[name] = _converted(name, value, getattr(self, name), metadata)
        return replace(self, **cast(dict[str, Any], changes))

    def described(self) -> list[dict[str, object]]:
        """One entry per setting for people: name, value, default, choices, what it does, whether it is fixed."""
        secret = {"client_secret", "config_token", "users_token", "manage_token", "webhook_secret"}
        return [
            {
                "name": item.name,
                "value": "***" if item.name in secret else getattr(self, item.name),
                "default": "***" if item.name in secret else item.default,
                "choices": list(item.metadata["choices"]),
                "fixed": item.metadata["fixed"],
                "doc": item.metadata["doc"],
            }
            for item in fields(self)
        ]


def _converted(name: str, value: object, like: Value, metadata: Mapping[str, Any]) -> Value:
    wrong = ApiError(400, "invalidValue", f"The value of the setting {name} does not fit")
    match like:
        case bool():
            text = str(value).lower()
            if text not in {"true", "false", "1", "0", "yes", "no", "on", "off"}:
                raise wrong
            return text in {"true", "1", "yes", "on"}
        case int() | float():
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise wrong
            try:
                number = type(like)(value)
            except (ValueError, OverflowError) as error:
                raise wrong from error
            if not metadata["low"] <= number <= metadata["high"]:
                raise wrong
            return number
        case tuple():
            items = value.split(",") if isinstance(value, str) else value
            if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
                raise wrong
            return tuple(item.strip() for item in items if item.strip())
        case _:
            if not isinstance(value, str) or (metadata["choices"] and value not in metadata["choices"]):
                raise wrong
            return value
