"""The files that an experiment was submitted with: the whole archive, its tree, one file."""

import asyncio
import base64

from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.common import when
from undeterred.base.errors import NotFound
from undeterred.core.rights import Right
from undeterred.core.sniff import media_type
from undeterred.engine import contexts
from undeterred.engine.contexts import Entry
from undeterred.store import blobs, experiments
from undeterred.store.database import Tx
from undeterred.wire import messages as m


@operation("GetModelDef", needs=Right.VIEW_EXPERIMENT_ARTIFACTS)
async def get_model_def(call: Call, req: m.GetModelDefRequest) -> m.GetModelDefResponse:
    """The files of an experiment as a tar.gz in base64; an empty archive when it was submitted without any."""
    packed = await archive(call, req.experiment_id)
    text = await asyncio.to_thread(lambda: base64.b64encode(packed).decode())
    return m.GetModelDefResponse(b64_tgz=text)


@operation("GetModelDefTree", needs=Right.VIEW_EXPERIMENT_ARTIFACTS)
async def get_model_def_tree(call: Call, req: m.GetModelDefTreeRequest) -> m.GetModelDefTreeResponse:
    """Names, sizes, times and media types of the files of an experiment, as a tree."""
    packed = await archive(call, req.experiment_id)
    if not packed:
        raise NotFound(f"experiment {req.experiment_id} is unmanaged and has no files")
    return m.GetModelDefTreeResponse(files=_tree(await asyncio.to_thread(contexts.entries, packed)))


@operation("GetModelDefFile", needs=Right.VIEW_EXPERIMENT_ARTIFACTS)
async def get_model_def_file(call: Call, req: m.GetModelDefFileRequest) -> m.GetModelDefFileResponse:
    """One file of an experiment by its path in the archive."""
    return m.GetModelDefFileResponse(file=await one(call, req.experiment_id, req.path))


async def archive(call: Call, experiment_id: int) -> bytes:
    """The files of an experiment as a tar.gz, an empty one when it was submitted without any; raises NotFound or Forbidden.

    An unmanaged experiment has no files at all: no bytes.
    """

    def load(tx: Tx) -> tuple[bytes, bool]:
        row = experiments.get(tx, experiment_id)
        missing = f"experiment {experiment_id} not found"
        call.require(tx, Right.VIEW_EXPERIMENT_ARTIFACTS, workspace=row.workspace_id, owner=row.user_id, missing=missing)
        return blobs.read(tx, row.context_digest) if row.context_digest else b"", row.unmanaged

    packed, unmanaged = await call.read(load)
    return packed if packed or unmanaged else contexts.pack([])


async def one(call: Call, experiment_id: int, path: str) -> bytes:
    """One of the files; raises NotFound also for a path that there is not, Invalid for a folder or a path leading outside."""
    return await asyncio.to_thread(contexts.read_file, await archive(call, experiment_id), path)


def _tree(entries: list[Entry]) -> list[m.FileNode]:
    """Entries as nodes inside the nodes of their folders."""
    top: list[m.FileNode] = []
    folders: dict[str, m.FileNode] = {}
    for entry in entries:
        parent, _, name = entry.path.rpartition("/")
        node = m.FileNode(
            path=entry.path,
            name=name,
            modified_time=when(entry.mtime * 1_000_000),
            content_length=entry.size,
            is_dir=entry.is_dir,
            content_type=media_type(entry.head),
            files=[],
        )
        (folders[parent].files if parent in folders else top).append(node)
        if entry.is_dir:
            folders[entry.path] = node
    return top
