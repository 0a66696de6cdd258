"""`undeterred search replay`: what a search decided and why, and whether it decides the same again.

Reads the data folder, whether its server runs or not, or asks a running server (`--master`). Both give the same entries.
"""

import argparse
import getpass
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import yaml

from undeterred.api.views.searches import explained
from undeterred.app import db_of
from undeterred.base import json as canonical
from undeterred.base.clock import SystemClock
from undeterred.base.errors import Broken, Invalid, NotFound
from undeterred.base.load import load
from undeterred.cli import datadir
from undeterred.core.search.explain import Replay
from undeterred.engine.searchers import Searchers
from undeterred.store import dialect, searches
from undeterred.store.database import Database
from undeterred.wire import codec

Entry = dict[str, Any]
"""One explained entry, as the API answers it."""

_MARKS = {"CREATE": "+ create", "STOP": "x stop", "FAIL": "! fail", "SHUTDOWN": "# shut down", "NOTE": "."}


def search(arguments: argparse.Namespace) -> int:
    """Replay: 0 when every decision is the same, 1 when one is not."""
    entries = _from_server(arguments) if arguments.master else _from_folder(arguments)
    count = different = 0
    for entry in entries:
        count += 1
        different += not entry["same"]
        print(json.dumps(entry) if arguments.json else "\n".join(describe(entry)))
    if not count:
        raise NotFound(f"experiment {arguments.experiment} has no search")
    if arguments.json:
        print(json.dumps({"entries": count, "different": different, "same": not different}))
    elif different:
        print(f"{different} of {count} entries are decided otherwise on replay")
    else:
        print(f"{count} entries: every decision is the same bit for bit")
    return 1 if different else 0


def describe(entry: Entry) -> list[str]:
    """Lines for people: what happened, what was decided or left alone and why, and a difference if there is one."""
    lines = [f"{entry['seq']:>6}  {entry['time']}  {_event(entry)}"]
    for decision in entry["decisions"]:
        mark = _MARKS[decision["kind"].removeprefix("SEARCH_DECISION_KIND_")]
        lines.append(f"          {mark} {_trial(decision)}".rstrip() + f": {decision['reason']}")
        if "hparams" in decision:
            lines.append(f"              {json.dumps(decision['hparams'])}")
    if not entry["same"]:
        lines.append(f"          DIFFERENT: {entry['difference']}")
    return lines


def _event(entry: Entry) -> str:
    event = dict(entry["event"])
    kind = event.pop("type", "")
    if kind == "start":
        return f"start: {event['searcher'].get('name')} with the seed {event['reproducibility']['experiment_seed']}"
    if event.pop("request_id", None) is not None:
        kind = f"trial {entry['trialId']} {kind.removeprefix('trial_')}"
    return f"{kind} {json.dumps(event) if event else ''}".rstrip()


def _trial(decision: Entry) -> str:
    return f"trial {decision['trialId']}" if decision["trialId"] else decision["requestId"]


def _from_folder(arguments: argparse.Namespace) -> Iterator[Entry]:
    """The entries of an experiment in the database of a data folder."""
    try:
        text = Path(arguments.config).read_text(encoding="utf-8") if arguments.config else None
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"--config {arguments.config}: {error}") from None
    flags = {"undeterred.data_dir": arguments.data_dir, "db_url": arguments.db}
    settings = load(text, os.environ, flags, lambda source: yaml.load(source, yaml.SafeLoader))
    folder = datadir.locate(settings.undeterred.data_dir or None)
    url = dialect.url_for(db_of(settings), folder)
    file = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite") and not file.exists():
        raise Invalid(f"there is no database {file}: name the data folder with --data-dir")
    db = Database(url, SystemClock(), readers=1)
    try:
        yield from _explained(db, arguments.experiment)
    except sa.exc.DBAPIError as error:
        raise Broken(f"the database cannot be read: {error.orig}") from None
    finally:
        db.close()


def _explained(db: Database, experiment: int) -> Iterator[Entry]:
    inputs = canonical.loads(db.read_now(lambda tx: searches.start(tx, experiment)))
    replay, seq = Replay(inputs, Searchers().find), -1
    while steps := db.read_now(partial(explained, experiment_id=experiment, replay=replay, after=seq)):
        for step in steps:
            seq = step.seq
            yield json.loads(codec.encode(step))


def _from_server(arguments: argparse.Namespace) -> Iterator[Entry]:
    """The entries as a running server explains them."""
    master = arguments.master.rstrip("/")
    if not master.startswith(("http://", "https://")):
        raise Invalid("--master must be an address such as http://127.0.0.1:8080")
    path = f"{master}/api/undeterred/v1/experiments/{arguments.experiment}/search/replay"
    request = urllib.request.Request(path, headers={"Authorization": f"Bearer {_token(master, arguments.user)}"})  # noqa: S310
    with _open(request) as answer:
        for line in answer:
            item = json.loads(line)
            if "error" in item:
                raise Broken(item["error"]["message"])
            yield item["result"]


def _token(master: str, user: str | None) -> str:
    name = user or os.environ.get("DET_USER") or "determined"
    password = os.environ.get("DET_PASS")
    if password is None:
        password = getpass.getpass(f"Password of {name}: ")
    body = json.dumps({"username": name, "password": password}).encode()
    headers = {"Content-Type": "application/json"}
    with _open(urllib.request.Request(f"{master}/api/v1/auth/login", body, headers)) as answer:  # noqa: S310
        return str(json.load(answer)["token"])


def _open(request: urllib.request.Request) -> Any:
    """The answer of a server; raises Broken with what it says."""
    try:
        return urllib.request.urlopen(request, timeout=600)  # noqa: S310
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        try:
            inner = json.loads(text)["error"]
            text = inner.get("error") or inner["message"]
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
        raise Broken(f"{request.full_url} answers {error.code}: {text}") from None
    except (OSError, ValueError) as error:
        raise Broken(f"{request.full_url} cannot be reached: {getattr(error, 'reason', error)}") from None
