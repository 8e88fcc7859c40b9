"""The page reads what the API's description says, by the types that are generated from it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.packages import NODE, ROOT, TSC

pytestmark = pytest.mark.slow

MISTAKES = [
    ("views/parts.js", "account.iban_last4", "account.iban_last5"),
    ("store.js", "connection.consent_expires_at ?", "connection.consent_expire_at ?"),
    ("store.js", "list.manual_accounts", "list.manual_account"),
    ("store.js", "account.status !== 'closed_at_bank'", "account.status !== 'shut'"),
    ("views/operation-panel.js", "status_reason?.next_step", "status_reason?.nextStep"),
]
"""A file, and what it says, with a member or a value that the API does not have."""


@pytest.fixture(scope="session")
def page(generated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the page with the types beside it."""
    folder = tmp_path_factory.mktemp("page")
    shutil.copytree(ROOT / "web", folder / "web")
    shutil.copytree(generated / "page", folder / ".clients" / "page")
    shutil.copy(ROOT / "jsconfig.json", folder)
    return folder


def complaints(page: Path) -> list[str]:
    done = subprocess.run([NODE, TSC, "--project", page / "jsconfig.json"], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (done.stdout == "")
    return [line for line in done.stdout.splitlines() if ": error " in line]


def test_the_page_has_the_types_of_the_api(page: Path) -> None:
    assert complaints(page) == []
    options = json.loads((page / "jsconfig.json").read_text("utf-8"))["compilerOptions"]
    assert options["checkJs"]


def test_a_member_or_a_value_that_the_api_does_not_have_is_noticed(page: Path) -> None:
    for file, right, wrong in MISTAKES:
        path = page / "web/js" / file
        before = path.read_text("utf-8")
        assert right in before
        path.write_text(before.replace(right, wrong), "utf-8")
    told = "\n".join(complaints(page))
    for name in ("'iban_last5'", "'consent_expire_at'", "'manual_account'", '"shut"', "'nextStep'"):
        assert name in told, told
