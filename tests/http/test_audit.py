"""Who asked for what is told in the log when the settings say so."""

import logging

import msgspec
import pytest

from tests.conftest import make_settings
from tests.support import Client
from undeterred.base.settings import Settings


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    """With or without the audit log."""
    enabled = getattr(request, "param", True)
    return msgspec.structs.replace(make_settings(), internal={"audit_logging_enabled": enabled})


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Level and text of the audit log."""
    return [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "undeterred.audit"]


async def test_changes_and_refusals_are_told_reads_only_in_detail(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """With user and address; a password is in none of them."""
    await client.token("admin")
    caplog.clear()
    caplog.set_level(logging.DEBUG, "undeterred.audit")
    await client.ok("GET", "me")
    await client.ok("POST", "workspaces", {"name": "audited"})
    await client.call("POST", "auth/login", {"username": "admin", "password": "secret guess"}, user=None)
    assert [(level, text.split()[:2]) for level, text in lines(caplog)] == [
        ("DEBUG", ["operation=GetMe", "status=200"]),
        ("INFO", ["operation=PostWorkspace", "status=200"]),
        ("INFO", ["operation=Login", "status=401"]),
    ]
    assert "user=admin user_id=1 by=session" in lines(caplog)[1][1]
    assert "secret guess" not in caplog.text


@pytest.mark.parametrize("settings", [False], indirect=True)
async def test_without_the_setting_nothing_is_told(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """The default."""
    caplog.set_level(logging.DEBUG, "undeterred.audit")
    await client.ok("POST", "workspaces", {"name": "quiet"})
    assert lines(caplog) == []
