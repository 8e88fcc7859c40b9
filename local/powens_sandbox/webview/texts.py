"""What the pages say, in French and English. Other languages get English."""

from collections.abc import Mapping

LANGUAGES = ("en", "fr", "de", "nl", "pt", "it", "es")

_TEXTS: Mapping[str, tuple[str, str]] = {
    "title.connect": ("Connecter un établissement", "Connect an institution"),
    "title.manage": ("Vos établissements", "Your institutions"),
    "title.reconnect": ("Renouveler l'accès", "Renew the access"),
    "title.webauth": ("Renouveler l'accès", "Renew the access"),
    "for_app": ("pour {app}", "for {app}"),
    "sandbox": ("Bac à sable: aucune vraie banque ici", "Sandbox: no real bank here"),
    "skip": ("Aller au contenu", "Skip to content"),
    "cancel": ("Annuler", "Cancel"),
    "back": ("Retour", "Back"),
    "close": ("Fermer", "Close"),
    "continue": ("Continuer", "Continue"),
    "finish": ("Terminer", "Finish"),
    "terms.title": ("Avant de commencer", "Before you start"),
    "terms.text": (
        "{app} souhaite lire les comptes que vous allez choisir. Vous pouvez revenir sur ce choix à tout moment.",
        "{app} would like to read the accounts that you are going to choose. You can change that choice at any time.",
    ),
    "terms.accept": ("Accepter et continuer", "Accept and continue"),
    "terms.decline": ("Refuser", "Decline"),
    "pick.title": ("Choisissez votre établissement", "Choose your institution"),
    "pick.search": ("Rechercher un établissement", "Search for an institution"),
    "pick.submit": ("Rechercher", "Search"),
    "pick.none": ("Aucun établissement ne correspond.", "No institution matches."),
    "pick.count": ("{count} établissements", "{count} institutions"),
    "credentials.title": ("Connexion à {bank}", "Sign in to {bank}"),
    "credentials.test": (
        "Connecteur de test: n'importe quel identifiant, mot de passe 1234.",
        "Test connector: any login, password 1234.",
    ),
    "credentials.hint": (
        "Bac à sable: tout est accepté, sauf le mot de passe « wrong ».",
        "Sandbox: everything is accepted, except the password “wrong”.",
    ),
    "credentials.wrong": ("Identifiant ou mot de passe incorrect.", "Wrong login or password."),
    "credentials.missing": ("Ce champ est obligatoire: {field}.", "This field is required: {field}."),
    "field.login": ("Identifiant", "Login"),
    "field.password": ("Mot de passe", "Password"),
    "field.otp": ("Code reçu par SMS", "Code received by text message"),
    "field.openapiwebsite": ("Comportement de la source openapi", "Behaviour of the openapi source"),
    "field.directaccesswebsite": ("Comportement de la source directaccess", "Behaviour of the directaccess source"),
    "bank.title": ("Site de {bank}", "{bank}'s website"),
    "bank.text": (
        "Vous êtes sur le site de votre banque. Autorisez-vous l'accès à vos comptes?",
        "You are on your bank's website. Do you allow access to your accounts?",
    ),
    "bank.person": ("Se connecter en tant que", "Sign in as"),
    "bank.usual": ("Client habituel", "Usual customer"),
    "bank.approve": ("Autoriser l'accès", "Allow access"),
    "bank.refuse": ("Refuser", "Refuse"),
    "bank.refused": ("L'accès a été refusé à la banque.", "Access was refused at the bank."),
    "otp.title": ("Un code vous a été envoyé", "A code was sent to you"),
    "otp.hint": ("Bac à sable: tout code de 4 à 8 chiffres, sauf 0000.", "Sandbox: any code of 4 to 8 digits, except 0000."),
    "otp.wrong": ("Ce code n'est pas correct.", "This code is not right."),
    "decoupled.title": ("Validez dans l'application de votre banque", "Approve in your bank's app"),
    "decoupled.text": (
        "Ouvrez l'application de {bank} et validez la demande, puis continuez ici.",
        "Open {bank}'s app and approve the request, then continue here.",
    ),
    "decoupled.done": ("J'ai validé", "I have approved"),
    "accounts.title": ("Choisissez les comptes à utiliser", "Choose the accounts to use"),
    "accounts.legend": ("Comptes de {bank}", "{bank} accounts"),
    "accounts.none": ("Aucun compte n'est disponible ici.", "No account is available here."),
    "accounts.need_one": ("Choisissez au moins un compte.", "Choose at least one account."),
    "accounts.more": ("Connecter d'autres comptes", "Connect other accounts"),
    "accounts.found": ("D'autres comptes ont été trouvés.", "Other accounts were found."),
    "another.title": ("Votre établissement est connecté", "Your institution is connected"),
    "another.add": ("Ajouter un autre établissement", "Add another institution"),
    "another.done": ("Terminer", "Finish"),
    "manage.title": ("Vos établissements", "Your institutions"),
    "manage.empty": ("Aucun établissement n'est connecté.", "No institution is connected."),
    "manage.accounts": ("{count} comptes utilisés sur {total}", "{count} of {total} accounts used"),
    "manage.add": ("Ajouter un établissement", "Add an institution"),
    "manage.saved": ("Les comptes seront mis à jour prochainement.", "The accounts will be updated soon."),
    "manage.locked": (
        "Cette connexion ne peut pas être modifiée pour le moment. Réessayez dans un instant.",
        "This connection cannot be changed for now. Try again in a moment.",
    ),
    "manage.repair": ("Rétablir l'accès", "Restore access"),
    "manage.reset": ("Changer mes identifiants", "Change my credentials"),
    "manage.delete": ("Supprimer cette connexion", "Delete this connection"),
    "manage.deleted": ("La connexion a été supprimée.", "The connection was deleted."),
    "delete.title": ("Supprimer la connexion à {bank}?", "Delete the connection to {bank}?"),
    "delete.text": (
        "Tous ses comptes cesseront d'être utilisés et leurs données seront effacées. C'est définitif.",
        "All its accounts will stop being used and their data will be erased. This is final.",
    ),
    "delete.confirm": ("Supprimer définitivement", "Delete for good"),
    "failed.title": ("La connexion n'a pas abouti", "The connection did not succeed"),
    "ended.title": ("C'est terminé", "All done"),
    "ended.text": ("Vous pouvez fermer cette page.", "You can close this page."),
    "error.title": ("Cette page ne peut pas s'ouvrir", "This page cannot be opened"),
    "error.request": ("L'adresse n'est pas valable.", "The address is not valid."),
    "error.session": ("La session a expiré. Recommencez depuis l'application.",
                      "The session has expired. Start again from the app."),
    "error.unavailable": ("Le service est indisponible.", "The service is unavailable."),
    "state.ok": ("À jour", "Up to date"),
    "state.SCARequired": ("Votre banque demande une nouvelle authentification.", "Your bank asks you to authenticate again."),
    "state.webauthRequired": ("Votre banque demande une nouvelle authentification.",
                              "Your bank asks you to authenticate again."),
    "state.additionalInformationNeeded": ("Votre banque demande un code.", "Your bank asks for a code."),
    "state.decoupled": ("Une validation est attendue dans l'application de votre banque.",
                        "An approval is expected in your bank's app."),
    "state.validating": ("La validation est en cours.", "The approval is being processed."),
    "state.actionNeeded": ("Une action est nécessaire sur le site de votre banque.", "Your bank needs you to act on its website."),
    "state.passwordExpired": ("Votre mot de passe a expiré à la banque.", "Your password has expired at the bank."),
    "state.wrongpass": ("Votre banque a refusé vos identifiants.", "Your bank refused your credentials."),
    "state.rateLimiting": ("Votre banque limite les demandes. Nouvel essai automatique.",
                           "Your bank limits requests. It will be tried again."),
    "state.websiteUnavailable": ("Votre banque est indisponible. Nouvel essai automatique.",
                                 "Your bank is unavailable. It will be tried again."),
    "state.bug": ("Un problème technique est survenu. Nouvel essai automatique.",
                  "A technical problem occurred. It will be tried again."),
    "state.notSupported": ("Cette source n'est pas disponible.", "This source is not available."),
    "state.unknown": ("Un problème est survenu.", "A problem occurred."),
}  # fmt: skip


def text(language: str, key: str, **values: object) -> str:
    """Plain text: whoever puts it on a page escapes it."""
    french, english = _TEXTS[key]
    return (french if language == "fr" else english).format(**values)


def state_text(language: str, state: str | None) -> str:
    key = f"state.{state or 'ok'}"
    return text(language, key if key in _TEXTS else "state.unknown")
