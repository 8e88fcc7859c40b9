"""Every text that the API shows to people, by stable code, in French and English."""

from typing import Literal

type Language = Literal["fr", "en"]

_TEXTS: dict[str, tuple[str, str]] = {
    # an institution that neither Powens nor its catalogue names
    "unnamed_institution": ("Votre banque", "Your bank"),
    # status reasons
    "authentication_required": (
        "Votre banque demande une authentification forte. Reconnectez-vous pour reprendre la synchronisation.",
        "Your bank asks for strong authentication. Reconnect to resume synchronisation.",
    ),
    "information_required": (
        "Votre banque demande une information complémentaire. Reconnectez-vous pour la saisir.",
        "Your bank asks for more information. Reconnect to enter it.",
    ),
    "approval_required": (
        "Validez la demande dans l'application de votre banque, puis reconnectez-vous.",
        "Approve the request in your bank's app, then reconnect.",
    ),
    "credentials_refused": (
        "Vos identifiants sont refusés par la banque. Reconnectez-vous avec les bons identifiants.",
        "Your bank refuses your credentials. Reconnect with the right ones.",
    ),
    "password_expired": (
        "Votre mot de passe a expiré. Renouvelez-le sur le site de votre banque, puis reconnectez-vous.",
        "Your password has expired. Renew it at your bank, then reconnect.",
    ),
    "action_required_at_bank": (
        "Une action est requise à la banque. Connectez-vous à votre espace bancaire, puis reconnectez-vous ici.",
        "Your bank requires an action. Sign in at your bank, then reconnect here.",
    ),
    "consent_expired": (
        "Votre consentement a expiré. Reconnectez-vous pour le renouveler.",
        "Your consent has expired. Reconnect to renew it.",
    ),
    "approval_in_progress": ("Votre validation est en cours de traitement.", "Your approval is being processed."),
    "bank_busy": (
        "La banque limite les accès pour le moment. La synchronisation reprendra seule.",
        "Your bank limits access for now. Synchronisation will resume by itself.",
    ),
    "bank_unavailable": (
        "La banque est indisponible pour le moment. La synchronisation reprendra seule.",
        "Your bank is unavailable for now. Synchronisation will resume by itself.",
    ),
    "powens_problem": (
        "Notre partenaire Powens rencontre un problème. La synchronisation reprendra seule.",
        "Our partner Powens has a problem. Synchronisation will resume by itself.",
    ),
    "not_supported": (
        "Powens ne gère pas cet accès. Vous pouvez ajouter le compte manuellement.",
        "Powens does not support this access. You can add the account by hand.",
    ),
    "not_synchronising": (
        "Cette connexion n'est plus synchronisée. Ouvrez l'espace Powens pour la réactiver.",
        "This connection is no longer synchronised. Open the Powens space to reactivate it.",
    ),
    "unknown_problem": (
        "La synchronisation rencontre un problème inconnu. Nous l'examinons.",
        "Synchronisation has an unknown problem. We are looking into it.",
    ),
    "first_synchronisation": ("Première synchronisation en cours.", "First synchronisation in progress."),
    "first_synchronisation_overdue": (
        "La première synchronisation n'a toujours pas abouti. Vérifiez cette connexion dans l'espace Powens.",
        "The first synchronisation has still not ended. Check this connection in the Powens space.",
    ),
    "refresh_in_progress": ("Actualisation en cours.", "Refresh in progress."),
    "closed_at_bank": ("La banque ne montre plus ce compte.", "The bank no longer shows this account."),
    "unreadable_at_powens": (
        "Powens transmet ce compte de façon illisible. Nous gardons ce que nous savions et réessayons.",
        "What Powens sends about this account cannot be read. We keep what we knew and try again.",
    ),
    "recreated_by_powens": (
        "Ce compte a été recréé par Powens et n'a pas pu être réactivé. Cochez-le à nouveau.",
        "Powens re-created this account and it could not be enabled again. Tick it again.",
    ),
    "identical_accounts": (
        "Powens a recréé plusieurs comptes que rien ne distingue. Cochez dans l'espace Powens ceux que vous voulez.",
        "Powens re-created several accounts that look exactly alike. Tick the ones you want in the Powens space.",
    ),
    "reenabled_by_powens": (
        "Powens a réactivé ce compte et il n'a pas pu être désactivé. Décochez-le à nouveau.",
        "Powens enabled this account again and it could not be disabled. Untick it again.",
    ),
    "changed_elsewhere": (
        "Un choix plus récent a été fait dans l'espace Powens.",
        "A newer choice was made in the Powens space.",
    ),
    "moved_elsewhere": (
        "Ce compte dépend maintenant d’une autre connexion.",
        "This account now belongs to another connection.",
    ),
    "newer_choice": ("Un choix plus récent le remplace.", "A newer choice replaces it."),
    "not_applied": (
        "Powens a accepté la demande sans l'appliquer. Vérifiez dans l'espace Powens.",
        "Powens accepted the request but did not apply it. Check in the Powens space.",
    ),
    "refused_by_powens": (
        "Powens a refusé la demande. Essayez depuis l'espace Powens.",
        "Powens refused the request. Try in the Powens space.",
    ),
    "forbidden_by_powens": (
        "Powens ne nous autorise pas cette action. Nous l'examinons : vous n'avez rien à faire.",
        "Powens does not allow us to do this. We are looking into it: there is nothing for you to do.",
    ),
    "not_found_at_powens": (
        "Powens ne trouve plus ce compte. Vérifiez dans l'espace Powens.",
        "Powens no longer finds this account. Check in the Powens space.",
    ),
    "timed_out": (
        "Powens n'a pas répondu à temps. Rien n'a changé : vous pouvez réessayer.",
        "Powens did not answer in time. Nothing changed: you can try again.",
    ),
    "copy_not_enabled": (
        "Ce compte est déjà synchronisé ailleurs : c'est là qu'il est compté.",
        "This account is already synchronised elsewhere: it counts there.",
    ),
    "copy_not_shown": (
        "La banque ne montre plus ce compte ici, mais le montre ailleurs : c'est là qu'il est compté.",
        "The bank no longer shows this account here, but shows it elsewhere: it counts there.",
    ),
    "copy_connection_not_working": (
        "Ce compte ne peut plus être actualisé ici, mais l'est ailleurs : c'est là qu'il est compté.",
        "This account can no longer be updated here, but is elsewhere: it counts there.",
    ),
    "copy_older": (
        "Les données de ce compte sont plus récentes ailleurs : c'est là qu'il est compté.",
        "The data of this account is newer elsewhere: it counts there.",
    ),
    "copy_known_later": (
        "Ce compte était déjà présent ailleurs : c'est là qu'il est compté.",
        "This account was there elsewhere before: it counts there.",
    ),
    "just_refreshed": ("Les données viennent d'être actualisées.", "The data has just been refreshed."),
    "refresh_refused": (
        "Powens n'accepte pas d'actualisation pour le moment. La prochaine aura lieu automatiquement.",
        "Powens accepts no refresh for now. The next one happens automatically.",
    ),
    "connection_removed": ("Cette connexion est terminée.", "This connection is ended."),
    # diagnosis
    "diagnosis.type_not_supported": ("Powens ne gère pas ce type de compte.", "Powens does not handle this type."),
    "diagnosis.temporary_problem": (
        "Un problème temporaire empêche de le savoir. Réessayez plus tard.",
        "A temporary problem keeps us from knowing. Try again later.",
    ),
    "diagnosis.needs_user_action": (
        "La connexion doit d'abord être rétablie.",
        "The connection must be restored first.",
    ),
    "diagnosis.hidden_by_user": (
        "Des comptes de cet établissement ne sont pas cochés : vous pouvez les ajouter.",
        "Some accounts of this institution are not ticked: you can add them.",
    ),
    "diagnosis.already_added": ("Ce compte est déjà synchronisé.", "This account is already synchronised."),
    "diagnosis.not_shared_at_bank": (
        "La banque ne partage pas ce compte.",
        "The bank does not share this account.",
    ),
    "diagnosis.unknown": (
        "Tous les comptes connus sont synchronisés. L'espace Powens propose peut-être d'autres comptes.",
        "Every known account is synchronised. The Powens space may offer more.",
    ),
    # pages
    "page.webview_return.title": ("Retour de l'espace Powens", "Back from the Powens space"),
    "page.webview_return": (
        "Vous avez quitté l'espace Powens. Vous pouvez fermer cette page et revenir à votre application.",
        "You have left the Powens space. You can close this page and go back to your app.",
    ),
    # problems
    "problem.invalid_limit": ("La limite va de 1 à 100.", "The limit is between 1 and 100."),
    "problem.unknown_account_type": ("Ce type de compte n'existe pas.", "There is no such type of account."),
    "problem.invalid_json": ("Le corps de la requête n'est pas du JSON.", "The request body is not JSON."),
    "problem.invalid_request": ("La requête est incorrecte.", "The request is not valid."),
    "problem.unknown_parameter": ("Ce paramètre n'existe pas ici.", "There is no such parameter here."),
    "problem.repeated_parameter": (
        "Ce paramètre ne peut être donné qu'une fois.",
        "This parameter can be given only once.",
    ),
    "problem.unauthenticated": ("Votre session ne dit pas qui vous êtes.", "Your session does not say who you are."),
    "problem.not_found": ("Introuvable.", "Not found."),
    "problem.route_not_found": ("Cette adresse n'existe pas.", "There is no such address."),
    "problem.connection_not_found": ("Cette connexion est introuvable.", "There is no such connection."),
    "problem.account_not_found": ("Ce compte est introuvable.", "There is no such account."),
    "problem.not_a_manual_account": (
        "Ce compte est synchronisé : décochez-le pour ne plus le voir.",
        "This account is synchronised: untick it to stop it.",
    ),
    "problem.account_is_manual": (
        "Ce compte est tenu à la main : il ne peut pas être coché.",
        "This account is kept by hand: it cannot be ticked.",
    ),
    "problem.not_a_synchronised_account": (
        "Ce compte est tenu à la main : choisissez un compte synchronisé.",
        "This account is kept by hand: choose a synchronised one.",
    ),
    "problem.unknown_currency": ("Cette devise n'existe pas.", "There is no such currency."),
    "problem.balance_out_of_range": (
        "Ce solde est trop élevé : mille milliards au plus.",
        "This balance is too large: a million millions at most.",
    ),
    "problem.negative_balance_not_allowed": (
        "Un compte de ce type ne peut pas avoir de solde négatif.",
        "An account of this type cannot have a negative balance.",
    ),
    "problem.account_already_joined": (
        "L'un de ces comptes est déjà rattaché à un autre. Détachez-le d'abord.",
        "One of these accounts is joined with another one. Part them first.",
    ),
    "problem.account_is_joined": (
        "Ce compte est rattaché à un compte synchronisé. Détachez-le avant de le supprimer.",
        "This account is joined with a synchronised one. Part them before you delete it.",
    ),
    "problem.types_differ": (
        "Ces comptes ne sont pas du même type.",
        "These accounts are not of the same type.",
    ),
    "problem.currencies_differ": (
        "Ces comptes ne sont pas dans la même devise.",
        "These accounts are not in the same currency.",
    ),
    "problem.too_many_manual_accounts": (
        "Vous tenez déjà 100 comptes à la main : c'est le maximum.",
        "You keep 100 accounts by hand already: that is the most.",
    ),
    "problem.too_many_joined_accounts": (
        "Vous avez déjà rattaché 8 comptes à cet établissement : c'est le maximum.",
        "You have joined 8 accounts with this institution already: that is the most.",
    ),
    "problem.too_many_wishes": (
        "Vous attendez déjà 50 types de compte : supprimez-en avant d'en ajouter.",
        "You wait for 50 types of account already: remove some before you add one.",
    ),
    "problem.unknown_institution": ("Cet établissement est inconnu.", "There is no such institution."),
    "problem.wish_not_found": ("Cette demande est introuvable.", "There is no such request."),
    "problem.operation_not_found": ("Cette opération est introuvable.", "There is no such operation."),
    "problem.unknown_account": (
        "Un des comptes n'appartient pas à cette connexion.",
        "One of the accounts does not belong to this connection.",
    ),
    "problem.account_closed_at_bank": (
        "La banque ne montre plus ce compte : il ne peut pas être ajouté.",
        "The bank no longer shows this account: it cannot be added.",
    ),
    "problem.revision_mismatch": (
        "La liste a changé entre-temps. Rechargez-la avant de confirmer.",
        "The list has changed meanwhile. Reload it before you confirm.",
    ),
    "problem.idempotency_key_reused": (
        "Cette clé d'idempotence a déjà servi à une autre requête.",
        "This idempotency key was used for another request.",
    ),
    "problem.invalid_idempotency_key": (
        "Une clé d'idempotence compte de 1 à 128 caractères ASCII visibles.",
        "An idempotency key is 1 to 128 visible ASCII characters.",
    ),
    "problem.confirmation_mismatch": (
        "La confirmation doit être le nom de l'établissement.",
        "The confirmation must be the name of the institution.",
    ),
    "problem.return_to_not_allowed": ("L'adresse de retour n'est pas autorisée.", "The return address is not allowed."),
    "problem.connection_required": ("Ce parcours demande une connexion.", "This flow needs a connection."),
    "problem.not_for_connect": (
        "Le parcours « connect » ajoute un établissement ; utilisez « manage » pour une connexion existante.",
        "The connect flow adds an institution; use manage for an existing connection.",
    ),
    "problem.connection_removed": ("Cette connexion est terminée.", "This connection is ended."),
    "problem.too_many_open_operations": (
        "Trop de choix sont encore en cours pour cet établissement. Réessayez dans un instant.",
        "Too many choices are still under way for this institution. Try again in a moment.",
    ),
    "problem.user_being_erased": (
        "Vos données sont en cours d'effacement. Vous pourrez recommencer ensuite.",
        "Your data is being erased. You can start again afterwards.",
    ),
    "problem.invalid_cursor": (
        "Ce curseur de pagination n'existe pas.",
        "There is no such page cursor.",
    ),
    "problem.not_undoable": ("Cette opération ne peut pas être annulée.", "This operation cannot be undone."),
    "problem.undo_expired": ("Il est trop tard pour annuler.", "It is too late to undo."),
    "problem.user_being_created": (
        "Votre accès à Powens est en cours de création. Réessayez dans un instant.",
        "Your access to Powens is being created. Try again in a moment.",
    ),
    "problem.powens_unavailable": (
        "Powens ne répond pas. Réessayez plus tard.",
        "Powens does not answer. Try again later.",
    ),
    "problem.forbidden_by_powens": (
        "Powens ne nous autorise pas à le faire. Nous voyons avec Powens.",
        "Powens does not allow us to do this. We are sorting it out with Powens.",
    ),
    "problem.powens_busy": (
        "Powens est très sollicité. Réessayez dans un instant.",
        "Powens is very busy. Try again in a moment.",
    ),
    "problem.connection_locked": (
        "Powens travaille sur cette connexion. Réessayez dans un instant.",
        "Powens is working on this connection. Try again in a moment.",
    ),
    "problem.temporarily_unavailable": (
        "Le service est momentanément indisponible. Réessayez plus tard.",
        "The service is unavailable for a moment. Try again later.",
    ),
    "problem.internal_error": (
        "Une erreur est survenue de notre côté. Elle nous est signalée.",
        "Something went wrong on our side. We have been told.",
    ),
}

CODES = frozenset(_TEXTS)


def text(code: str, language: Language) -> str:
    """The text for `code`. Raises KeyError for an unknown one: a missing text is a bug."""
    french, english = _TEXTS[code]
    return unbroken(french) if language == "fr" else english


def unbroken(french: str) -> str:
    """The same with spaces that keep a sign on the line of its word, as French has a space before it."""
    for sign in (":", "»"):
        french = french.replace(f" {sign}", f"\N{NO-BREAK SPACE}{sign}")
    for sign in (";", "?", "!"):
        french = french.replace(f" {sign}", f"\N{NARROW NO-BREAK SPACE}{sign}")
    return french.replace("« ", "«\N{NO-BREAK SPACE}")


def institution_names(name: str) -> frozenset[str]:
    """What an institution may be called on a screen: by its name, else as in the one or the other language."""
    return frozenset({name} if name.strip() else _TEXTS["unnamed_institution"])


def problem_text(code: str, language: Language, *, status: int) -> str:
    """The text of a problem; codes without a text of their own get that of their kind."""
    fallback = "temporarily_unavailable" if status == 503 else "internal_error" if status >= 500 else "invalid_request"
    key = f"problem.{code}"
    return text(key if key in _TEXTS else f"problem.{fallback}", language)


def language_of(accept_language: str | None) -> Language:
    """French or English by `Accept-Language` (RFC 9110), French when neither is asked for."""
    best: tuple[float, Language] = (0.0, "fr")
    for part in (accept_language or "").split(","):
        tag, _, parameters = part.strip().partition(";")
        primary = tag.strip().lower().partition("-")[0]
        weight = 1.0
        name, _, value = parameters.strip().partition("=")
        if name == "q":
            try:
                weight = float(value)
            except ValueError:
                continue
        if primary == "fr" and weight > best[0]:
            best = (weight, "fr")
        elif primary == "en" and weight > best[0]:
            best = (weight, "en")
    return best[1]
