"""The generated clients, in the world of the functions."""

from tests.clients.packages import app, generated
from tests.integration.conftest import world

__all__ = ["app", "generated", "world"]
