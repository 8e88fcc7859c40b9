"""Institutions in the HTTP API: what each can give, why an account is missing, what many users meet."""

from collections.abc import Iterable
from datetime import datetime

from pydantic import Field

from shared.contracts.api.bodies import Answered, ReasonView, reason_view
from shared.contracts.events import Timestamp
from shared.contracts.sentences import diagnosis_sentence
from shared.contracts.texts import Language
from shared.domain.catalogue import Catalogue, CatalogueEntry
from shared.domain.connection import AccountType
from shared.domain.diagnosis import Diagnosis, DiagnosisAnswer, DiagnosisReason, can_be_given
from shared.domain.incidents import Incident
from shared.domain.status import REASONS, NextStep


class DiagnosisView(Answered):
    answer: DiagnosisAnswer
    reason: DiagnosisReason
    evidence: tuple[str, ...]
    message: str
    next_step: NextStep
    retry_at: Timestamp | None


class TypeDiagnosisView(DiagnosisView):
    """Why an account of one type is missing."""

    type: AccountType


class TypeDiagnosesView(Answered):
    connection_id: str
    diagnoses: tuple[TypeDiagnosisView, ...]


class SourceView(Answered):
    name: str
    disabled: bool


class TypeProspectView(Answered):
    """Whether an institution can give a type, by the evidence."""

    type: AccountType
    answer: DiagnosisAnswer
    evidence: tuple[str, ...]


class CatalogueInstitutionView(Answered):
    id: str
    name: str
    logo_url: str
    color: str | None
    capabilities: tuple[str, ...]
    restricted: bool = Field(description="no new connection can be made")
    sources: tuple[SourceView, ...]
    account_types: tuple[TypeProspectView, ...]


class InstitutionList(Answered):
    institutions: tuple[CatalogueInstitutionView, ...]
    refreshed_at: Timestamp | None = Field(description="as of when; null before the first refresh")
    stale: bool


class IncidentView(Answered):
    institution_id: str
    reason: ReasonView
    since: Timestamp


class IncidentList(Answered):
    incidents: tuple[IncidentView, ...]


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
