"""Resource pools, and which workspaces they are bound to."""

from undeterred.api.call import Call
from undeterred.api.operation import Needs, operation
from undeterred.api.views.common import few, pagination
from undeterred.api.views.pools import pool_message
from undeterred.base.errors import Invalid, NotFound, Refused
from undeterred.core import pools as pool_rules
from undeterred.core.pools import Pool
from undeterred.core.rights import Right
from undeterred.store import pools, queue, workspaces
from undeterred.store.database import Tx
from undeterred.store.paging import bound_page, memory_page
from undeterred.wire import messages as m


@operation("GetResourcePools", needs=Needs.LOGIN)
async def get_resource_pools(call: Call, req: m.GetResourcePoolsRequest) -> m.GetResourcePoolsResponse:
    """Pools that the caller can use in some workspace; with `unbound` those that are bound to none."""
    cluster = pool_rules.cluster_name(call.settings.resource_manager)
    agents = await call.engine.inventory()

    def load(tx: Tx) -> m.GetResourcePoolsResponse:
        listed = _unbound(call, tx) if req.unbound else _visible(call, tx)
        page = memory_page(req.offset, req.limit, len(listed))
        counts, holding = queue.counts(tx), queue.holding(tx)
        shown = []
        for pool in listed[page.start : page.end]:
            own = [agent for agent in agents if agent.pool == pool.name]
            shown.append(pool_message(pool, own, holding, counts.get(pool.name, (0, 0)), cluster))
        return m.GetResourcePoolsResponse(resource_pools=shown, pagination=pagination(page))

    return await call.read(load)


@operation("ListRPsBoundToWorkspace", needs=Right.VIEW_WORKSPACE)
async def list_pools_of_workspace(call: Call, req: m.ListRPsBoundToWorkspaceRequest) -> m.ListRPsBoundToWorkspaceResponse:
    """Names of the pools that a workspace may use: its own and the unbound ones (these for an unknown workspace, too)."""

    def load(tx: Tx) -> m.ListRPsBoundToWorkspaceResponse:
        missing = f"workspace {req.workspace_id} not found"
        call.require(tx, Right.VIEW_WORKSPACE, workspace=req.workspace_id, missing=missing)
        names = pools.usable(tx, _names(call), req.workspace_id)
        page = bound_page(req.offset, req.limit, len(names))
        return m.ListRPsBoundToWorkspaceResponse(resource_pools=names[page.start : page.end], pagination=pagination(page))

    return await call.read(load)


@operation("ListWorkspacesBoundToRP", needs=Right.VIEW_WORKSPACE)
async def list_workspaces_of_pool(call: Call, req: m.ListWorkspacesBoundToRPRequest) -> m.ListWorkspacesBoundToRPResponse:
    """Ids of the workspaces that a pool is bound to, as far as the caller may see them."""
    _find(call, req.resource_pool_name)

    def load(tx: Tx) -> m.ListWorkspacesBoundToRPResponse:
        scope = call.scope(tx, Right.VIEW_WORKSPACE)
        ids = [one for one in pools.workspaces_of(tx, req.resource_pool_name) if scope.admits(one)]
        page = bound_page(req.offset, req.limit, len(ids))
        return m.ListWorkspacesBoundToRPResponse(workspace_ids=ids[page.start : page.end], pagination=pagination(page))

    return await call.read(load)


@operation("BindRPToWorkspace", needs=Right.MODIFY_RP_WORKSPACE_BINDINGS)
async def bind_pool(call: Call, req: m.BindRPToWorkspaceRequest) -> m.BindRPToWorkspaceResponse:
    """Let a pool serve these workspaces, beside those it serves already; an unbound pool then serves no others."""

    def bind(tx: Tx) -> None:
        pool, ids = _checked(call, tx, req.resource_pool_name, req.workspace_ids, req.workspace_names)
        if not ids:
            raise Invalid("name at least one workspace in workspaceIds or workspaceNames")
        _check_bindable(pool)
        pools.bind(tx, pool.name, ids)

    await call.write(bind)
    return m.BindRPToWorkspaceResponse()


@operation("OverwriteRPWorkspaceBindings", needs=Right.MODIFY_RP_WORKSPACE_BINDINGS)
async def overwrite_bindings(call: Call, req: m.OverwriteRPWorkspaceBindingsRequest) -> m.OverwriteRPWorkspaceBindingsResponse:
    """Let a pool serve exactly these workspaces; with none it serves all."""

    def overwrite(tx: Tx) -> None:
        pool, ids = _checked(call, tx, req.resource_pool_name, req.workspace_ids, req.workspace_names)
        _check_bindable(pool)
        pools.unbind(tx, pool.name)
        pools.bind(tx, pool.name, ids)

    await call.write(overwrite)
    return m.OverwriteRPWorkspaceBindingsResponse()


@operation("UnbindRPFromWorkspace", needs=Right.MODIFY_RP_WORKSPACE_BINDINGS)
async def unbind_pool(call: Call, req: m.UnbindRPFromWorkspaceRequest) -> m.UnbindRPFromWorkspaceResponse:
    """Take workspaces away from a pool; after the last one it serves all."""

    def unbind(tx: Tx) -> None:
        pool, ids = _checked(call, tx, req.resource_pool_name, req.workspace_ids, req.workspace_names)
        foreign = sorted(set(ids) - set(pools.workspaces_of(tx, pool.name)))
        if foreign:
            raise Refused(f"the resource pool {pool.name} is not bound to workspace {', '.join(map(str, foreign[:20]))}")
        pools.unbind(tx, pool.name, ids)

    await call.write(unbind)
    return m.UnbindRPFromWorkspaceResponse()


def _names(call: Call) -> list[str]:
    return [pool.name for pool in call.engine.pools]


def _find(call: Call, name: str) -> Pool:
    found = pool_rules.find(call.engine.pools, name)
    if found is None:
        raise NotFound(f"there is no resource pool {name[:80]!r}; the pools are {', '.join(_names(call))}")
    return found


def _unbound(call: Call, tx: Tx) -> list[Pool]:
    bound = pools.bound(tx)
    return [pool for pool in call.engine.pools if pool.name not in bound]


def _visible(call: Call, tx: Tx) -> list[Pool]:
    """Unbound pools, and those bound to a workspace that the caller may see."""
    scope = call.scope(tx, Right.VIEW_WORKSPACE)
    bound = pools.bindings(tx)
    return [pool for pool in call.engine.pools if pool.name not in bound or any(scope.admits(one) for one in bound[pool.name])]


def _checked(call: Call, tx: Tx, name: str, ids: list[int], names: list[str]) -> tuple[Pool, list[int]]:
    """The pool and the workspaces of a request, once the caller may bind; raises NotFound for what is unknown."""
    call.require(tx, Right.MODIFY_RP_WORKSPACE_BINDINGS)
    pool = _find(call, name)
    wanted = set(few(ids, "workspaceIds"))
    by_name = workspaces.ids_by_names(tx, few(names, "workspaceNames"))
    unknown = sorted(map(str, wanted - workspaces.known(tx, wanted))) + sorted(set(names) - by_name.keys())
    if unknown:
        raise NotFound(f"workspace {', '.join(unknown[:20])} not found")
    return pool, sorted(wanted | set(by_name.values()))


def _check_bindable(pool: Pool) -> None:
    if pool.default_compute or pool.default_aux:
        raise Refused(f"{pool.name} is a default resource pool and serves all workspaces; it cannot be bound")
