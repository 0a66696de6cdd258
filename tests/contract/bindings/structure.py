"""Users, rights, workspaces, projects, templates, policies, webhooks, pools, and the server itself."""

from determined.common.api import bindings

from tests.contract.bindings.api import Api

CONFIG = "name: x\nentrypoint: 'true'\nsearcher: {name: single, metric: loss, max_length: 1}\n"


def users(api: Api) -> None:
    """Accounts, settings, activity, tokens, sessions."""
    ann = api("PostUser", body={"user": {"username": "ann", "active": True, "admin": False}, "password": api.password}).user
    api("SetUserPassword", userId=ann.id, body=api.password)
    assert api("PatchUser", userId=ann.id, body={"displayName": "Änn"}).user.displayName == "Änn"
    assert [one.error for one in api("PatchUsers", body={"userIds": [ann.id], "activate": True}).results] == [""]
    assert api("GetUser", userId=ann.id).user.id == api("GetUserByUsername", username="ann").user.id == ann.id
    assert "ann" in {user.username for user in api("GetUsers", limit=100).users}
    assert api("GetMe").user.username == api("CurrentUser").user.username == "admin"
    group = api("CreateGroup", body={"name": "readers", "addUsers": [ann.id]}).group
    assert api("GetGroup", groupId=group.groupId).group.users[0].username == "ann"
    assert api("GetGroups", body={"limit": 10}).groups
    api("AssignMultipleGroups", body={"userIds": [ann.id], "addGroups": [], "removeGroups": [group.groupId]})
    api("UpdateGroup", groupId=group.groupId, body={"name": "writers", "groupId": group.groupId})
    api("DeleteGroup", groupId=group.groupId)
    api("PostUserSetting", body={"settings": [{"key": "k", "value": "1", "storagePath": "p"}]})
    assert api("GetUserSetting").settings[0].value == "1"
    api("ResetUserSetting")
    activity = {"activityType": "ACTIVITY_TYPE_GET", "entityType": "ENTITY_TYPE_PROJECT", "entityId": 1}
    api("PostUserActivity", body=activity)
    assert api("GetProjectsByUserActivity", limit=5).projects[0].id == 1
    api.refused("GetUser", 404, "not found", userId=99999)
    token = api("PostAccessToken", body={"userId": ann.id, "lifespan": "1h", "description": "for a test"}).tokenId
    assert [one.id for one in api("GetAccessTokens", username="ann").tokenInfo] == [token]
    assert api("PatchAccessToken", tokenId=token, body={"setRevoked": True, "tokenId": token}).tokenInfo.revoked
    login = api("Login", body={"username": "ann", "password": api.password, "isHashed": False})
    assert login.user.username == "ann"
    other = api.as_user("ann")
    other.refused("PostUser", 403, "Forbidden", body={"user": {"username": "bob", "active": True, "admin": False}})
    other("Logout")


def rights(api: Api) -> None:
    """Roles and their assignment."""
    roles = api("ListRoles", body={"limit": 10, "offset": 0}).roles
    viewer = next(role for role in roles if role.name == "Viewer")
    assert api("GetRolesByID", body={"roleIds": [viewer.roleId]}).roles[0].role.name == "Viewer"
    assert api("SearchRolesAssignableToScope", body={"limit": 10, "workspaceId": 1}).roles
    eve = api("PostUser", body={"user": {"username": "eve", "active": True, "admin": False}}).user
    group = api("CreateGroup", body={"name": "guests"}).group
    role = {"role": {"roleId": viewer.roleId}, "scopeWorkspaceId": 1}
    given = {
        "userRoleAssignments": [{"userId": eve.id, "roleAssignment": role}],
        "groupRoleAssignments": [{"groupId": group.groupId, "roleAssignment": role}],
    }
    api("AssignRoles", body=given)
    assert api("GetRolesAssignedToUser", userId=eve.id).roles[0].role.roleId == viewer.roleId
    assert api("GetRolesAssignedToGroup", groupId=group.groupId).roles[0].roleId == viewer.roleId
    assigned = api("GetGroupsAndUsersAssignedToWorkspace", workspaceId=1)
    assert "eve" in {user.username for user in assigned.usersAssignedDirectly}
    assert api("GetPermissionsSummary").assignments
    api("RemoveAssignments", body=given)


def workspaces(api: Api) -> None:
    """Workspaces, their namespaces and quotas (which need Kubernetes), and their pools."""
    lab = api("PostWorkspace", body={"name": "lab"}).workspace
    api("PatchWorkspace", id=lab.id, body={"name": "laboratory"})
    assert api("GetWorkspace", id=lab.id).workspace.name == "laboratory"
    assert len(api("GetWorkspaces", sortBy=bindings.v1GetWorkspacesRequestSortBy.NAME).workspaces) > 1
    for operation in ("UnpinWorkspace", "PinWorkspace", "ArchiveWorkspace", "UnarchiveWorkspace"):
        api(operation, id=lab.id)
    assert api("ListRPsBoundToWorkspace", workspaceId=lab.id).resourcePools == ["default"]
    assert api("GetKubernetesResourceManagers").resourceManagers == []
    api.refused("ListWorkspaceNamespaceBindings", 400, "ubernetes", id=lab.id)
    assert api("GetWorkspacesWithDefaultNamespaceBindings").workspaceIds is not None
    binding = {"clusterNamespaceMeta": {"default": {"autoCreateNamespace": True}}, "workspaceId": lab.id}
    api.refused("SetWorkspaceNamespaceBindings", 400, "ubernetes", workspaceId=lab.id, body=binding)
    api.refused("SetResourceQuotas", 404, "ubernetes", id=lab.id, body={"id": lab.id, "clusterQuotaPairs": {"default": 1}})
    api.refused("DeleteWorkspaceNamespaceBindings", 400, "ubernetes", workspaceId=lab.id, clusterNames=["default"])
    api.refused("BulkAutoCreateWorkspaceNamespaceBindings", 400, "ubernetes", body={"workspaceIds": [lab.id]})
    api.refused("GetKubernetesResourceQuotas", 400, "ubernetes", id=lab.id)
    assert api("DeleteWorkspace", id=lab.id).completed in (True, False)


def projects(api: Api) -> None:
    """Projects and their notes."""
    home = api("PostWorkspace", body={"name": "home"}).workspace
    project = api("PostProject", workspaceId=home.id, body={"name": "p", "workspaceId": home.id, "description": "d"}).project
    assert api("GetProject", id=project.id).project.name == "p"
    assert api("GetProjectByKey", key=project.key).project.id == project.id
    assert [one.id for one in api("GetWorkspaceProjects", id=home.id).projects] == [project.id]
    api("PatchProject", id=project.id, body={"name": "q"})
    assert api("AddProjectNote", projectId=project.id, body={"name": "n", "contents": "c"}).notes[0].name == "n"
    api("PutProjectNotes", projectId=project.id, body={"notes": [{"name": "m", "contents": "c"}], "projectId": project.id})
    api("ArchiveProject", id=project.id)
    api("UnarchiveProject", id=project.id)
    other = api("PostWorkspace", body={"name": "next door"}).workspace.id
    api("MoveProject", projectId=project.id, body={"projectId": project.id, "destinationWorkspaceId": other})
    assert api("GetProjectColumns", id=project.id).columns
    assert api("GetProjectNumericMetricsRange", id=project.id).ranges == []
    assert api("GetMetadataValues", projectId=project.id, key="a").values == []
    assert api("DeleteProject", id=project.id).completed in (True, False)


def templates(api: Api) -> None:
    """Templates."""
    made = api("PostTemplate", template_name="t", body={"name": "t", "config": {"labels": ["a"]}, "workspaceId": 1})
    assert made.template.name == "t"
    api("PutTemplate", template_name="t", body={"name": "t", "config": {"labels": ["b"]}, "workspaceId": 1})
    api("PatchTemplateConfig", templateName="t", body={"labels": ["c"]})
    api("PatchTemplateName", body={"oldName": "t", "newName": "u"})
    assert api("GetTemplate", templateName="u").template.config["labels"]
    assert [one.name for one in api("GetTemplates", limit=5).templates] == ["u"]
    api("DeleteTemplate", templateName="u")
    api.refused("GetTemplate", 404, "not found", templateName="u")


def policies(api: Api) -> None:
    """Configuration policies, for all and for a workspace."""
    kind, text = "EXPERIMENT", "constraints: {priority_limit: 10}"
    put = {"workloadType": kind, "configPolicies": text}
    assert api("PutGlobalConfigPolicies", workloadType=kind, body=put).configPolicies
    assert api("GetGlobalConfigPolicies", workloadType=kind).configPolicies
    api("DeleteGlobalConfigPolicies", workloadType=kind)
    workspace = api("PostWorkspace", body={"name": "governed"}).workspace.id
    api("PutWorkspaceConfigPolicies", workspaceId=workspace, workloadType=kind, body=put | {"workspaceId": workspace})
    assert api("GetWorkspaceConfigPolicies", workspaceId=workspace, workloadType=kind).configPolicies
    api("DeleteWorkspaceConfigPolicies", workspaceId=workspace, workloadType=kind)


def webhooks(api: Api) -> None:
    """Webhooks; nobody listens at the address."""
    trigger = {"triggerType": "TRIGGER_TYPE_EXPERIMENT_STATE_CHANGE", "condition": {"state": "COMPLETED"}}
    hook = {
        "url": "http://127.0.0.1:9/",
        "webhookType": "WEBHOOK_TYPE_DEFAULT",
        "triggers": [trigger],
        "mode": "WEBHOOK_MODE_WORKSPACE",
        "name": "hook",
        "workspaceId": 1,
    }
    made = api("PostWebhook", body=hook).webhook
    api("PatchWebhook", id=made.id, body={"url": "http://127.0.0.1:9/other"})
    assert made.id in {one.id for one in api("GetWebhooks").webhooks}
    api.refused("TestWebhook", 400, "not delivered", id=made.id)
    api("DeleteWebhook", id=made.id)


def pools(api: Api) -> None:
    """Resource pools and the agent."""
    assert api("GetResourcePools").resourcePools[0].name == "default"
    workspace = api("PostWorkspace", body={"name": "bound"}).workspace.id
    bind = {"workspaceIds": [workspace], "resourcePoolName": "default"}
    for operation in ("BindRPToWorkspace", "OverwriteRPWorkspaceBindings"):
        api.refused(operation, 400, "default", resourcePoolName="default", body=bind)
    api.refused("UnbindRPFromWorkspace", 400, "not bound", resourcePoolName="default", body=bind)
    assert api("ListWorkspacesBoundToRP", resourcePoolName="default").workspaceIds == []
    agent = api("GetAgents").agents[0]
    assert api("GetAgent", agentId=agent.id).agent.resourcePools == ["default"]
    slot = next(iter(api("GetSlots", agentId=agent.id).slots)).id
    assert api("GetSlot", agentId=agent.id, slotId=slot).slot.enabled
    assert not api("DisableSlot", agentId=agent.id, slotId=slot, body={}).slot.enabled
    assert api("EnableSlot", agentId=agent.id, slotId=slot).slot.enabled
    assert not api("DisableAgent", agentId=agent.id, body={"agentId": agent.id, "drain": True}).agent.enabled
    assert api("EnableAgent", agentId=agent.id).agent.enabled


def server(api: Api) -> None:
    """The server itself: health, configuration, messages, logs, use."""
    assert api("health").status
    assert api("GetMaster").version == "0.38.1"
    assert api("GetMasterConfig").config
    api(
        "PatchMasterConfig",
        body={"config": {"log": {"level": "LOG_LEVEL_INFO", "color": True}}, "fieldMask": {"paths": ["log.level", "log.color"]}},
    )
    assert api("GetTelemetry").enabled is False
    api("SetClusterMessage", body={"message": "hello", "startTime": "2026-01-01T00:00:00Z", "duration": "240000h"})
    assert api("GetClusterMessage").clusterMessage.message == "hello"
    api("DeleteClusterMessage")
    assert api("MasterLogs", limit=5)[0].logEntry.message
    assert api("ResourceAllocationRaw", timestampAfter="2026-01-01T00:00:00Z", timestampBefore="2026-02-01T00:00:00Z")
    month = bindings.v1ResourceAllocationAggregationPeriod.MONTHLY
    assert api("ResourceAllocationAggregated", startDate="2026-01", endDate="2026-02", period=month)


AREAS = (users, rights, workspaces, projects, templates, policies, webhooks, pools, server)
