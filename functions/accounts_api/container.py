"""What the API works with, for one process. Made by the first request that needs it."""

from functools import cache

from shared.bootstrap import Container


@cache
def container() -> Container:
    return Container.from_env()
