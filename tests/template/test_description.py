"""The API's description of who may call what, against the template's."""

from tests import openapi
from tests.template.cloudformation import Stack


def test_what_is_described_as_public_is_what_needs_no_token(deployed: Stack) -> None:
    routed = deployed.properties("HttpApi")["Body"]["paths"]
    described = openapi.rendered()["paths"]
    public = {path for path in described if described[path].get("get", {}).get("security") == []}

    assert public == {"/health", "/v1/openapi.json"}
    for path in described:
        security = routed.get(path, routed["/v1/{proxy+}"])["get"]["security"]
        assert (security == [{"NONE": []}]) == (path in public), path
