"""The pages' HTML. Every text that comes from elsewhere passes through `esc`; there is no script in the pages."""

from collections.abc import Iterable, Mapping
from html import escape
from urllib.parse import urlencode

from powens_sandbox.banks.catalogue import Connector, Field
from powens_sandbox.banks.people import PERSONAS
from powens_sandbox.views.formats import formatted
from powens_sandbox.webview.session import Session
from powens_sandbox.webview.texts import state_text, text
from powens_sandbox.world.model import Account, Connection


def esc(value: object) -> str:
    return escape(str(value), quote=True)


def document(language: str, title: str, body: str, *, scripts: Iterable[str] = (), body_attributes: str = "") -> str:
    """A whole page. `title` is plain text, `body` is HTML."""
    tags = "".join(f'<script src="/assets/{esc(name)}" defer></script>' for name in scripts)
    return f"""<!doctype html>
<html lang="{esc(language if language in ("fr", "en") else "en")}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{esc(title)}</title>
<link rel="icon" href="/assets/icon.png">
<link rel="stylesheet" href="/assets/webview.css">
{tags}
</head>
<body{body_attributes}>
{body}
</body>
</html>
"""


class Page:
    """Builds the pages of one visit."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.app_name = session.client.name

    def t(self, key: str, **values: object) -> str:
        """Escaped text of the catalogue."""
        return esc(text(self.session.language, key, **values))

    def render(self, heading: str, content: str, *, scripts: Iterable[str] = ()) -> str:
        """`heading` and `content` are HTML."""
        session = self.session
        notice = (
            f'<p class="notice" role="status" data-testid="notice">{esc(session.notice)}</p>' if session.notice else ""
        )
        message = (
            f'<p class="error" role="alert" data-testid="error">{esc(session.message)}</p>' if session.message else ""
        )
        flow_title = self.t(f"title.{session.flow}")
        body = f"""<a class="skip" href="#main">{self.t("skip")}</a>
<header><p class="flow">{flow_title} <span>{self.t("for_app", app=self.app_name)}</span></p></header>
<main id="main" tabindex="-1" data-step="{esc(session.step)}">
<h1>{heading}</h1>
{notice}{message}
{content}
</main>
<footer><p>{self.t("sandbox")}</p></footer>"""
        return document(session.language, text(session.language, f"title.{session.flow}"), body, scripts=scripts)

    def form(self, content: str, *, attributes: str = "") -> str:
        step = f'<input type="hidden" name="step" value="{esc(self.session.step)}">'
        return f'<form method="post" {attributes}>{step}{content}</form>'

    def button(self, action: str, label: str, testid: str, *, kind: str = "secondary", value: object = "") -> str:
        """`label` is HTML."""
        extra = f":{esc(value)}" if value != "" else ""
        return (
            f'<button class="{kind}" type="submit" name="action" value="{esc(action)}{extra}" formnovalidate'
            f' data-testid="{esc(testid)}">{label}</button>'
        )

    def submit(self, action: str, label: str, testid: str) -> str:
        """The main button: the browser checks the fields first."""
        return (
            f'<button class="primary" type="submit" name="action" value="{esc(action)}"'
            f' data-testid="{esc(testid)}">{label}</button>'
        )

    def cancel(self) -> str:
        return self.button("cancel", self.t("cancel"), "cancel", kind="quiet")

    def actions(self, *buttons: str) -> str:
        return f'<div class="actions">{"".join(buttons)}</div>'

    # Screens

    def terms(self) -> str:
        return self.render(
            self.t("terms.title"),
            f"<p>{self.t('terms.text', app=self.app_name)}</p>"
            + self.form(
                self.actions(
                    self.submit("accept", self.t("terms.accept"), "accept-terms"),
                    self.button("decline", self.t("terms.decline"), "decline-terms"),
                    self.cancel(),
                )
            ),
        )

    def pick(self, connectors: list[Connector]) -> str:
        session = self.session
        items = "".join(
            f'<li><button type="submit" name="action" value="pick:{esc(item.uuid)}" class="row"'
            f' data-testid="institution" data-slug="{esc(item.slug)}">'
            f"{_logo(item)}<span>{esc(item.name)}</span></button></li>"
            for item in connectors
        )
        found = f'<ul class="rows">{items}</ul>' if connectors else f"<p>{self.t('pick.none')}</p>"
        search = (
            '<div class="search" role="search">'
            f'<label for="q">{self.t("pick.search")}</label><div class="inline">'
            '<input id="q" name="q" type="search"'
            f' value="{esc(session.search)}" autocomplete="off"'
            ' data-testid="search">'
            '<button class="secondary" type="submit" name="action" value="search">'
            f"{self.t('pick.submit')}</button></div></div>"
        )
        count = f'<p role="status" class="count">{self.t("pick.count", count=len(connectors))}</p>'
        return self.render(
            self.t("pick.title"),
            # The first submit button of a form is the one that the Enter key presses: the search stands first.
            self.form(search + count + found + self.actions(self.cancel())),
        )

    def credentials(self, connector: Connector, fields: Iterable[Field], values: Mapping[str, str]) -> str:
        hint = self.t("credentials.test" if connector.is_test else "credentials.hint")
        inputs = "".join(self._field(item, values.get(item.name, "")) for item in fields)
        return self.render(
            self.t("credentials.title", bank=connector.name),
            f'<p class="hint">{hint}</p>'
            + self.form(
                inputs
                + self.actions(self.submit("credentials", self.t("continue"), "submit-credentials"), self.cancel()),
                attributes='autocomplete="off"',
            ),
        )

    def _field(self, item: Field, value: str) -> str:
        name = esc(item.name)
        known = {"login", "password", "otp", "openapiwebsite", "directaccesswebsite"}
        label = self.t(f"field.{item.name}") if item.name in known else esc(item.label)
        required = " required" if item.required else ""
        if item.type == "list":
            choices = "".join(
                f'<option value="{esc(choice)}"{" selected" if choice == value else ""}>{esc(shown)}</option>'
                for shown, choice in item.values
            )
            control = f'<select id="f-{name}" name="{name}" data-testid="field-{name}">{choices}</select>'
        else:
            kind = {"password": "password", "date": "date"}.get(item.type, "text")
            control = (
                f'<input id="f-{name}" name="{name}" type="{kind}" value="{esc(value)}"{required}'
                f' autocapitalize="none" spellcheck="false" data-testid="field-{name}">'
            )
        return f'<div class="field"><label for="f-{name}">{label}</label>{control}</div>'

    def bank(self, connector: Connector, *, choose_person: bool) -> str:
        people = [persona for persona in PERSONAS.values() if connector.slug in persona.banks]
        person = ""
        if choose_person and people:
            options = "".join(f'<option value="{esc(item.id)}">{esc(item.description)}</option>' for item in people)
            person = (
                f'<div class="field"><label for="f-login">{self.t("bank.person")}</label>'
                f'<select id="f-login" name="login" data-testid="field-login">'
                f'<option value="">{self.t("bank.usual")}</option>'
                f"{options}</select></div>"
            )
        return self.render(
            f"{_logo(connector)} {self.t('bank.title', bank=connector.name)}",
            f"<p>{self.t('bank.text')}</p>"
            + self.form(
                person
                + self.actions(
                    self.submit("approve", self.t("bank.approve"), "bank-approve"),
                    self.button("refuse", self.t("bank.refuse"), "bank-refuse"),
                )
            ),
        )

    def otp(self) -> str:
        return self.render(
            self.t("otp.title"),
            f'<p class="hint">{self.t("otp.hint")}</p>'
            + self.form(
                '<div class="field"><label for="f-otp">'
                f"{self.t('field.otp')}</label>"
                '<input id="f-otp" name="otp" inputmode="numeric" autocomplete="one-time-code"'
                f' maxlength="8" required data-testid="field-otp"></div>'
                + self.actions(self.submit("otp", self.t("continue"), "submit-otp"), self.cancel())
            ),
        )

    def decoupled(self, connector: Connector) -> str:
        return self.render(
            self.t("decoupled.title"),
            f"<p>{self.t('decoupled.text', bank=connector.name)}</p>"
            + self.form(
                self.actions(self.submit("approved", self.t("decoupled.done"), "decoupled-done"), self.cancel())
            ),
        )

    def failed(self, connection: Connection | None) -> str:
        shown = state_text(self.session.language, connection.shown_state) if connection else ""
        bank_says = f"<p><q>{esc(connection.error_message)}</q></p>" if connection and connection.error_message else ""
        return self.render(
            self.t("failed.title"),
            f'<p role="alert" data-testid="state">{esc(shown)}</p>{bank_says}'
            + self.form(self.actions(self.button("close", self.t("close"), "close", kind="primary"))),
        )

    def accounts(self, connection: Connection, offered: list[Account], *, more: bool) -> str:
        """The tick-boxes, for a new connection and for one that is managed."""
        session = self.session
        managed = session.flow == "manage" and session.purpose != "new"
        boxes = "".join(self._account(account, session.ticks.get(account.id, False)) for account in offered)
        if offered:
            choice = (
                '<fieldset class="accounts">'
                f"<legend>{self.t('accounts.legend', bank=connection.connector.name)}</legend>"
                f'<ul class="rows">{boxes}</ul></fieldset>'
            )
        else:
            choice = f"<p>{self.t('accounts.none')}</p>"
        state = connection.shown_state
        banner = ""
        if state:
            bank_says = f" <q>{esc(connection.error_message)}</q>" if connection.error_message else ""
            banner = f'<p class="warning" data-testid="state">{esc(state_text(session.language, state))}{bank_says}</p>'
        add = self.button("more", self.t("accounts.more"), "more-accounts") if more else ""
        buttons = [self.submit("finish", self.t("finish"), "finish")]
        rest = ""
        if managed:
            buttons.append(self.button("back", self.t("back"), "back", kind="quiet"))
            credentials = any(source.auth_mechanism == "credentials" for source in connection.connector.sources)
            rest = '<div class="aside">' + (
                self.button("repair", self.t("manage.repair" if state else "manage.reset"), "repair")
                if state or credentials
                else ""
            )
            rest += self.button("delete", self.t("manage.delete"), "delete-connection", kind="danger") + "</div>"
        buttons.append(self.cancel())
        needs_one = "" if managed else " data-needs-one"
        # The button that the Enter key presses is the form's first: finishing, not adding.
        content = choice + self.actions(*buttons) + (f'<div class="aside">{add}</div>' if add else "") + rest
        return self.render(
            f"{_logo(connection.connector)} {esc(connection.connector.name)}",
            f"<p>{self.t('accounts.title')}</p>" + banner + self.form(content, attributes=needs_one),
            scripts=("webview.js",),
        )

    def _account(self, account: Account, ticked: bool) -> str:
        balance = ""
        if account.balance is not None:
            balance = f'<span class="balance">{esc(formatted(account.balance, account.currency))}</span>'
        last = account.iban or account.number or ""
        digits = f'<span class="number">…{esc(last[-4:])}</span>' if last else ""
        return (
            '<li><label class="row">'
            f'<input type="checkbox" name="account" value="{account.id}"{" checked" if ticked else ""}'
            f' aria-label="{esc(account.name)}" data-testid="account" data-account="{esc(account.name)}">'
            f'<span class="name">{esc(account.name)} {digits}</span>{balance}</label></li>'
        )

    def another(self) -> str:
        return self.render(
            self.t("another.title"),
            self.form(
                self.actions(
                    self.button("done", self.t("another.done"), "finish", kind="primary"),
                    self.button("another", self.t("another.add"), "add-another"),
                )
            ),
        )

    def connections(self, connections: list[Connection]) -> str:
        rows = []
        for connection in connections:
            counted = [account for account in connection.accounts if account.deleted is None]
            used = self.t("manage.accounts", count=len(connection.enabled_accounts), total=len(counted))
            state = esc(state_text(self.session.language, connection.shown_state))
            rows.append(
                f'<li><button class="row" type="submit" name="action" value="open:{connection.id}"'
                f' data-testid="connection" data-connection="{connection.id}">'
                f"{_logo(connection.connector)}<span>{esc(connection.connector.name)}"
                f"<small>{used}</small>"
                f'<small class="{"warning" if connection.shown_state else "fine"}">{state}</small></span>'
                "</button></li>"
            )
        shown = f'<ul class="rows">{"".join(rows)}</ul>' if rows else f"<p>{self.t('manage.empty')}</p>"
        return self.render(
            self.t("manage.title"),
            self.form(
                shown
                + self.actions(
                    self.button("close", self.t("close"), "close", kind="primary"),
                    self.button("add", self.t("manage.add"), "add-institution"),
                    self.cancel(),
                )
            ),
        )

    def confirm_delete(self, connection: Connection) -> str:
        return self.render(
            self.t("delete.title", bank=connection.connector.name),
            f"<p>{self.t('delete.text')}</p>"
            + self.form(
                self.actions(
                    self.button("back", self.t("back"), "back"),
                    self.button("confirm-delete", self.t("delete.confirm"), "confirm-delete", kind="danger"),
                )
            ),
        )

    def ended(self) -> str:
        return self.render(self.t("ended.title"), f"<p>{self.t('ended.text')}</p>")


def termination(language: str, data_json: str, target_origin: str) -> str:
    """The last page inside a frame: it tells the page around it how the visit ended."""
    title, words = esc(text(language, "ended.title")), esc(text(language, "ended.text"))
    body = f'<main id="main"><h1>{title}</h1><p>{words}</p></main>'
    attributes = f' data-termination="{esc(data_json)}" data-target="{esc(target_origin)}"'
    return document(
        language, text(language, "ended.title"), body, scripts=("termination.js",), body_attributes=attributes
    )


def error_page(language: str, key: str) -> str:
    body = (
        f'<main id="main"><h1>{esc(text(language, "error.title"))}</h1>'
        f'<p class="error" role="alert" data-testid="error">{esc(text(language, key))}</p></main>'
        f"<footer><p>{esc(text(language, 'sandbox'))}</p></footer>"
    )
    return document(language, text(language, "error.title"), body)


def with_query(address: str, parameters: Mapping[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(parameters)}" if parameters else address


def _logo(connector: Connector) -> str:
    return f'<img src="/logos/{esc(connector.uuid)}-thumbnail@2x.png" alt="" width="32" height="32">'
