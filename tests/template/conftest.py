"""The template, read once; expanded once as it is deployed to production and once as it is deployed offline."""

import copy
from typing import Any

import pytest

from local.intrinsics import load
from local.paths import TEMPLATE
from tests.template.cloudformation import Stack, translate


@pytest.fixture(scope="session")
def template_text() -> str:
    return TEMPLATE.read_text()


@pytest.fixture(scope="session")
def source(template_text: str) -> dict[str, Any]:
    """The template as written."""
    return load(template_text)


@pytest.fixture(scope="session")
def deployed(template_text: str) -> Stack:
    """The expanded template. Shared: whoever changes it takes `altered`."""
    return Stack(translate(template_text))


@pytest.fixture(scope="session")
def in_production(template_text: str) -> Stack:
    return Stack(translate(template_text, Stage="prod", GradualDeployments="true"))


@pytest.fixture
def altered(deployed: Stack) -> Stack:
    """A copy to seed a fault in."""
    return Stack(copy.deepcopy(dict(deployed.template)))
