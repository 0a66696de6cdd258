"""Shells: an sshd that only one key opens, reached as raw TCP through the proxy."""

import asyncio
import os
import pwd
from typing import Any

from undeterred.api.call import Call
from undeterred.api.ntsc import common
from undeterred.api.ntsc.common import Asked, Kind, Setup
from undeterred.api.operation import operation
from undeterred.api.views import ntsc as views
from undeterred.core.config.ntsc import TaskKind
from undeterred.core.rights import Right
from undeterred.engine.specs import agent_user_group
from undeterred.engine.tasks import Launch, Proxied
from undeterred.launch.spec import UnixUser
from undeterred.launch.sshkeys import KeyPair, new_key_pair
from undeterred.launch.sshserver import START
from undeterred.store import users
from undeterred.wire import messages as m

KIND = Kind(TaskKind.SHELL, "SHELL", "shell")
PORT = views.SHELL_PORT


@operation("LaunchShell", needs=Right.CREATE_NSC)
async def launch(call: Call, req: m.LaunchShellRequest) -> m.LaunchShellResponse:
    """Start an sshd with fresh keys; `data` is not used."""
    prepared = await common.prepare(call, KIND.word, Asked(req.config or {}, req.template_name, req.workspace_id, req.files))  # type: ignore[arg-type]
    keys = await asyncio.to_thread(new_key_pair)
    owner = await call.read(lambda tx: users.get(tx, call.who.user_id))
    login = _login(agent_user_group(prepared.workspace, owner, call.settings))
    row = await common.start(call, KIND, prepared, _setup(keys, login))
    return m.LaunchShellResponse(shell=_message(row), config=views.shown_config(KIND.word, row))


@operation("GetShells", needs=Right.VIEW_NSC)
async def list_shells(call: Call, req: m.GetShellsRequest) -> m.GetShellsResponse:
    """Shells that live or ended within the last day."""
    shells, page = await common.listed(call, KIND, req, _message)
    return m.GetShellsResponse(shells=shells, pagination=page)


@operation("GetShell", needs=Right.VIEW_NSC)
async def get(call: Call, req: m.GetShellRequest) -> m.GetShellResponse:
    """One shell with its configuration."""
    row = await common.get(call, KIND, req.shell_id)
    return m.GetShellResponse(shell=_message(row), config=views.shown_config(KIND.word, row))


@operation("KillShell", needs=Right.UPDATE_NSC)
async def kill(call: Call, req: m.KillShellRequest) -> m.KillShellResponse:
    """End a shell at once; the answer does not tell yet how it ended."""
    row, lived = await common.kill(call, KIND, req.shell_id)
    message = _message(row)
    if lived:
        message.exit_status = ""
    return m.KillShellResponse(shell=message)


@operation("SetShellPriority", needs=Right.UPDATE_NSC)
async def set_priority(call: Call, req: m.SetShellPriorityRequest) -> m.SetShellPriorityResponse:
    """Change the place in the queue."""
    return m.SetShellPriorityResponse(shell=_message(await common.set_priority(call, KIND, req.shell_id, req.priority)))


def _login(configured: UnixUser) -> UnixUser:
    """Whom clients log in as: the agent user group, or the server's own user where none is configured."""
    if configured != UnixUser(0, 0, "root", "root") or os.geteuid() == 0:
        return configured
    own = pwd.getpwuid(os.geteuid())
    return UnixUser(own.pw_uid, own.pw_gid, own.pw_name, "")


def _setup(keys: KeyPair, login: UnixUser) -> Setup:
    launch = Launch(
        argv=("/bin/sh", "-c", START),
        env={"SHELL_PUBLIC_KEY": keys.public.strip()},
        port_names=(PORT,),
        ready_port=PORT,
        proxied=(Proxied(PORT, tcp=True, unauthenticated=True),),
    )
    group = {"id": 0, "user_id": 0, "uid": login.uid, "gid": login.gid, "user": login.user, "group": login.group}
    return Setup(launch, {"private_key": keys.private, "public_key": keys.public, "agent_user_group": group})


def _message(row: Any) -> m.Shell:
    detail = views.detail(row)
    return m.Shell(
        **views.common_fields(row),
        private_key=detail.get("private_key", ""),
        public_key=detail.get("public_key", ""),
        addresses=views.addresses(row, PORT),  # type: ignore[arg-type]
        agent_user_group=detail.get("agent_user_group"),
    )
