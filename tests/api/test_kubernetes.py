"""Namespaces and quotas on a server without a Kubernetes cluster."""

from tests.api.worlds import user, workspace
from tests.support import Client


async def test_there_is_nothing_to_bind(client: Client) -> None:
    """Empty requests pass, others name what is missing, and no workspace has a namespace of its own."""
    number = await workspace(client, "w")
    base = f"workspaces/{number}"
    assert await client.ok("GET", "k8s-resource-managers", user="determined") == {"resourceManagers": []}
    assert await client.ok("POST", f"{base}/namespace-bindings", {}) == {"namespaceBindings": {}}
    assert await client.ok("DELETE", f"{base}/namespace-bindings") == {}
    assert await client.ok("POST", f"{base}/set-resource-quota", {}) == {}
    assert await client.ok("POST", "namespace-bindings/bulk-auto-create", {}) == {}
    bound = await client.ok("GET", "namespace-bindings/workspace-ids-with-default-bindings")
    assert bound == {"workspaceIds": [1, number]}
    meta = {"clusterNamespaceMeta": {"default": {"namespace": "n"}}}
    assert (await client.post(f"{base}/namespace-bindings", meta)).status == 400
    assert (await client.delete(f"{base}/namespace-bindings", clusterNames="default")).status == 400
    assert (await client.post(f"{base}/set-resource-quota", {"clusterQuotaPairs": {"default": 5}})).status == 404
    assert (await client.post("workspaces", {"name": "q", "clusterQuotaPairs": {"default": 5}})).status == 404
    assert (await client.get(f"{base}/list-namespace-bindings")).status == 400
    assert (await client.get(f"{base}/get-k8s-resource-quotas")).status == 400
    assert (await client.post("namespace-bindings/bulk-auto-create", {"workspaceIds": [number]})).status == 400


async def test_unknown_workspaces_and_strangers_are_told_apart(client: Client) -> None:
    """Administrators are told that a workspace is unknown, others that they may not."""
    await user(client, "ann")
    number = await workspace(client, "w")
    calls = [("POST", "namespace-bindings"), ("DELETE", "namespace-bindings"), ("POST", "set-resource-quota")]
    for method, path in calls:
        assert (await client.call(method, f"workspaces/9999/{path}", {})).error["code"] == 5
        assert (await client.call(method, f"workspaces/{number}/{path}", {}, user="ann")).error["code"] == 7
    for path in ("list-namespace-bindings", "get-k8s-resource-quotas"):
        assert (await client.get(f"workspaces/9999/{path}")).error["code"] == 5
    assert (await client.post("namespace-bindings/bulk-auto-create", {"workspaceIds": [9999]})).error["code"] == 5
    assert (await client.post("namespace-bindings/bulk-auto-create", {}, user="ann")).error["code"] == 7
