"""The OpenAPI document of the API, as it is stored in `docs/openapi.json`, and the Postman collection made from it.

`make openapi` writes both anew.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from functions.accounts_api.routes import openapi_json
from tests.postman import collection

STORED = Path(__file__).parents[1] / "docs" / "openapi.json"
COLLECTION = STORED.parent / "clients" / "postman.json"


def rendered() -> dict[str, Any]:
    """What `GET /v1/openapi.json` answers."""
    document: dict[str, Any] = json.loads(openapi_json())
    return document


def promised(operation: Mapping[str, Any], status: int | str) -> Any:
    """What an operation says of answers with this status, or else of all of its range; None when nothing."""
    responses: Mapping[str, Any] = operation["responses"]
    return responses.get(str(status), responses.get(f"{str(status)[0]}XX"))


def main() -> None:
    document = rendered()
    for path, made in ((STORED, document), (COLLECTION, collection(document))):
        # Sorted: the order in which routes are registered says nothing.
        text = json.dumps(made, indent=2, sort_keys=True, ensure_ascii=False)
        path.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
