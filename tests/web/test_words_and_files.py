"""The page's files themselves: each key that it uses and no other, and no door for scripts or strangers."""

import json
import re
from pathlib import Path

from shared.domain.facts import FactType
from shared.domain.status import ConnectionStatus

WEB = Path(__file__).resolve().parents[2] / "web"
JS = WEB / "js"
SCRIPTS = {path.relative_to(JS).as_posix(): path.read_text() for path in JS.rglob("*.js")}
FRENCH = json.loads((WEB / "locales" / "fr.json").read_text())
TYPES = ["checking", "card", "savings", "securities", "life_insurance", "employee_savings", "loan", "crypto", "other"]
# Powens' types whose name says more than ours.
PRODUCTS = [
    "joint", "livret_a", "livret_b", "ldds", "lep", "cel", "pel", "csl", "cat", "deposit", "market", "pea",
    "lifeinsurance", "capitalisation", "madelin", "per", "perp", "pee", "perco", "rsp", "article83", "mortgage",
    "consumercredit", "revolvingcredit", "real_estate", "crowdlending",
]  # fmt: skip
# What the diagnosis may rest on: the codes before the colon (docs/diagnosis.md).
EVIDENCE = [
    "unticked_accounts", "refused_accounts", "added_accounts", "closed_accounts", "missing_accounts", "no_such_account",
    "untyped_account", "connection_works", "status", "incident", "not_synchronised_lately", "source_not_added",
    "capability", "product", "no_capability", "no_product", "source_lists_it", "only_source", "source_disabled",
    "other_users", "fewer_other_users_than", "own_other_connection", "restricted", "catalogue_silent",
    "catalogue_stale", "not_in_catalogue", "no_catalogue",
]  # fmt: skip

# Keys built at run time, by their beginning, and every ending that the API's contract allows.
FAMILIES = {
    "type.": TYPES,
    "types.": TYPES,
    "product.": PRODUCTS,
    "history.status.": [*ConnectionStatus],
    "evidence.": EVIDENCE,
    "sign.": ["same_type", "same_currency", "same_institution", "same_balance", "same_name"],
    "balances.": ["manual", "synced"],
    "missing.expect.": ["yes", "no", "unknown", "closed"],
    "account.": [
        "enabling", "disabling", "closed_at_bank", "failed", "duplicate.at", "duplicate.again", "duplicate.here",
    ],
    "cause.": ["user", "webview", "bank", "reconciliation", "erasure"],
    "change.": ["added", "enabled", "disabled", "refreshed", "renamed", "closed", "removed"],
    "history.kind.": [*FactType, "other"],
    "operation.open.": ["selection", "refresh", "deletion", "restoration", "undo"],
    "operation.completed.": ["selection", "refresh", "deletion", "restoration", "undo"],
    "operation.": [
        "partially_completed", "needs_user", "failed", "failed.refresh", "failed.deletion", "timed_out",
    ],
    "outcome.": ["pending", "running", "partially_completed", "needs_user", "failed", "timed_out"],
    "progress.": [
        "failed", "superseded", "needs_user", "pending.enabled", "pending.disabled", "done.enabled", "done.disabled",
    ],
    "return.": [f"{result}{at}" for result in ("done", "cancelled", "failed", "unknown") for at in ("", ".at")],
    "data.": ["seen", "kept", "never", *(f"erase.{of}" for of in ("here", "powens", "manual"))],
    "search.": ["type", "order", *(f"by.{order}" for order in ("attention", "name", "balance"))],
    "preview.": ["enable", "disable"],
    "action.": [
        *(f"{flow}{at}" for flow in ("manage", "reconnect") for at in ("", ".at")), "connect",
        *(f"{act}{at}" for act in ("choose", "more", "refresh", "history", "open_powens") for at in ("", ".at")),
        "end.at", *(f"{act}{of}" for act in ("edit", "delete") for of in ("", ".account")),
    ],
}  # fmt: skip


def used_keys() -> set[str]:
    text = "\n".join(SCRIPTS.values())
    literal = {
        key
        for key in re.findall(r"'([a-z_]+\.[A-Za-z_.]+)'", text)
        if key.split(".")[0] in {k.split(".")[0] for k in FRENCH}
    }
    return literal | {start + end for start, ends in FAMILIES.items() for end in ends}


def test_every_key_that_the_page_uses_is_in_the_locales_and_no_other() -> None:
    assert used_keys() == set(FRENCH)


def test_the_policy_allows_our_own_scripts_and_styles_only() -> None:
    policy = next(line for line in (WEB / "_headers").read_text().splitlines() if "Content-Security-Policy" in line)
    directives = {part.split()[0]: part.split()[1:] for part in policy.split(": ", 1)[1].split("; ")}
    assert directives["default-src"] == ["'none'"]
    assert directives["script-src"] == directives["style-src"] == ["'self'"]
    assert directives["img-src"] == ["'self'", "blob:"]  # blob: a logo that the API gave, in memory
    assert directives["base-uri"] == directives["form-action"] == directives["frame-ancestors"] == ["'none'"]
    assert directives["require-trusted-types-for"] == ["'script'"]
    assert directives["connect-src"] == ["'self'"]
    assert "unsafe" not in policy


def test_the_headers_of_production_name_no_machine_of_a_developer() -> None:
    assert not re.search(r"localhost|127\.0\.0\.1|\*:|:\*", (WEB / "_headers").read_text())


def test_the_document_has_no_inline_script_style_or_handler() -> None:
    document = (WEB / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)", document) == []
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=", document) == []


def loaded_with(*names: str) -> set[str]:
    """These modules and all that they import, as paths below js/."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            imports = re.findall(r" from '([^']+)';", SCRIPTS[name])
            waiting += [(JS / name).parent.joinpath(path).resolve().relative_to(JS).as_posix() for path in imports]
    return found


def test_every_module_of_the_first_load_is_announced_so_that_none_waits_for_another() -> None:
    announced = re.findall(r'modulepreload" href="js/([^"]+)"', (WEB / "index.html").read_text())
    assert sorted(announced) == sorted(loaded_with("main.js"))


def test_every_other_module_is_loaded_by_a_tap() -> None:
    tapped = set(re.findall(r"(?:\b(?:withView|view)|#routeTo|\bthen)\('([a-z-]+)'", "\n".join(SCRIPTS.values())))
    views = [f"views/{name}.js" for name in tapped]
    assert loaded_with("main.js").isdisjoint(views)
    assert loaded_with("main.js", *views) == set(SCRIPTS)


def test_text_is_never_parsed_as_html_or_code() -> None:
    for name, text in SCRIPTS.items():
        assert (
            re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text) == []
        ), name


def test_no_file_names_another_host() -> None:
    for path in WEB.rglob("*"):
        if path.suffix in {".js", ".css", ".html", ".json"}:
            hosts = re.findall(r"https?://([^/'\"\s`)]+)", path.read_text())
            assert [host for host in hosts if host != "www.w3.org"] == [], path.name


def test_tokens_have_no_way_into_storage() -> None:
    storing = [
        name
        for name, text in SCRIPTS.items()
        if re.search(r"localStorage|sessionStorage|indexedDB|document\.cookie", text)
    ]
    assert storing == ["memory.js"]
    assert "token" not in re.sub(r"/\*.*?\*/", "", SCRIPTS["memory.js"], flags=re.DOTALL)
