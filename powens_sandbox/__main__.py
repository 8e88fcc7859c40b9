"""Starts the sandbox: `python -m powens_sandbox`."""

import contextlib
import os
import socket
import sys

import uvicorn

from powens_sandbox.app import create_app
from powens_sandbox.errors import ApiError
from powens_sandbox.settings import Settings


def main() -> int:
    try:
        settings = Settings.from_env(os.environ)
    except ApiError as error:
        print(f"powens sandbox: {error.description}", file=sys.stderr)
        return 2
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            print(f"powens sandbox: cannot use {settings.host}:{settings.port}: {error.strerror}", file=sys.stderr)
            return 2
    print(f"powens sandbox: http://localhost:{settings.port}/sandbox", flush=True)
    config = uvicorn.Config(
        create_app(settings), host=settings.host, port=settings.port, log_level="warning", access_log=False,
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C is how it ends
        uvicorn.Server(config).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
