"""Pages that a browser is sent to: the login, and the way to a notebook."""

import pytest

from tests.http.live import Place


async def test_the_login_is_a_page_for_everybody(place: Place) -> None:
    """It brings no script but its own."""
    answer = await place.get("/det/login?redirect=%2Fdocs%2F", None)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    for asset in ("login.js", "login.css", "site.css", "icon.svg"):
        assert f"../docs/static/{asset}" in answer.text
        assert (await place.get(f"/docs/static/{asset}", None)).status_code == 200


async def test_the_address_that_the_client_opens_leads_to_the_task(place: Place) -> None:
    """With the notebook's own token; a stranger logs in first and comes back."""
    made = await place.client.ok("POST", "notebooks", {"config": {"resources": {"slots": 0}}})
    task = made["notebook"]["id"]
    path = f"/det/interactive/{task}/jupyter-lab/a%20b/default/wait?currentSlotsExceeded=false"
    stranger = await place.get(path, None)
    assert (stranger.status_code, stranger.headers["location"]) == (
        303,
        f"/det/login?redirect=%2Fdet%2Finteractive%2F{task}%2Fopen",
    )
    sent = await place.get(path)
    assert sent.status_code == 303
    assert sent.headers["location"].startswith(f"/proxy/{task}/")
    assert (await place.get(sent.headers["location"], None, Accept="text/html")).status_code in (200, 503)
    assert (await place.get(f"/det/interactive/{task}/open")).headers["location"] == sent.headers["location"]


@pytest.mark.parametrize("path", ["/det/interactive/none/open", "/det/interactive/a%2Fb/open", "/det/experiments"])
async def test_other_addresses_are_not_found(place: Place, path: str) -> None:
    """For those who are logged in, too."""
    assert (await place.get(path)).status_code == 404


@pytest.mark.parametrize(
    "path",
    ["%2e%2e/docs.py", "%2e%2e%2fdocs.py", "..%2f..%2f__init__.py", "%252e%252e%252fdocs.py", "%2fetc%2fpasswd"],
)
async def test_the_files_of_pages_never_lead_out(place: Place, path: str) -> None:
    """Only what lies in their folder is sent."""
    assert (await place.get(f"/docs/static/{path}", None)).status_code == 404
