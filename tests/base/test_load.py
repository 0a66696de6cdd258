"""Settings from a file, the environment and flags."""

from typing import Any

import pytest
import yaml

from undeterred.base.errors import Invalid
from undeterred.base.load import load
from undeterred.base.settings import Settings


def read(text: str | None = None, environment: dict[str, str] | None = None, **flags: Any) -> Settings:
    """`flags` are dotted keys with `__` for the dot."""
    return load(text, environment or {}, {key.replace("__", "."): value for key, value in flags.items()}, yaml.safe_load)


def test_the_later_source_wins() -> None:
    """A flag over the environment, the environment over the file, the file over what is built in; None is not given."""
    file, environment = "port: 1\nundeterred: {host: file, slots: 1}", {"DET_PORT": "2", "UNDETERRED_HOST": "env"}
    assert read().port == 8080
    assert read(file).port == 1
    assert (read(file, environment).port, read(file, environment).undeterred.host) == (2, "env")
    settings = read(file, environment, port=3, undeterred__host=None)
    assert (settings.port, settings.undeterred.host, settings.undeterred.slots) == (3, "env", 1)


def test_both_spellings_of_the_environment_reach_nested_keys() -> None:
    """`DET_SECURITY_INITIAL_USER_PASSWORD` as the compatible server reads it, `UNDETERRED_SECURITY__AUTHZ__TYPE` as ours."""
    settings = read(
        None, {"UNDETERRED_SECURITY__AUTHZ__TYPE": "rbac", "DET_CLUSTER_NAME": "lab", "UNDETERRED_LAUNCH_ERROR": "false"}
    )
    assert (settings.security.authz.type, settings.cluster_name, settings.launch_error) == ("rbac", "lab", False)
    given = read(None, {"DET_SECURITY_INITIAL_USER_PASSWORD": "Known1"}).security.initial_user_password
    assert given is not None
    assert given.reveal() == "Known1"


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        (None, {}, None),
        ("security: {initial_user_password: ''}", {}, ""),
        (None, {"UNDETERRED_INITIAL_PASSWORD": ""}, ""),
        ("security: {initial_user_password: a}", {"UNDETERRED_INITIAL_PASSWORD": "b"}, "b"),
    ],
)
def test_an_empty_password_is_one(text: str | None, environment: dict[str, str], expected: str | None) -> None:
    """An empty one that is asked for differs from none; it never shows itself."""
    given = read(text, environment).security.initial_user_password
    assert (None if given is None else given.reveal()) == expected
    assert repr(read("security: {initial_user_password: hidden}")).count("hidden") == 0


def test_variables_of_the_client_mean_nothing_here() -> None:
    """Those with `DET_` that are no master key are a client's; unknown ones with `UNDETERRED_` are mistakes."""
    assert read(None, {"DET_MASTER": "x", "DET_USER": "y", "DET_PASS": "z", "DET_WHATEVER": "1"}) == read()
    with pytest.raises(Invalid, match="UNDETERRED_WHATEVER is no setting"):
        read(None, {"UNDETERRED_WHATEVER": "1"})


def test_all_unknown_keys_are_named_at_once() -> None:
    """With their places; keys of free mappings are not looked at."""
    text = "nonsense: 1\nsecurity: {tls: {certificate: x}, more: 1}\ntask_container_defaults: {anything: 1}\n5: x"
    with pytest.raises(Invalid, match=r"^configuration file: unknown keys nonsense, security.tls.certificate, security.more, 5$"):
        read(text)
    with pytest.raises(Invalid, match=r"unknown key one$"):
        read("one: 1")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("port: eighty", "port: Expected `int`, got `str`"),
        ("port: 65536", "65536 is not between 0 and 65535"),
        ("undeterred: {slots: -1}", "undeterred.slots: -1 is not 0 or more"),
        ("security: {authz: {type: acl}}", "security.authz.type: 'acl' is not one of basic, rbac"),
        ("undeterred: {durability: some}", "durability: 'some' is not one of normal, full"),
        ("- list", "must be a mapping"),
        ("{", "not valid YAML"),
    ],
)
def test_wrong_values_name_their_key(text: str, says: str) -> None:
    """And what would be right."""
    with pytest.raises(Invalid) as caught:
        read(text)
    assert says in str(caught.value)


def test_older_places_of_pools_and_scheduler_are_taken() -> None:
    """Pools inside the resource manager, the scheduler at the top; the present places win."""
    old = "scheduler: {type: fair_share}\nresource_manager: {type: agent, resource_pools: [{pool_name: a}]}\n"
    settings = read(old)
    assert settings.resource_pools == [{"pool_name": "a"}]
    assert settings.resource_manager == {"type": "agent", "scheduler": {"type": "fair_share"}}
    both = read(old + "resource_pools: [{pool_name: b}]\n")
    assert both.resource_pools == [{"pool_name": "b"}]
    kept = read("scheduler: {type: fair_share}\nresource_manager: {scheduler: {type: priority}}\n")
    assert kept.resource_manager["scheduler"] == {"type": "priority"}
