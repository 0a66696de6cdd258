"""TensorBoards: what they show, and shells' keys."""

from typing import Any

from cryptography.hazmat.primitives.serialization import load_ssh_private_key, load_ssh_public_key

from tests.support import Client


async def experiment(client: Client, storage: str = "{type: shared_fs, host_path: /ckpts, storage_path: deep}") -> int:
    """An unmanaged experiment with a checkpoint storage; its id."""
    config = f"{{name: x, searcher: {{name: single, metric: loss}}, checkpoint_storage: {storage}, environment: {{image: mine}}}}"
    answer = await client.ok("POST", "experiments", {"config": config, "unmanaged": True})
    return int(answer["experiment"]["id"])


async def trial(client: Client, experiment_id: int) -> int:
    """A trial of it; its id."""
    return int((await client.ok("POST", "trials", {"experimentId": experiment_id, "unmanaged": True}))["trial"]["id"])


async def test_it_points_at_the_stored_files(client: Client) -> None:
    """Clients see the path inside a container; image comes from the experiment, a given description does not count."""
    number = await experiment(client)
    made = await client.ok("POST", "tensorboards", {"experimentIds": [number], "config": {"description": "mine"}})
    board, config = made["tensorboard"], made["config"]
    assert (board["experimentIds"], board["trialIds"]) == ([number], [])
    assert board["serviceAddress"] == f"/proxy/{board['id']}/"
    assert board["description"].startswith("TensorBoard (")
    assert config["entrypoint"][-1].startswith("/determined_shared_fs/deep/")
    assert config["entrypoint"][-1].endswith(f"/tensorboard/experiment/{number}/")
    assert (config["environment"]["image"]["cpu"], config["resources"]["slots"]) == ("mine", 0)
    assert config["idle_timeout"] == "5m0s"
    assert await client.ok("GET", f"tensorboards/{board['id']}") == {"tensorboard": board, "config": config}


async def test_several_sources_are_named(client: Client) -> None:
    """Experiments and trials side by side; a filter adds the experiments that it chooses."""
    first, second = await experiment(client), await experiment(client)
    one = await trial(client, second)
    made = await client.ok("POST", "tensorboards", {"experimentIds": [first], "trialIds": [one]})
    paths = made["config"]["entrypoint"][-1].split(",")
    assert [path.split("/tensorboard/")[1] for path in paths] == [
        f"experiment/{first}/",
        f"experiment/{second}/trial/{one}/",
    ]
    filtered = await client.ok("POST", "tensorboards", {"filters": {"projectId": 1, "excludedExperimentIds": [first]}})
    assert filtered["config"]["entrypoint"][-1].endswith(f"experiment/{second}/")
    assert filtered["tensorboard"]["experimentIds"] == []


async def test_mistakes_are_refused(client: Client) -> None:
    """Nothing to show, unknown experiments and trials, filters that choose nothing or name unknown states."""
    number = await experiment(client)
    for body, status in (
        ({}, 400),
        ({"experimentIds": [999]}, 404),
        ({"trialIds": [999]}, 404),
        ({"filters": {"name": "nothing is called so"}}, 400),
        ({"filters": {"states": [999]}}, 400),
        ({"experimentIds": [number], "config": {"nope": 1}}, 400),
        ({"experimentIds": [number], "workspaceId": 99}, 404),
    ):
        answer = await client.post("tensorboards", body)
        assert answer.status == status, f"{body}: {answer.text}"
    assert (await client.ok("GET", "tensorboards"))["tensorboards"] == []


async def test_killing_and_priority(client: Client) -> None:
    """As with the other kinds."""
    body: dict[str, Any] = {"experimentIds": [await experiment(client)]}
    board = (await client.ok("POST", "tensorboards", body))["tensorboard"]
    await client.ok("POST", f"tensorboards/{board['id']}/set_priority", {"priority": 7})
    assert (await client.ok("GET", f"tensorboards/{board['id']}"))["config"]["resources"]["priority"] == 7
    killed = (await client.ok("POST", f"tensorboards/{board['id']}/kill"))["tensorboard"]
    assert killed["state"] == "STATE_TERMINATED"
    assert (await client.post("tensorboards/nope/kill")).status == 404


async def test_a_shell_gets_fresh_keys(client: Client) -> None:
    """Both halves fit, OpenSSH reads them, and every shell has its own."""
    body = {"config": {"resources": {"slots": 0}}}
    first = (await client.ok("POST", "shells", body))["shell"]
    second = (await client.ok("POST", "shells", body))["shell"]
    private = load_ssh_private_key(first["privateKey"].encode(), None)
    public = load_ssh_public_key(first["publicKey"].encode())
    assert private.public_key() == public
    assert first["privateKey"] != second["privateKey"]
    assert (first["addresses"], first["agentUserGroup"]["user_id"]) == ([], 0)
