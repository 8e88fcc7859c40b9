"""Builds are made once per content, and kept while they are used."""

import os
from pathlib import Path

import pytest

from local import build


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The digests that were built, in order; the digest is the content of a file."""
    source, done = tmp_path / "source", list[str]()
    source.write_text("a", "utf-8")

    def make(target: Path) -> None:
        target.mkdir(parents=True)
        (target / "template.yaml").touch()
        done.append(target.name)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(build, "BUILDS", tmp_path / "builds")
    monkeypatch.setattr(build, "STATE", tmp_path)
    monkeypatch.setattr(build, "digest", lambda: source.read_text("utf-8"))
    monkeypatch.setattr(build, "_make", make)
    return done


def content(text: str) -> None:
    Path("source").write_text(text, "utf-8")


def test_the_same_content_is_built_once(made: list[str]) -> None:
    for text in ("a", "b", "a"):
        content(text)
        with build.built() as folder:
            assert (folder / "template.yaml").exists()
    assert made == ["a", "b"]


def test_old_builds_are_forgotten_but_not_one_in_use(made: list[str], tmp_path: Path) -> None:
    with build.built() as used:
        for age, text in enumerate("bcdef"):
            content(text)
            with build.built() as folder:
                os.utime(folder, (age, age))
            os.utime(used, (-1, -1))
        assert used.exists()
        assert len(list((tmp_path / "builds").iterdir())) == 4
    content("g")
    with build.built():
        assert not used.exists()


def test_every_file_of_the_product_counts_and_bytecode_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("shared/a.py", "functions/f/app.py", "local/locks/sam.txt", ".python-version", "template.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name, "utf-8")
    before = build.digest(tmp_path)
    (tmp_path / "shared" / "__pycache__").mkdir()
    (tmp_path / "shared" / "__pycache__" / "a.cpython-313.pyc").write_bytes(b"x")
    assert build.digest(tmp_path) == before
    for name in ("shared/a.py", "functions/f/app.py", "local/locks/sam.txt", "template.yaml"):
        (tmp_path / name).write_text("changed", "utf-8")
        after = build.digest(tmp_path)
        assert after != before
        before = after


def test_the_processor_is_named_as_sam_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {}
    for machine in ("arm64", "aarch64", "x86_64", "AMD64"):
        monkeypatch.setattr("platform.machine", lambda machine=machine: machine)
        names[machine] = build.architecture()
    assert names == {"arm64": "arm64", "aarch64": "arm64", "x86_64": "x86_64", "AMD64": "x86_64"}
