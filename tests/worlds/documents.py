"""The JSON documents of stored items, as DynamoDB answers with them."""

import json
import zlib
from typing import Any


def content_of(item: dict[str, Any]) -> Any:
    """What the document of an item says, compressed or not."""
    return json.loads(zlib.decompress(item["packed"]["B"]) if "packed" in item else item["document"]["S"])


def with_content(item: dict[str, Any], content: Any) -> dict[str, Any]:
    """The item with another document, not compressed."""
    return {name: value for name, value in item.items() if name != "packed"} | {"document": {"S": json.dumps(content)}}
