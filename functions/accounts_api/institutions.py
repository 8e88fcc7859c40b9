"""Institutions: the catalogue that is searched, the incidents at them, and their logos. The same for every user."""

from base64 import b64encode
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from functions.accounts_api.container import container
from functions.accounts_api.reply import answers, json_reply, problems
from functions.accounts_api.request import LARGEST_PAGE, InstitutionId, PageSize, Search, read_language
from shared.contracts.api.institutions import IncidentList, InstitutionList, incident_list, institution_list
from shared.domain.errors import InvalidInput

router = APIGatewayHttpRouter()


@router.get("/v1/institutions", responses={**answers(InstitutionList), **problems(422, "invalid_limit")})
def list_institutions(search: Search = None, limit: PageSize = 20) -> Response[Any]:
    """Search the institutions that can be connected.

    The best match first; without `search`, in the order of the alphabet.
    """
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
    """List the incidents of now.

    What many users of an institution meet at the same time. They are the same for every user.
    """
    incidents = incident_list(container().institutions.incidents(), read_language(router.current_event))
    return json_reply(incidents.model_dump_json())


@router.get(
    "/v1/institutions/<institution_id>/logo",
    responses={
        200: {
            "description": "The picture.",
            "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
        },
        **problems(404, "not_found"),
        **problems(503, "powens_unavailable", "powens_busy"),
    },
)
def get_institution_logo(institution_id: InstitutionId) -> Response[Any]:
    """Get the logo of an institution.

    A PNG of at most a few hundred kilobytes, from this API: no screen has to tell another host which institutions
    somebody has. It may be stored for a week.
    """
    container().budget.look_at_the_pause()
    picture: Response[Any] = Response(
        status_code=200,
        content_type="image/png",
        # As text already: the resolver's validation would read bytes as UTF-8.
        body=b64encode(container().powens.logo(institution_id)).decode(),
        headers={"Cache-Control": "private, max-age=604800"},
    )
    picture.base64_encoded = True
    return picture
