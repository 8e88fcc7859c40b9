"""The names of the service's metrics. `docs/operating.md` says what each counts, `template.yaml` which have an alarm.

Apart from what writes them, as `powens_webhook` starts without powertools.
"""

from enum import StrEnum


class Metric(StrEnum):
    """A metric of the namespace `SyncedAccounts/<stage>`, by `service`: a count, or seconds where it says so."""

    # every function
    UNEXPECTED_ERRORS = "UnexpectedErrors"
    NEWER_VERSIONS = "NewerVersions"
    # the API
    FAILED_REQUESTS = "FailedRequests"
    # webhooks
    QUEUED_WEBHOOKS = "QueuedWebhooks"
    UNQUEUED_WEBHOOKS = "UnqueuedWebhooks"
    REFUSED_SIGNATURES = "RefusedSignatures"
    MISSING_WEBHOOK_SECRET = "MissingWebhookSecret"  # noqa: S105 - a name
    UNKNOWN_WEBHOOKS = "UnknownWebhooks"
    UNUSABLE_WEBHOOKS = "UnusableWebhooks"
    WEBHOOKS_WITHOUT_USER = "WebhooksWithoutUser"
    # operations
    ENDED_OPERATIONS = "EndedOperations"
    FAILED_OPERATIONS = "FailedOperations"
    TAP_SECONDS = "TapSeconds"  # seconds
    OPEN_OPERATION_SECONDS = "OpenOperationSeconds"  # seconds
    # Powens
    POWENS_REFUSALS = "PowensRefusals"
    POWENS_FORBIDDEN = "PowensForbidden"
    POWENS_THROTTLED = "PowensThrottled"
    UNREADABLE_FIELDS = "UnreadableFields"
    UNKNOWN_STATES = "UnknownStates"
    # reads of a user
    STALENESS = "Staleness"  # seconds
    READS_PUT_OFF = "ReadsPutOff"
    UNKNOWN_POWENS_USERS = "UnknownPowensUsers"
    POWENS_USERS_GONE = "PowensUsersGone"
    ADOPTED_CONNECTIONS = "AdoptedConnections"
    LOST_CONNECTIONS = "LostConnections"
    TOO_LARGE_CONNECTIONS = "TooLargeConnections"
    # the outbox and open screens
    EVENTS_PUBLISHED = "EventsPublished"
    COMMANDS_QUEUED = "CommandsQueued"
    SCREENS_TOLD = "ScreensTold"
    # housekeeping
    OVERDUE_OPERATIONS = "OverdueOperations"
    UNCONFIRMED_CONNECTIONS = "UnconfirmedConnections"
    USERS_PLANNED = "UsersPlanned"
    LATE_ERASURES = "LateErasures"
    RECONCILIATION_LAG = "ReconciliationLag"  # seconds
    OPEN_INCIDENTS = "OpenIncidents"
    # institutions and orphans
    INSTITUTIONS = "Institutions"
    UNREADABLE_INSTITUTIONS = "UnreadableInstitutions"
    WISHES_GRANTED = "WishesGranted"
    ORPHAN_USERS = "OrphanUsers"
    ORPHAN_CHECKS_SKIPPED = "OrphanChecksSkipped"
