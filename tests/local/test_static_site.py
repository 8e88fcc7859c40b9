"""The page is served as a static host serves it."""

import gzip
from pathlib import Path

import pytest

from local.static_site import StaticSite, headers_for, parse_headers

HEADERS = """
# everywhere
/*
  X-Frame-Options: DENY
  Cache-Control: no-cache

/js/*
  Cache-Control: max-age=60
"""


@pytest.fixture
def site(tmp_path: Path) -> StaticSite:
    root = tmp_path / "web"
    (root / "js").mkdir(parents=True)
    (root / "index.html").write_text("<!doctype html><title>é</title>", "utf-8")
    (root / "js" / "app.js").write_text("export const a = 1\n" * 50, "utf-8")
    (root / "logo.png").write_bytes(b"\x89PNG")
    (root / "_headers").write_text(HEADERS, "utf-8")
    (root / ".hidden").write_text("x", "utf-8")
    (tmp_path / "secret.txt").write_text("x", "utf-8")
    return StaticSite(root)


def test_a_folder_shows_its_index_with_the_headers_of_the_host(site: StaticSite) -> None:
    page = site.get("/")
    assert page is not None
    headers = dict(page.headers)
    assert (page.status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert (headers["x-frame-options"], headers["cache-control"]) == ("DENY", "no-cache")
    assert "é" in page.body.decode()


def test_a_later_pattern_sets_a_header_anew(site: StaticSite) -> None:
    page = site.get("/js/app.js")
    assert page is not None
    headers = dict(page.headers)
    assert (headers["cache-control"], headers["x-frame-options"]) == ("max-age=60", "DENY")
    assert headers["content-type"] == "text/javascript; charset=utf-8"


@pytest.mark.parametrize("path", ["/nothing", "/../secret.txt", "/_headers", "/.hidden", "/js"])
def test_what_is_not_part_of_the_page_is_not_there(path: str, site: StaticSite) -> None:
    assert site.get(path) is None


def test_text_is_compressed_for_who_takes_it_and_pictures_are_not(site: StaticSite) -> None:
    script, picture = site.get("/js/app.js", compress=True), site.get("/logo.png", compress=True)
    assert script is not None
    assert picture is not None
    assert dict(script.headers)["content-encoding"] == "gzip"
    assert gzip.decompress(script.body).startswith(b"export")
    assert (dict(picture.headers).get("content-encoding"), picture.body) == (None, b"\x89PNG")


def test_an_unchanged_file_is_not_sent_again(site: StaticSite) -> None:
    first = site.get("/js/app.js")
    assert first is not None
    again = site.get("/js/app.js", etag=dict(first.headers)["etag"])
    assert again is not None
    assert (again.status, again.body) == (304, b"")


def test_headers_without_a_pattern_are_refused() -> None:
    with pytest.raises(ValueError, match="not a header line"):
        parse_headers("  X-Frame-Options: DENY")


def test_a_pattern_without_a_star_is_one_path() -> None:
    rules = parse_headers("/a\n  X: 1\n")
    assert headers_for(rules, "/a") == [("x", "1")]
    assert headers_for(rules, "/ab") == []


def test_an_edited_file_is_sent_at_the_next_request(site: StaticSite, tmp_path: Path) -> None:
    before = site.get("/js/app.js")
    assert before is not None
    (tmp_path / "web" / "js" / "app.js").write_text("edited()", "utf-8")
    after = site.get("/js/app.js", etag=dict(before.headers)["etag"])
    assert after is not None
    assert (after.status, after.body) == (200, b"edited()")
