"""What a trial tells of itself."""

from typing import Any

import sqlalchemy as sa

from tests.api import unmanaged
from tests.api.unmanaged import trial
from tests.support import Client
from undeterred.app import App
from undeterred.store.schema.registry import checkpoints, trial_sources

UUID = "aaaaaaaa-0000-4000-8000-00000000000a"


async def test_the_program_s_own_state_is_kept(client: Client) -> None:
    """In its own words; too many of them are refused."""
    t = await trial(client, await unmanaged.experiment(client))
    await client.ok("POST", f"trials/{t}/runner/metadata", {"state": "training ✓"})
    assert (await client.ok("GET", f"trials/{t}"))["trial"]["runnerState"] == "training ✓"
    assert (await client.post(f"trials/{t}/runner/metadata", {"state": "x" * 1001})).status == 400
    assert (await client.post("trials/999/runner/metadata", {"state": "x"})).status == 404


async def test_a_trial_is_linked_to_the_checkpoint_it_uses(client: Client, app: App) -> None:
    """Said again with another kind or model, the link is that; a checkpoint that is not known is answered and not kept."""
    t = await trial(client, await unmanaged.experiment(client))
    await app.db.write(lambda tx: tx.insert(checkpoints, uuid=UUID, run_id=t, state="COMPLETED", report_time=1))

    async def say(**fields: Any) -> Any:
        source = {"trialId": t, "checkpointUuid": UUID, "trialSourceInfoType": "TRIAL_SOURCE_INFO_TYPE_INFERENCE"}
        return await client.ok("POST", "trial-source-info", {"trialSourceInfo": source | fields})

    assert await say(checkpointUuid=UUID.upper()) == {"trialId": t, "checkpointUuid": UUID.upper()}
    await say(trialSourceInfoType="TRIAL_SOURCE_INFO_TYPE_FINE_TUNING", modelId=3, modelVersion=1)
    await say(checkpointUuid=UUID.replace("a", "b"))
    links = await app.db.read(lambda tx: tx.rows(sa.select(trial_sources)))
    assert [(link.run_id, link.kind, link.model_id, link.model_version) for link in links] == [(t, "FINE_TUNE", 3, 1)]


async def test_mistakes_are_told(client: Client) -> None:
    """Nothing sent, unknown trials, no uuid, no kind."""
    t = await trial(client, await unmanaged.experiment(client))
    source = {"trialId": t, "checkpointUuid": UUID, "trialSourceInfoType": "TRIAL_SOURCE_INFO_TYPE_INFERENCE"}
    assert (await client.post("trial-source-info", {})).status == 400
    cases: list[tuple[dict[str, Any], int]] = [
        ({"trialId": 999}, 404),
        ({"checkpointUuid": "x"}, 400),
        ({"checkpointUuid": ""}, 400),
        ({"trialSourceInfoType": "TRIAL_SOURCE_INFO_TYPE_UNSPECIFIED"}, 400),
        ({"trialSourceInfoType": 9}, 400),
    ]
    for bad, status in cases:
        answer = await client.post("trial-source-info", {"trialSourceInfo": source | bad})
        assert answer.status == status, (bad, answer.text)
