"""What the API works with, for one process. Made by the first request that needs it."""

from functools import cache

from shared.bootstrap import Container
from shared.entrypoints.observability import count_ended, count_refused


@cache
def container() -> Container:
    return Container.from_env(on_refused=count_refused, on_ended=count_ended)
