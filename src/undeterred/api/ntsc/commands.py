"""Commands: a command line that runs once."""

from typing import Any

from undeterred.api.call import Call
from undeterred.api.ntsc import common
from undeterred.api.ntsc.common import Asked, Kind, Setup
from undeterred.api.operation import operation
from undeterred.api.views import ntsc as views
from undeterred.core.config.ntsc import TaskKind
from undeterred.core.rights import Right
from undeterred.engine.tasks import Launch
from undeterred.wire import messages as m

KIND = Kind(TaskKind.COMMAND, "COMMAND", "command")


@operation("LaunchCommand", needs=Right.CREATE_NSC)
async def launch(call: Call, req: m.LaunchCommandRequest) -> m.LaunchCommandResponse:
    """Run a command line; `data` is not used."""
    prepared = await common.prepare(call, KIND.word, Asked(req.config or {}, req.template_name, req.workspace_id, req.files))  # type: ignore[arg-type]
    setup = Setup(Launch(argv=common.command_line(prepared.resolved.entrypoint)))
    row = await common.start(call, KIND, prepared, setup)
    return m.LaunchCommandResponse(command=_message(row), config=views.shown_config(KIND.word, row))


@operation("GetCommands", needs=Right.VIEW_NSC)
async def list_commands(call: Call, req: m.GetCommandsRequest) -> m.GetCommandsResponse:
    """Commands that live or ended within the last day."""
    commands, page = await common.listed(call, KIND, req, _message)
    return m.GetCommandsResponse(commands=commands, pagination=page)


@operation("GetCommand", needs=Right.VIEW_NSC)
async def get(call: Call, req: m.GetCommandRequest) -> m.GetCommandResponse:
    """One command with its configuration."""
    row = await common.get(call, KIND, req.command_id)
    return m.GetCommandResponse(command=_message(row), config=views.shown_config(KIND.word, row))


@operation("KillCommand", needs=Right.UPDATE_NSC)
async def kill(call: Call, req: m.KillCommandRequest) -> m.KillCommandResponse:
    """End a command at once; the answer does not tell yet how it ended."""
    row, lived = await common.kill(call, KIND, req.command_id)
    message = _message(row)
    if lived:
        message.exit_status = ""
    return m.KillCommandResponse(command=message)


@operation("SetCommandPriority", needs=Right.UPDATE_NSC)
async def set_priority(call: Call, req: m.SetCommandPriorityRequest) -> m.SetCommandPriorityResponse:
    """Change the place in the queue."""
    return m.SetCommandPriorityResponse(command=_message(await common.set_priority(call, KIND, req.command_id, req.priority)))


def _message(row: Any) -> m.Command:
    return m.Command(**views.common_fields(row))
