"""What a search decides. Every action says why in words (`reason`) and as data (`facts`), for people who replay a search."""

from collections.abc import Mapping
from typing import Any

from undeterred.base.struct import Struct, field
from undeterred.core.search.events import RequestId


class Create(Struct, frozen=True):
    """Make a trial.

    `seed` is the trial's own seed (0 to 2**31 - 1). `replaces` names a trial that is ending and whose place this one takes:
    an engine that must not exceed the number of concurrent trials starts this one when that one is gone.
    """

    request_id: RequestId
    seed: int
    hparams: Mapping[str, Any]
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    replaces: RequestId | None = None


class Stop(Struct, frozen=True):
    """Tell a trial to save its state and end; it then counts as completed. Given at most once per trial."""

    request_id: RequestId
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


class Fail(Struct, frozen=True):
    """End one trial as failed, without a restart: its script breaks the contract of the search. `message` is for its log.

    The engine answers with `TrialExitedEarly(errored)` and `TrialExited` as for any other failed trial.
    """

    request_id: RequestId
    message: str
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


class Shutdown(Struct, frozen=True):
    """The search is over: the experiment ends as failed, canceled or completed. Given once, after the last trial is gone."""

    cancel: bool = False
    failure: bool = False
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


class Note(Struct, frozen=True):
    """No action: a decision to leave things as they are, told when a search is replayed (`Search.notes`)."""

    request_id: RequestId
    reason: str
    facts: Mapping[str, Any] = field(default_factory=dict)


Action = Create | Stop | Fail | Shutdown
