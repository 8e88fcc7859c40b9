"""Where things are in the work tree. What the offline system writes is under `.local/` (`make clean` removes it)."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".local"
BUILDS = STATE / "builds"
WEB = ROOT / "web"
TEMPLATE = ROOT / "template.yaml"

# What plays the Lambda runtime image: AWS's runtime client and boto3, and nothing of the project or of the launcher.
RUNTIME_PYTHON = ROOT / ".venvs" / "runtime" / "bin" / "python"
PEER_PACKAGES = ROOT / ".venvs" / "peers" / "lib" / "python3.13" / "site-packages"
LOCAL_PYTHON = ROOT / ".venvs" / "local" / "bin" / "python"
SAM_BIN = ROOT / ".venvs" / "sam" / "bin"


def clean_environment() -> dict[str, str]:
    """What a child process needs from ours, without the operator's AWS settings, credentials or Python switches."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "LD_LIBRARY_PATH")
    return {name: os.environ[name] for name in kept if name in os.environ}
