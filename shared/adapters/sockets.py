"""Messages to open screens, through the management API of the WebSocket API."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from shared.domain.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient


@dataclass(frozen=True, slots=True)
class Sockets:
    client: "ApiGatewayManagementApiClient"

    def send(self, socket_id: str, message: str) -> bool:
        """False when the socket is closed. Raises Unavailable."""
        try:
            self.client.post_to_connection(ConnectionId=socket_id, Data=message.encode())
        except self.client.exceptions.GoneException:
            return False
        except (ClientError, BotoCoreError) as error:
            raise Unavailable("the socket cannot be reached", code="socket_unavailable") from error
        return True

    def close(self, socket_id: str) -> None:
        """Nothing happens when it is closed already. Raises Unavailable."""
        try:
            self.client.delete_connection(ConnectionId=socket_id)
        except self.client.exceptions.GoneException:
            return
        except (ClientError, BotoCoreError) as error:
            raise Unavailable("the socket cannot be reached", code="socket_unavailable") from error
