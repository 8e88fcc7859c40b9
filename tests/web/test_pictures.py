"""The pictures of the README are of states of the page. `make pictures` takes them anew, for somebody to look at."""

import os
from pathlib import Path

import pytest

from tests.web.screen import PHONE, OpenScreen, Stub
from tests.web.states import STATES

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
TOUR = ("list", "choosing", "preview", "changing")


def size(picture: Path) -> tuple[int, int]:
    """Width and height, as a PNG file begins with them."""
    head = picture.read_bytes()[16:24]
    return int.from_bytes(head[:4]), int.from_bytes(head[4:])


@pytest.mark.parametrize("name", TOUR)
def test_a_picture_is_of_a_state_that_the_page_has(
    name: str, new_screen: OpenScreen, stub: Stub, tmp_path: Path
) -> None:
    scenario, reach = STATES[name]
    stub.reset(scenario)
    screen = new_screen(viewport=PHONE, is_mobile=True, has_touch=True, reduced_motion="reduce")
    reach(screen, stub)
    folder = PICTURES if "PICTURES" in os.environ else tmp_path
    folder.mkdir(exist_ok=True)
    screen.page.screenshot(path=folder / f"{name}.png")
    assert size(PICTURES / f"{name}.png") == size(folder / f"{name}.png")


def test_the_readme_shows_what_is_pictured_and_nothing_else() -> None:
    assert sorted(path.stem for path in PICTURES.iterdir()) == sorted(TOUR)
    readme = (ROOT / "README.md").read_text("utf-8")
    assert all(f"docs/pictures/{name}.png" in readme for name in TOUR)
