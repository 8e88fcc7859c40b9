"""Institutions in the HTTP API: what each can give, why an account is missing, what many users meet."""

from collections.abc import Iterable
from datetime import datetime

from pydantic import RootModel

from shared.contracts.api.bodies import Answered, ReasonView, Url, reason_view
from shared.contracts.events import Timestamp
from shared.contracts.sentences import diagnosis_sentence
from shared.contracts.texts import Language
from shared.domain.catalogue import Catalogue, CatalogueEntry
from shared.domain.connection import AccountType
from shared.domain.diagnosis import Diagnosis, can_be_given
from shared.domain.diagnosis_rules import DiagnosisAnswer, DiagnosisReason
from shared.domain.incidents import Incident
from shared.domain.status import REASONS, NextStep


class DiagnosisView(Answered):
    """Whether accounts can be had, why, and what to do."""

    answer: DiagnosisAnswer
    """Whether an account can be synchronised."""
    reason: DiagnosisReason
    """Why."""
    evidence: tuple[str, ...]
    """Codes of what the answer rests on, some with a value after a colon. For support and not for users; the list may
    grow."""
    message: str
    """What to show to the user, in the language of the request."""
    next_step: NextStep
    """What to offer to the user."""
    retry_at: Timestamp | None
    """When it will be tried again by itself; null when nobody knows or nothing will be."""


class TypeDiagnosisView(DiagnosisView):
    """Why an account of one type is missing."""

    type: AccountType
    """The type of account."""


class TypeDiagnosesView(Answered):
    """Why accounts are missing, for every type."""

    connection_id: str
    """The connection that was looked at."""
    diagnoses: tuple[TypeDiagnosisView, ...]
    """One for each type of account."""


class MissingAccountsView(RootModel[TypeDiagnosisView | TypeDiagnosesView]):
    """Why accounts of one type are missing, or of every type."""


class SourceView(Answered):
    """A part of an institution with accounts of its own, such as one of its web sites."""

    name: str
    """As Powens calls it."""
    disabled: bool
    """Whether Powens has switched it off."""


class TypeProspectView(Answered):
    """Whether an institution can give a type, by the evidence."""

    type: AccountType
    """The type of account."""
    answer: DiagnosisAnswer
    """Whether the institution can give it."""
    evidence: tuple[str, ...]
    """Codes of what the answer rests on."""


class CatalogueInstitutionView(Answered):
    """An institution that can be connected, and what it can give."""

    id: str
    """For wishes; a connection's institution has the same."""
    name: str
    """What users call it."""
    logo_url: Url
    """Its logo, from this API and with the same token."""
    color: str | None
    """Its colour, such as `#0f62fe`; null when nobody knows it."""
    capabilities: tuple[str, ...]
    """What Powens says that it can do, in Powens' words."""
    restricted: bool
    """No new connection can be made."""
    sources: tuple[SourceView, ...]
    """The parts that it has at Powens."""
    account_types: tuple[TypeProspectView, ...]
    """Which types of account it can give, by the evidence."""


class InstitutionList(Answered):
    """Institutions, the best match first."""

    institutions: tuple[CatalogueInstitutionView, ...]
    """As many as were asked for, at the most."""
    refreshed_at: Timestamp | None
    """As of when; null before the first refresh."""
    stale: bool
    """Whether this may be out of date: refreshing has failed for a while."""


class IncidentView(Answered):
    """Many users of one institution meet the same problem at the same time."""

    institution_id: str
    """The institution."""
    reason: ReasonView
    """What they meet."""
    since: Timestamp
    """Since when."""


class IncidentList(Answered):
    """What many users of an institution meet at the same time."""

    incidents: tuple[IncidentView, ...]
    """Those of now."""


def diagnosis_view(diagnosis: Diagnosis, institution: str, language: Language) -> DiagnosisView:
    return DiagnosisView(
        answer=diagnosis.answer,
        reason=diagnosis.reason,
        evidence=diagnosis.evidence,
        message=diagnosis_sentence(diagnosis, institution=institution, kind=None, language=language),
        next_step=diagnosis.next_step,
        retry_at=diagnosis.retry_at,
    )


def type_diagnosis_view(
    diagnosis: Diagnosis, kind: AccountType, institution: str, language: Language
) -> TypeDiagnosisView:
    return TypeDiagnosisView(
        type=kind,
        answer=diagnosis.answer,
        reason=diagnosis.reason,
        evidence=diagnosis.evidence,
        message=diagnosis_sentence(diagnosis, institution=institution, kind=kind, language=language),
        next_step=diagnosis.next_step,
        retry_at=diagnosis.retry_at,
    )


def institution_list(
    entries: Iterable[CatalogueEntry], catalogue: Catalogue | None, *, now: datetime, public_url: str
) -> InstitutionList:
    """`entries` of `catalogue`, in their order."""
    if catalogue is None:
        return InstitutionList(institutions=(), refreshed_at=None, stale=True)
    stale = catalogue.stale(now)
    return InstitutionList(
        institutions=tuple(_catalogue_view(entry, catalogue, stale, public_url) for entry in entries),
        refreshed_at=catalogue.read_at,
        stale=stale,
    )


def _catalogue_view(
    entry: CatalogueEntry, catalogue: Catalogue, stale: bool, public_url: str
) -> CatalogueInstitutionView:
    about = entry.institution
    others = catalogue.given_to_others.get(about.id, frozenset())
    prospects = []
    for kind in AccountType:
        answer, evidence = can_be_given(entry, kind, current=not stale, given_to_others=others)
        prospects.append(TypeProspectView(type=kind, answer=answer, evidence=evidence))
    return CatalogueInstitutionView(
        id=about.id,
        name=about.name,
        logo_url=f"{public_url}/v1/institutions/{about.id}/logo",
        color=about.color,
        capabilities=tuple(sorted(about.capabilities)),
        restricted=entry.restricted,
        sources=tuple(SourceView(name=source.name, disabled=source.disabled) for source in entry.sources),
        account_types=tuple(prospects),
    )


def incident_list(incidents: Iterable[Incident], language: Language) -> IncidentList:
    views = []
    for incident in incidents:
        reason = reason_view(REASONS[incident.reason], language)
        assert reason is not None  # noqa: S101 - it was found by its code
        views.append(IncidentView(institution_id=incident.institution_id, reason=reason, since=incident.since))
    return IncidentList(incidents=tuple(views))
