"""How the traces of a deployed system name a user."""

import json

from ops.system import System
from shared.domain.users import user_key


def key_of(system: System, user_id: str) -> str:
    """What to look for in the field `user` of the traces. Needs leave to read the secret of the traces."""
    name = f"synced-accounts/{system.parameters['Stage']}/traces"
    secret = system.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]
    return user_key(user_id, json.loads(secret)["key"])
