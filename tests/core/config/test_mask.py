"""Secrets are never shown."""

import copy

import pytest

from undeterred.base.errors import Invalid
from undeterred.core.config.mask import STARS, mask_experiment, mask_storage, mask_task, read_storage, show_storage


@pytest.mark.parametrize(
    ("storage", "shown"),
    [
        ({"type": "gcs", "bucket": "b"}, {"bucket": "b", "prefix": None, "type": "gcs"}),
        ({"type": "directory", "container_path": "/x"}, {"container_path": "/x", "type": "directory"}),
        (
            {"type": "shared_fs", "host_path": "/x", "tensorboard_path": "old"},
            {"host_path": "/x", "propagation": None, "storage_path": None, "type": "shared_fs"},
        ),
        (
            {"type": "azure", "container": "c", "account_url": "u", "credential": "k", "save_trial_best": 2},
            {
                "account_url": "u",
                "connection_string": None,
                "container": "c",
                "credential": STARS,
                "save_trial_best": 2,
                "type": "azure",
            },
        ),
    ],
)
def test_storage_of_a_workspace(storage, shown):
    """Every key of the storage's type shows, null where nothing is set, with stars for secrets."""
    numbers = dict.fromkeys(("save_experiment_best", "save_trial_best", "save_trial_latest"))
    assert show_storage(read_storage(storage)) == {**numbers, **shown}


@pytest.mark.parametrize(
    ("storage", "path"),
    [
        ({}, ".type"),
        ({"type": "x"}, ".type"),
        ({"type": "s3"}, ".bucket"),
        ({"type": "s3", "bucket": ""}, ".bucket"),
        ({"type": "azure", "container": "c"}, ""),
        ({"type": "gcs", "bucket": "b", "save_trial_best": -1}, ".save_trial_best"),
        ({"bucket": "b"}, ".bucket"),
    ],
)
def test_refused_storages(storage, path):
    """A storage on its own must be complete and right."""
    with pytest.raises(Invalid) as error:
        read_storage(storage)
    assert f"<checkpoint_storage>{path}: " in str(error.value)


def test_unset_secrets_stay_null():
    """Stars tell that a secret is there."""
    assert mask_storage({"type": "s3", "access_key": None, "secret_key": "s"}) == {
        "type": "s3",
        "access_key": None,
        "secret_key": STARS,
    }


def test_configuration_of_an_experiment():
    """Secrets of storage, registry, Pachyderm and data are starred in a copy; the rest stays, the original too."""
    config = {
        "checkpoint_storage": {"type": "s3", "bucket": "b", "access_key": "A", "secret_key": None},
        "environment": {"registry_auth": {"username": "u", "password": "p", "auth": "a"}, "image": {"cpu": "i"}},
        "integrations": {"pachyderm": {"dataset": {"token": "t", "repo": "r"}, "pachd": {"token": "t"}}},
        "data": {"secrets": {"x": "y", "z": {"deep": 1}}, "path": "/d"},
    }
    before = copy.deepcopy(config)
    assert mask_experiment(config) == {
        "checkpoint_storage": {"type": "s3", "bucket": "b", "access_key": STARS, "secret_key": None},
        "environment": {"registry_auth": {"username": "u", "password": STARS, "auth": STARS}, "image": {"cpu": "i"}},
        "integrations": {"pachyderm": {"dataset": {"token": STARS, "repo": "r"}, "pachd": {"token": STARS}}},
        "data": {"secrets": {"x": STARS, "z": STARS}, "path": "/d"},
    }
    assert config == before


@pytest.mark.parametrize("config", [{}, {"checkpoint_storage": None, "environment": {"registry_auth": None}, "data": [1]}])
def test_nothing_to_hide(config):
    """A configuration without secrets, or without the sections that hold them, is shown as it is."""
    assert mask_experiment(config) == config


def test_configuration_of_a_task():
    """Of a task only the registry's credentials are secret."""
    auth = {"username": "u", "identitytoken": "t"}
    assert mask_task({"environment": {"registry_auth": auth}}) == {
        "environment": {"registry_auth": {"username": "u", "identitytoken": STARS}}
    }
