"""Serves `web/` as a static host would: the headers of its `_headers` file, entity tags, compression of text."""

import gzip
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_COMPRESSED = re.compile(r"^(text/|application/(javascript|json|manifest\+json)|image/svg)")
_UTF8 = re.compile(r"^(text/|application/(javascript|json|manifest\+json))")


@dataclass(frozen=True)
class Page:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class StaticSite:
    """`root` is read at each request, so that an edited page shows at the next reload."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def get(self, path: str, *, etag: str | None = None, compress: bool = False) -> Page | None:
        """The file behind a decoded URL path, or None when there is none. Never leaves the folder."""
        file = (self._root / path.lstrip("/")).resolve()
        if file.is_dir():
            file = file / "index.html"
        hidden = any(part.startswith((".", "_")) for part in file.parts[len(self._root.parts) :])
        if not file.is_relative_to(self._root) or hidden or not file.is_file():
            return None
        body = file.read_bytes()
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
        headers = [("content-type", f"{kind}; charset=utf-8" if _UTF8.match(kind) else kind), ("etag", tag)]
        rules = (
            parse_headers((self._root / "_headers").read_text("utf-8")) if (self._root / "_headers").exists() else ()
        )
        headers += headers_for(rules, path)
        if etag is not None and tag in etag:
            return Page(304, tuple(headers), b"")
        if _COMPRESSED.match(kind):
            headers.append(("vary", "accept-encoding"))
            if compress:
                body = _compressed(body)
                headers.append(("content-encoding", "gzip"))
        return Page(200, tuple(headers), body)


@lru_cache(maxsize=256)
def _compressed(body: bytes) -> bytes:
    return gzip.compress(body, 6, mtime=0)


type Rules = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


@lru_cache(maxsize=8)
def parse_headers(text: str) -> Rules:
    """A `_headers` file: path patterns at the margin, `Name: value` lines indented below them. `#` starts a comment."""
    rules: list[tuple[str, list[tuple[str, str]]]] = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not line[0].isspace():
            rules.append((line.strip(), []))
            continue
        name, separator, value = line.strip().partition(":")
        if not separator or not rules:
            raise ValueError(f"not a header line: {line!r}")
        rules[-1][1].append((name.strip().lower(), value.strip()))
    return tuple((pattern, tuple(headers)) for pattern, headers in rules)


def headers_for(rules: Rules, path: str) -> list[tuple[str, str]]:
    """Of every pattern that fits; a header set twice takes the last value."""
    found: dict[str, str] = {}
    for pattern, headers in rules:
        if re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), path):
            found.update(headers)
    return list(found.items())
