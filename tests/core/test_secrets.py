"""Stars for what settings must not give away."""

from undeterred.core.secrets import masked


def test_secrets_are_found_by_their_names() -> None:
    """At any depth and in lists; objects under such a name are looked into; empty values stay."""
    tree = {
        "password": "p",
        "client_secret": "s",
        "list": [{"access_key": "a", "bucket": "b"}],
        "token": {"max_lifespan_days": 5},
        "auth": "basic abc",
        "registry_auth": {"password": "p", "username": "u"},
        "signing_key": "",
        "port": 8080,
        "enabled_secret": True,
    }
    stars = "********"
    assert masked(tree) == {
        "password": stars,
        "client_secret": stars,
        "list": [{"access_key": stars, "bucket": "b"}],
        "token": {"max_lifespan_days": 5},
        "auth": stars,
        "registry_auth": {"password": stars, "username": "u"},
        "signing_key": "",
        "port": 8080,
        "enabled_secret": True,
    }


def test_passwords_in_urls_are_starred() -> None:
    """The user and the host stay."""
    assert masked({"db_url": "postgresql://me:pw@host/db"}) == {"db_url": "postgresql://me:********@host/db"}
    assert masked(["http://host:80/a@b"]) == ["http://host:80/a@b"]
