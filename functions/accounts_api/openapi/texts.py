"""What the OpenAPI document says beside what routes and models say of themselves."""

ABOUT = """\
The accounts that a user has at banks and other institutions, connected through Powens: which of them are synchronised,
how fresh they are, and what the user wants of them.

**Who asks.** A bearer token (JWT) names the user in `sub`. Nothing of another user is ever shown: it is not found.

**Reading.** `GET /v1/connections` is everything in one answer; keep its `ETag` and send it as `If-None-Match`.

**Changing.** What Powens has to do takes a while and is answered with `202` and an operation: look at `Location` again
after `Retry-After` seconds, until `ended_at` is set. Each change takes an `Idempotency-Key`: with the same key, a
request can be repeated safely. `If-Match` refuses a choice that was made on a list that has changed since.

**Connecting.** A new connection shows once its user has confirmed it by the `return_code` that the way back from the
Powens space brings: `POST /v1/webview-confirmations`. Nobody else can, and what is not confirmed in time is ended.

**Problems.** Every refusal is a problem (RFC 9457) with a stable `code`; each operation has an example of each of its
codes, and docs/errors.md says of all of them who must act and whether to try again. Expect more codes than are listed.
What API Gateway refuses by itself is not a problem but a `message`.

**Forms.** Times are RFC 3339 in UTC. Amounts are decimal strings. `message` and `detail` are in the language of
`Accept-Language`, French or English. Members, values of lists and codes are only added: pass over what is not known.
"""

CONTACT = "Whoever operates this deployment; quote the `request_id`"

TAGS = {
    "connections": "Accesses of the user to institutions, and which of their accounts are synchronised.",
    "accounts": "Synchronised and manual accounts, their balances, and which of them are joined.",
    "operations": "What was asked for and takes a while.",
    "webview": "The way into the Powens space.",
    "institutions": "What can be connected, and what is wrong there now.",
    "wishes": "What the user waits for.",
    "me": "All that is held about the user.",
    "service": "The API itself. No token is needed.",
}

BEARER = "The user's access token, a JWT of the configured issuer, for this API's audience."

PROBLEMS = {
    400: "The body is not JSON.",
    401: "The token is missing, not ours, or names nobody.",
    403: "The token was not given the scope that this needs.",
    404: "No such thing, or not this user's.",
    409: "The thing is in a state in which this cannot be done.",
    412: "`If-Match` names a revision that is no longer the current one.",
    413: "The body is larger than 256 kB.",
    422: "The request breaks a rule.",
    429: "Too many requests at once, refused by API Gateway. Try again a little later.",
    500: "A bug of ours.",
    502: "Powens refused what it was asked.",
    503: "Not now; `Retry-After` says when.",
}

HEADERS = {
    "Content-Disposition": {"description": "Suggests a file name.", "schema": {"type": "string"}},
    "ETag": {
        "description": "Names this state of the answer, for `If-None-Match` or `If-Match`.",
        "schema": {"type": "string"},
    },
    "Location": {
        "description": "The path of what was made.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Retry-After": {
        "description": "Seconds to wait before the next try. Of an operation: while it is open.",
        "schema": {"type": "integer"},
    },
}

ACCEPT_LANGUAGE = "The language of texts for people: `fr` or `en`, French when neither is asked for."

VALUES = {
    "AccountStatus": {
        "enabled": "It counts and is synchronised.",
        "disabled": "It is not synchronised.",
        "enabling": "It was chosen, and Powens does not show it yet.",
        "disabling": "It was given up, and Powens still shows it.",
        "closed_at_bank": "The institution no longer shows it.",
        "failed": "A choice could not be carried out.",
    },
    "AccountType": {
        "checking": "A current account.",
        "card": "A card with a balance of its own.",
        "savings": "A savings account.",
        "securities": "A securities account or PEA.",
        "life_insurance": "Life insurance or a pension plan.",
        "employee_savings": "An employee savings plan.",
        "loan": "A loan.",
        "crypto": "A wallet of a crypto-asset.",
        "other": "Anything else.",
    },
    "Cause": {
        "user": "The user, in our app.",
        "webview": "Somebody in the Powens space.",
        "bank": "The institution or Powens.",
        "reconciliation": "A read on schedule found out.",
        "erasure": "The user's data is being erased.",
    },
    "Change": {
        "added": "It was seen for the first time.",
        "enabled": "It is synchronised from now on.",
        "disabled": "It is no longer synchronised.",
        "closed": "The institution no longer shows it.",
        "renamed": "It has another name.",
        "refreshed": "Its balance is another.",
        "removed": "It is gone, or belongs to another connection.",
    },
    "ConnectionStatus": {
        "ok": "It works.",
        "syncing": "Data is being fetched.",
        "action_required": "The user must act.",
        "waiting": "It will go on by itself.",
        "failed": "It will not go on by itself.",
    },
    "DiagnosisAnswer": {
        "yes": "The evidence says that it can.",
        "no": "The evidence says that it cannot.",
        "unknown": "The evidence does not say.",
    },
    "DiagnosisReason": {
        "type_not_supported": "Powens does not give this type there.",
        "temporary_problem": "Nobody can know for now.",
        "needs_user_action": "The user must act first.",
        "hidden_by_user": "It is there, and not enabled.",
        "already_added": "It is synchronised.",
        "not_shared_at_bank": "The institution shows none.",
        "unknown": "Nothing tells.",
    },
    "Freshness": {
        "fresh": "At most 26 hours old.",
        "ageing": "At most 72 hours old.",
        "stale": "Older.",
        "never": "There is no data.",
    },
    "ItemStatus": {
        "pending": "Powens has not been seen to follow.",
        "done": "It is as it was wanted.",
        "failed": "It could not be done.",
        "superseded": "A newer choice took its place.",
        "needs_user": "Only the user can do it, in the Powens space.",
    },
    "NextStep": {
        "manage": "Open the Powens space to change the connection.",
        "reconnect": "Open the Powens space to restore the connection.",
        "wait": "There is nothing to do.",
        "add_manually": "Add a manual account.",
        "none": "There is nothing to offer.",
    },
    "OperationKind": {
        "selection": "Accounts are enabled or disabled.",
        "restoration": "Ours: puts right what Powens undid.",
        "refresh": "Fresh data.",
        "deletion": "A connection ends.",
        "erasure": "The user's data is erased.",
    },
    "OperationStatus": {
        "pending": "Nothing has been done yet.",
        "running": "It is being carried out.",
        "completed": "All of it is done.",
        "partially_completed": "Some of it is done, and the rest will not be.",
        "needs_user": "Only the user can go on, in the Powens space.",
        "failed": "It could not be done.",
        "timed_out": "Its deadline passed.",
    },
    "Who": {
        "user": "The user.",
        "bank": "The institution.",
        "powens": "Powens.",
        "us": "Our operators.",
        "nobody": "Nobody: it is well, or goes on by itself.",
    },
}
"""What each value means, by the name of its schema."""

MESSAGE = {
    "type": "object",
    "title": "GatewayMessage",
    "description": "What API Gateway answers by itself, before the API is asked.",
    "required": ["message"],
    "properties": {"message": {"type": "string", "description": "In English, and not for users."}},
}
MESSAGES = {
    401: "Unauthorized",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
"""What it says, by status."""
