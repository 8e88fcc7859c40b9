"""What needs more than a text: a diagnosis, and the age of data, in French and English."""

from datetime import datetime, timedelta

from shared.contracts.texts import Language, text, unbroken
from shared.domain.connection import AccountType, Operation
from shared.domain.diagnosis import Diagnosis, DiagnosisReason
from shared.domain.status import REASONS

# The runtime image has no French locale.
_MONTHS = (
    ("janvier", "January"), ("février", "February"), ("mars", "March"), ("avril", "April"), ("mai", "May"),
    ("juin", "June"), ("juillet", "July"), ("août", "August"), ("septembre", "September"), ("octobre", "October"),
    ("novembre", "November"), ("décembre", "December"),
)  # fmt: skip

TYPE_NAMES: dict[AccountType, tuple[str, str]] = {
    AccountType.CHECKING: ("compte courant", "current account"),
    AccountType.CARD: ("carte", "card"),
    AccountType.SAVINGS: ("livret ou compte d'épargne", "savings account"),
    AccountType.SECURITIES: ("compte-titres ou PEA", "securities account or PEA"),
    AccountType.LIFE_INSURANCE: ("assurance vie ou épargne retraite", "life insurance or pension plan"),
    AccountType.EMPLOYEE_SAVINGS: ("épargne salariale", "employee savings plan"),
    AccountType.LOAN: ("prêt", "loan"),
    AccountType.CRYPTO: ("portefeuille crypto", "crypto wallet"),
    AccountType.OTHER: ("autre compte", "other account"),
}

SENTENCES: dict[str, tuple[str, str]] = {
    "type_not_supported": (
        (
            "Powens ne sait pas récupérer ce type de compte ({type}) chez {institution}. Vous pouvez ajouter le "
            "compte à la main."
        ),
        "Powens cannot fetch this type of account ({type}) from {institution}. You can add the account by hand.",
    ),
    "temporary_problem": (
        "{because} Tant que cela dure, nous ne pouvons pas savoir si {institution} donne ce compte ({type}). {retry}",
        "{because} While that lasts we cannot know whether {institution} gives this account ({type}). {retry}",
    ),
    "needs_user_action": (
        "{because} Ensuite, nous verrons si {institution} donne ce compte ({type}).",
        "{because} Then we shall see whether {institution} gives this account ({type}).",
    ),
    "needs_user_action.source_not_added": (
        (
            "Chez {institution}, ce type de compte ({type}) passe par un autre accès, que vous n'avez pas encore "
            "ajouté. Ouvrez l'espace Powens et choisissez « Connecter d'autres comptes »."
        ),
        (
            "At {institution} this type of account ({type}) comes through another access, which you have not "
            "added yet. Open the Powens space and choose to connect more accounts."
        ),
    ),
    "needs_user_action.source_may_be_added": (
        (
            "Chez {institution}, ce type de compte ({type}) viendrait d'un autre accès, que vous n'avez pas encore "
            "ajouté. Dans l'espace Powens, « Connecter d'autres comptes » dira s'il est proposé."
        ),
        (
            "At {institution} this type of account ({type}) would come through another access, which you have not "
            "added yet. In the Powens space, connecting more accounts will tell whether it is offered."
        ),
    ),
    "needs_user_action.account_refused": (
        (
            "{institution} donne ce compte ({type}), mais Powens n'a pas pu l'activer. Ouvrez l'espace Powens et "
            "cochez-le à nouveau."
        ),
        (
            "{institution} gives this account ({type}), but Powens could not enable it. Open the Powens space and"
            " tick it again."
        ),
    ),
    "hidden_by_user": (
        "{institution} donne ce compte ({type}), mais il n'est pas coché. Cochez-le pour le synchroniser.",
        "{institution} gives this account ({type}), but it is not ticked. Tick it to synchronise it.",
    ),
    "already_added": (
        "Ce compte ({type}) de {institution} est déjà synchronisé.",
        "This account ({type}) of {institution} is already synchronised.",
    ),
    "not_shared_at_bank.gone": (
        (
            "{institution} a donné ce compte ({type}) et ne le montre plus. S'il existe toujours, vérifiez dans "
            "l'espace Powens que vous le partagez."
        ),
        (
            "{institution} gave this account ({type}) and no longer shows it. If it still exists, check in the "
            "Powens space that you share it."
        ),
    ),
    "not_shared_at_bank.never_shown": (
        (
            "Powens sait récupérer ce type de compte ({type}) chez {institution}, mais votre banque n'en montre "
            "aucun à votre nom. Si vous en avez un, ouvrez l'espace Powens pour vérifier que vous le partagez."
        ),
        (
            "Powens can fetch this type of account ({type}) from {institution}, but your bank shows none of "
            "yours. If you have one, open the Powens space to check that you share it."
        ),
    ),
    "unknown": (
        (
            "Rien ne permet de dire si {institution} donne ce type de compte ({type}). L'espace Powens propose "
            "peut-être d'autres comptes."
        ),
        (
            "Nothing tells whether {institution} gives this type of account ({type}). The Powens space may offer "
            "more accounts."
        ),
    ),
    "unknown.not_synchronised_lately": (
        (
            "{institution} n'a pas été synchronisé depuis plusieurs jours : nous ne pouvons pas savoir si ce "
            "compte ({type}) est donné. Vérifiez dans l'espace Powens."
        ),
        (
            "{institution} has not been synchronised for days, so we cannot know whether this account ({type}) is"
            " given. Check in the Powens space."
        ),
    ),
    "unknown.first_synchronisation_overdue": (
        (
            "La première synchronisation de {institution} n'a toujours pas abouti : nous ne pouvons pas savoir si ce "
            "compte ({type}) est donné. Vérifiez dans l'espace Powens."
        ),
        (
            "The first synchronisation of {institution} has still not ended, so we cannot know whether this account "
            "({type}) is given. Check in the Powens space."
        ),
    ),
    "unknown.not_supported": (
        (
            "Powens ne gère pas cet accès à {institution}, et rien ne dit si ce type de compte ({type}) viendra. "
            "Vous pouvez ajouter le compte à la main."
        ),
        (
            "Powens does not support this access to {institution}, and nothing tells whether this type of account"
            " ({type}) will come. You can add the account by hand."
        ),
    ),
    "unknown.unknown_problem": (
        (
            "La synchronisation de {institution} rencontre un problème inconnu : nous ne pouvons pas savoir si ce"
            " compte ({type}) est donné. Nous l'examinons."
        ),
        (
            "The synchronisation of {institution} has an unknown problem, so we cannot know whether this account "
            "({type}) is given. We are looking into it."
        ),
    ),
}
"""By reason, and by reason and cause where the cause has its own sentence."""

_RETRY = ("Prochain essai automatique : {at}.", "The next try is automatic: {at}.")
_RETRY_SOME_TIME = (
    "Un nouvel essai a lieu automatiquement, au plus tard sous 24 heures en général.",
    "It is tried again automatically, usually within 24 hours.",
)


def diagnosis_sentence(diagnosis: Diagnosis, *, institution: str, kind: AccountType | None, language: Language) -> str:
    """What to tell the user; for `kind` None, about accounts in general."""
    if kind is None:
        return text(f"diagnosis.{diagnosis.reason.value}", language)
    pick = 0 if language == "fr" else 1
    own = f"{diagnosis.reason.value}.{diagnosis.cause}"
    because = text(diagnosis.cause, language) if diagnosis.cause in REASONS else ""
    sentence = SENTENCES[own if own in SENTENCES else diagnosis.reason.value][pick].format(
        institution=institution or ("votre établissement", "your institution")[pick],
        type=TYPE_NAMES[kind][pick],
        because=because,
        retry=_retry(diagnosis, pick) if diagnosis.reason is DiagnosisReason.TEMPORARY_PROBLEM else "",
    )
    sentence = sentence.strip()
    return unbroken(sentence) if language == "fr" else sentence


_REFUSED_REFRESH = (
    (
        "Powens n'accepte pas d'actualisation pour le moment. Vos données datent d'il y a {age}. La prochaine "
        "actualisation aura lieu automatiquement."
    ),
    "Powens accepts no refresh for now. Your data is {age} old. The next refresh happens automatically.",
)
_UNITS = (
    (2, timedelta(days=1), ("jours", "days")),
    (2, timedelta(hours=1), ("heures", "hours")),
    (1, timedelta(hours=1), ("heure", "hour")),
    (2, timedelta(minutes=1), ("minutes", "minutes")),
)
"""From how many on, of which unit."""


def refused_refresh_sentence(operation: Operation, language: Language) -> str:
    """What to tell about a refresh that Powens declined, with the age of the data there is, when it is known."""
    if operation.last_success_at is None or operation.ended_at is None:
        return text("refresh_refused", language)
    pick = 0 if language == "fr" else 1
    return _REFUSED_REFRESH[pick].format(age=_age(operation.ended_at - operation.last_success_at, pick))


def _age(age: timedelta, pick: int) -> str:
    """Rounded down: 31 minutes, 1 hour, 25 hours, 2 days. A refused refresh is never about less than some minutes."""
    _, unit, names = next((named for named in _UNITS if age >= named[0] * named[1]), _UNITS[-1])
    return f"{age // unit} {names[pick]}"


def _retry(diagnosis: Diagnosis, pick: int) -> str:
    if diagnosis.retry_at is None:
        return _RETRY_SOME_TIME[pick]
    return _RETRY[pick].format(at=_moment(diagnosis.retry_at, pick))


def _moment(at: datetime, pick: int) -> str:
    """In the wall time of France, where the banks are; `retry_at` beside it is exact."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - a cold start that tells no time need not read the zones

    here = at.astimezone(ZoneInfo("Europe/Paris"))
    month = _MONTHS[here.month - 1][pick]
    if pick == 0:
        day = "1er" if here.day == 1 else str(here.day)
        return f"le {day} {month} à {here:%H:%M} (heure de Paris)"
    return f"{here.day} {month} at {here:%H:%M} (Paris time)"
