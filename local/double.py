"""The AWS double (ministack): one process on a free loopback port, empty at every start, with IAM enforced."""

import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local import processes
from local.paths import LOCAL_PYTHON, clean_environment

REGION = "us-east-1"
ACCOUNT = "000000000000"
READY_SECONDS = 30.0


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Double:
    """Started by `start`, ended by `stop`; `client` gives boto3 clients with the operator's (root) credentials."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Raises RuntimeError when it does not answer in time."""
        # It unpacks archives into its TMPDIR and leaves them there, so the folder is ours and starts empty.
        scratch = self._folder / "double"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        environment = {
            **clean_environment(),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "AUTH": "true",
            # Otherwise it opens a second, fixed port.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "TMPDIR": str(scratch),
            "LOG_LEVEL": "WARNING",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        log = self._folder / "logs" / "aws-double.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            self._process = processes.start(
                [str(LOCAL_PYTHON), "-m", "ministack"], env=environment, cwd=scratch, output=output
            )
        deadline = time.monotonic() + READY_SECONDS
        while not self._answers():
            if not processes.alive(self._process) or time.monotonic() > deadline:
                raise RuntimeError(f"the AWS double did not start; its log is {log}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=1) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> None:
        if self._process is not None:
            processes.stop(self._process)
            self._process = None

    def client(
        self, service: str, credentials: Mapping[str, str] | None = None, *, path: str = "", **settings: Any
    ) -> Any:
        """A boto3 client; `credentials` are the environment variables a function would find (default: root).

        `path` is put behind the endpoint, for what has an address of its own on AWS.
        """
        given = credentials or {}
        return boto3.session.Session().client(
            service,  # type: ignore[call-overload] # the name is only known at run time
            endpoint_url=self.endpoint + path,
            region_name=REGION,
            aws_access_key_id=given.get("AWS_ACCESS_KEY_ID", "test"),
            aws_secret_access_key=given.get("AWS_SECRET_ACCESS_KEY", "test"),
            aws_session_token=given.get("AWS_SESSION_TOKEN"),
            config=Config(retries={"max_attempts": 3}, connect_timeout=3, read_timeout=60, **settings),
        )

    def role_credentials(self, role_arn: str, session: str) -> dict[str, str]:
        """What Lambda puts into a function's environment: a session of its execution role, enforced by the double."""
        credentials = self.client("sts").assume_role(
            RoleArn=role_arn, RoleSessionName=session[:64], DurationSeconds=12 * 3600
        )["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
            "AWS_SESSION_TOKEN": credentials["SessionToken"],
        }
