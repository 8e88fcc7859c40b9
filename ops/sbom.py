"""The bill of materials, and the licences of what is shipped: `python -m ops.sbom <file>`, or `make sbom`.

CycloneDX 1.6, from the hashed lock files, the same for the same locks: every package with its version, the hashes of
the files that it may be installed from, and its licence as the installed package says it. What is shipped, in the layer
of the functions, has the scope `required`; what builds and tests it is `excluded`.
"""

import hashlib
import json
import re
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "shared" / "requirements.txt"
TOOLS = tuple(sorted((ROOT / "local" / "locks").glob("*.txt")))
ENVIRONMENTS = ROOT / ".venvs"

ALLOWED = frozenset(
    {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0", "Unlicense"}
)
"""Of what is shipped (SPDX): none asks for more than its text. MPL-2.0 asks for the source of its own files."""
_SPDX = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""Of the classifiers that packages still have in the place of an expression."""
_PACKAGE = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)")

type Package = tuple[str, str]
"""Name and version."""


def locked(lock: Path) -> dict[Package, list[str]]:
    """The packages of a lock file with the SHA-256 of each file that they may be installed from."""
    found: dict[Package, list[str]] = {}
    for line in lock.read_text("utf-8").replace("\\\n", " ").splitlines():
        if match := _PACKAGE.match(line):
            name = re.sub(r"[-_.]+", "-", match[1]).lower()
            found[name, match[2]] = sorted(re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
    return found


def licence(distribution: Distribution) -> str | None:
    """As the package says: an SPDX expression, where it has none a short `License`, else its classifiers."""
    said = distribution.metadata
    expression: str | None = said.get("License-Expression")
    if expression:
        return expression
    short = (said.get("License") or "").strip()
    if short and "\n" not in short and len(short) <= 40:
        return _SPDX.get(short, short)
    classifiers = said.get_all("Classifier") or []
    names = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License :: OSI Approved :: ")]
    return " OR ".join(_SPDX.get(name, name) for name in names) or None


def installed(environments: Path = ENVIRONMENTS) -> dict[Package, str]:
    """The licences of the packages in all environments, as far as they say one."""
    folders = [str(path) for path in sorted(environments.glob("*/lib/python*/site-packages"))]
    found = {}
    for one in distributions(path=folders):
        said = licence(one)
        if said:
            found[re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower(), one.version] = said
    return found


def refused(shipped: Sequence[Package], licences: Mapping[Package, str]) -> list[str]:
    """In words, each shipped package whose licence is not allowed, or not known."""
    found = []
    for name, version in shipped:
        said = licences.get((name, version), "not known")
        # A choice is good when one of its sides is; what is joined by AND must be good as a whole.
        sides = [set(re.split(r" AND ", side)) for side in said.strip("()").split(" OR ")]
        if not any(side <= ALLOWED for side in sides):
            found.append(f"{name} {version}: {said}")
    return found


def _component(package: Package, hashes: Sequence[str], licences: Mapping[Package, str], *, is_shipped: bool) -> Any:
    name, version = package
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": f"pkg:pypi/{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name}@{version}",
        "scope": "required" if is_shipped else "excluded",
        "hashes": [{"alg": "SHA-256", "content": value} for value in hashes],
    }
    if said := licences.get(package):
        # An expression has identifiers of SPDX in it; whatever else a package says is a name.
        known = set(re.findall(r"[\w.+-]+", said)) - {"AND", "OR"} <= ALLOWED
        component["licenses"] = [{"expression": said} if known else {"license": {"name": said}}]
    return component


def _components(licences: Mapping[Package, str]) -> Iterator[Any]:
    shipped = locked(SHIPPED)
    everything = {package: hashes for lock in TOOLS for package, hashes in locked(lock).items()} | shipped
    for package in sorted(everything):
        yield _component(package, everything[package], licences, is_shipped=package in shipped)


def bill(licences: Mapping[Package, str]) -> dict[str, Any]:
    """The CycloneDX document."""
    components = list(_components(licences))
    version = re.findall(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)[0]
    product = {"type": "application", "bom-ref": "synced-accounts", "name": "synced-accounts", "version": version}
    product |= {"licenses": [{"license": {"id": "MIT"}}]}
    required = [one["bom-ref"] for one in components if one["scope"] == "required"]
    # The same locks have the same number: two bills can be compared by it.
    number = uuid.UUID(bytes=hashlib.sha256(json.dumps(components, sort_keys=True).encode()).digest()[:16], version=4)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{number}",
        "version": 1,
        "metadata": {"component": product},
        "components": components,
        "dependencies": [{"ref": "synced-accounts", "dependsOn": required}],
    }


def main(arguments: Sequence[str]) -> int:
    """1 when something is shipped under a licence that is not allowed, or under none that is known."""
    (target,) = arguments
    licences = installed()
    document = bill(licences)
    Path(target).write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    complaints = refused(list(locked(SHIPPED)), licences)
    for line in complaints:
        sys.stderr.write(f"not an allowed licence: {line}\n")
    shipped = sum(one["scope"] == "required" for one in document["components"])
    sys.stdout.write(f"{target}: {len(document['components'])} packages, {shipped} of them shipped\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
