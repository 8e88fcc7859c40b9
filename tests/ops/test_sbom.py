"""The bill of materials has each locked package, and nothing is shipped under a licence that nobody has looked at."""

import json
import re
import uuid
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest

from ops import sbom


class Said(Distribution):
    """A package that is nowhere installed, by what it says."""

    def __init__(self, *lines: str) -> None:
        self._text = "\n".join(("Metadata-Version: 2.4", "Name: x", "Version: 1", *lines)) + "\n"

    def read_text(self, filename: str) -> str | None:
        return self._text if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Any:
        raise NotImplementedError


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return sbom.bill(sbom.installed())


def test_each_package_of_each_lock_is_in_it_with_its_version_and_hashes(document: dict[str, Any]) -> None:
    listed = {(one["name"], one["version"]): one for one in document["components"]}
    for lock in (sbom.SHIPPED, *sbom.TOOLS):
        packages = sbom.locked(lock)
        assert len(packages) == len(re.findall(r"^[A-Za-z0-9]", lock.read_text("utf-8"), re.MULTILINE)), lock
        for package in packages:
            one = listed[package]
            assert one["purl"] == f"pkg:pypi/{package[0]}@{package[1]}"
            assert one["hashes"], package
            assert (one["scope"] == "required") == (package in sbom.locked(sbom.SHIPPED))
    assert len(listed) == len(document["components"])


def test_it_is_the_form_that_readers_of_cyclonedx_expect(document: dict[str, Any]) -> None:
    assert (document["bomFormat"], document["specVersion"], document["version"]) == ("CycloneDX", "1.6", 1)
    assert uuid.UUID(document["serialNumber"].removeprefix("urn:uuid:")).version == 4
    references = {one["bom-ref"] for one in document["components"]}
    (roots,) = document["dependencies"]
    assert set(roots["dependsOn"]) <= references
    assert roots["ref"] == document["metadata"]["component"]["bom-ref"]
    for one in document["components"]:
        assert all(re.fullmatch("[0-9a-f]{64}", entry["content"]) for entry in one["hashes"])


def test_it_names_no_host_and_is_the_same_for_the_same_locks(document: dict[str, Any]) -> None:
    assert "://" not in json.dumps(document)
    assert sbom.bill(sbom.installed()) == document


def test_what_is_shipped_has_a_licence_that_is_allowed() -> None:
    assert sbom.refused(list(sbom.locked(sbom.SHIPPED)), sbom.installed()) == []


@pytest.mark.parametrize(
    ("said", "good"),
    [
        ("MIT", True),
        ("Apache-2.0 OR GPL-3.0-only", True),
        ("MIT AND BSD-3-Clause", True),
        ("MIT AND GPL-3.0-only", False),
        ("AGPL-3.0-or-later", False),
        ("Proprietary", False),
        (None, False),
    ],
)
def test_another_licence_or_none_is_refused_by_name(said: str | None, good: bool) -> None:
    licences = {} if said is None else {("x", "1"): said}
    complaints = sbom.refused([("x", "1")], licences)
    assert (complaints == []) == good
    assert good or complaints == [f"x 1: {said or 'not known'}"]


@pytest.mark.parametrize(
    ("lines", "read"),
    [
        (("License-Expression: MIT", "License: whatever"), "MIT"),
        (("License: Apache-2.0",), "Apache-2.0"),
        (("License: " + "a whole text " * 9, "Classifier: License :: OSI Approved :: ISC License (ISCL)"), "ISC"),
        (("Classifier: License :: OSI Approved :: Odd License",), "Odd License"),
        (("Classifier: Topic :: Software",), None),
    ],
)
def test_a_licence_is_read_where_a_package_says_it(lines: tuple[str, ...], read: str | None) -> None:
    assert sbom.licence(Said(*lines)) == read


def test_the_command_writes_the_bill_and_fails_for_a_licence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "sbom.json"
    assert sbom.main([str(target)]) == 0
    assert json.loads(target.read_text("utf-8")) == sbom.bill(sbom.installed())
    monkeypatch.setattr(sbom, "ALLOWED", frozenset({"MIT"}))
    assert sbom.main([str(target)]) == 1
    assert "not an allowed licence: certifi" in capsys.readouterr().err
