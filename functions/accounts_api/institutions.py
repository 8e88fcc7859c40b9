"""Institutions: the catalogue that is searched, the incidents at them, and their logos. The same for every user."""

from base64 import b64encode
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from functions.accounts_api.container import container
from functions.accounts_api.reply import answers, json_reply
from functions.accounts_api.request import LARGEST_PAGE, PageSize, Text, read_language
from shared.contracts.api.institutions import IncidentList, InstitutionList, incident_list, institution_list
from shared.domain.errors import InvalidInput

router = APIGatewayHttpRouter()


@router.get("/v1/institutions", responses=answers(InstitutionList))
def list_institutions(search: Text = None, limit: PageSize = 20) -> Response[Any]:
    """The best match first; without `search`, in the order of the alphabet."""
    if not 1 <= limit <= LARGEST_PAGE:
        raise InvalidInput("no such page", code="invalid_limit", field="limit")
    institutions = container().institutions
    listed = institution_list(
        institutions.search(search or "", most=limit),
        institutions.catalogue(),
        now=container().clock(),
        public_url=container().settings.public_url,
    )
    return json_reply(listed.model_dump_json(), headers={"Cache-Control": "private, max-age=60"})


@router.get("/v1/incidents", responses=answers(IncidentList))
def list_incidents() -> Response[Any]:
    """What many users of an institution meet at the same time."""
    incidents = incident_list(container().institutions.incidents(), read_language(router.current_event))
    return json_reply(incidents.model_dump_json())


@router.get("/v1/institutions/<institution_id>/logo", include_in_schema=False)
def institution_logo(institution_id: str) -> Response[Any]:
    """From us, so that no screen has to tell another host which banks somebody has."""
    picture: Response[Any] = Response(
        status_code=200,
        content_type="image/png",
        # As text already: the resolver's validation would read bytes as UTF-8.
        body=b64encode(container().powens.logo(institution_id)).decode(),
        headers={"Cache-Control": "private, max-age=604800"},
    )
    picture.base64_encoded = True
    return picture
