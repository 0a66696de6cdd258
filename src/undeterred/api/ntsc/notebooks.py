"""Notebooks: JupyterLab behind the proxy."""

import inspect
from typing import Any

from undeterred.api.call import Call
from undeterred.api.ntsc import common
from undeterred.api.ntsc.common import Asked, Kind, Prepared, Setup
from undeterred.api.operation import operation
from undeterred.api.views import ntsc as views
from undeterred.base.clock import SECOND
from undeterred.base.ids import new_secret
from undeterred.core.config.ntsc import TaskKind
from undeterred.core.rights import Right
from undeterred.engine.tasks import Launch, Proxied
from undeterred.launch import notebookidle
from undeterred.wire import messages as m

KIND = Kind(TaskKind.NOTEBOOK, "NOTEBOOK", "notebook")
PORT = "NOTEBOOK_PORT"

_START = """\
[ -z "$NOTEBOOK_WATCH" ] || python3 -c "$NOTEBOOK_WATCH" &
unset NOTEBOOK_WATCH
exec python3 -m jupyter lab --no-browser --allow-root --ServerApp.ip=127.0.0.1 --ServerApp.port="$NOTEBOOK_PORT" \
--ServerApp.port_retries=0 --ServerApp.base_url="$NOTEBOOK_BASE_URL" --ServerApp.root_dir="$PWD" \
--ServerApp.allow_remote_access=True --ServerApp.trust_xheaders=True"""


@operation("LaunchNotebook", needs=Right.CREATE_NSC)
async def launch(call: Call, req: m.LaunchNotebookRequest) -> m.LaunchNotebookResponse:
    """Start JupyterLab; with `preview` only the configuration is answered."""
    timeout = call.settings.notebook_timeout
    asked = Asked(req.config or {}, req.template_name, req.workspace_id, req.files)  # type: ignore[arg-type]
    idle_timeout = None if timeout is None else timeout * SECOND
    prepared = await common.prepare(call, KIND.word, asked, idle_timeout=idle_timeout)
    if req.preview:
        return m.LaunchNotebookResponse(notebook=m.Notebook(), config=views.masked(prepared.resolved.config))
    row = await common.start(call, KIND, prepared, _setup(call, prepared))
    return m.LaunchNotebookResponse(notebook=_message(row), config=views.shown_config(KIND.word, row))


@operation("GetNotebooks", needs=Right.VIEW_NSC)
async def list_notebooks(call: Call, req: m.GetNotebooksRequest) -> m.GetNotebooksResponse:
    """Notebooks that live or ended within the last day."""
    notebooks, page = await common.listed(call, KIND, req, _message)
    return m.GetNotebooksResponse(notebooks=notebooks, pagination=page)


@operation("GetNotebook", needs=Right.VIEW_NSC)
async def get(call: Call, req: m.GetNotebookRequest) -> m.GetNotebookResponse:
    """One notebook with its configuration."""
    row = await common.get(call, KIND, req.notebook_id)
    return m.GetNotebookResponse(notebook=_message(row), config=views.shown_config(KIND.word, row))


@operation("KillNotebook", needs=Right.UPDATE_NSC)
async def kill(call: Call, req: m.KillNotebookRequest) -> m.KillNotebookResponse:
    """End a notebook at once; the answer does not tell yet how it ended."""
    row, lived = await common.kill(call, KIND, req.notebook_id)
    message = _message(row)
    if lived:
        message.exit_status = ""
    return m.KillNotebookResponse(notebook=message)


@operation("SetNotebookPriority", needs=Right.UPDATE_NSC)
async def set_priority(call: Call, req: m.SetNotebookPriorityRequest) -> m.SetNotebookPriorityResponse:
    """Change the place in the queue."""
    row = await common.set_priority(call, KIND, req.notebook_id, req.priority)
    return m.SetNotebookPriorityResponse(notebook=_message(row))


@operation("IdleNotebook", needs=Right.UPDATE_NSC, task=True)
async def report_idle(call: Call, req: m.IdleNotebookRequest) -> m.IdleNotebookResponse:
    """A notebook's word on whether anything happens in it."""
    await call.read(lambda tx: common.target(call, tx, KIND, req.notebook_id, Right.UPDATE_NSC))
    call.engine.routes.reported_idle(req.notebook_id, idle=req.idle)
    return m.IdleNotebookResponse()


def _setup(call: Call, prepared: Prepared) -> Setup:
    token = new_secret()
    idle = prepared.resolved.idle_timeout
    env = {
        "NOTEBOOK_BASE_URL": f"{call.settings.undeterred.prefix}/proxy/{prepared.task_id}/",
        "NOTEBOOK_IDLE_TYPE": prepared.resolved.idle_type,
        "JUPYTER_TOKEN": token,
        "DET_NOTEBOOK_TOKEN": token,
    }
    if idle is not None:
        env["NOTEBOOK_WATCH"] = inspect.getsource(notebookidle)
    launch = Launch(
        argv=("/bin/sh", "-c", _START),
        env=env,
        port_names=(PORT,),
        ready_port=PORT,
        proxied=(Proxied(PORT),),
        idle_seconds=None if idle is None else idle // SECOND,
        idle_reports=idle is not None,
    )
    return Setup(launch, {"token": token})


def _message(row: Any) -> m.Notebook:
    token = views.detail(row).get("token", "")
    return m.Notebook(**views.common_fields(row), service_address=f"/proxy/{row.id}/?token={token}")
