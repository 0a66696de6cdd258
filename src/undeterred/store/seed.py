"""What an empty database gets: the cluster's identity, users `admin` and `determined`, workspace 1 and project 1."""

from undeterred.base.ids import new_secret, new_uuid
from undeterred.store import cluster, users
from undeterred.store.database import Tx
from undeterred.store.schema.identity import groups, role_assignments
from undeterred.store.schema.spaces import projects, workspaces

CLUSTER_ADMIN = 1


def seed(tx: Tx, password_hash: str) -> None:
    """Write them; both users get the same password."""
    cluster.put(tx, "cluster_id", new_uuid())
    cluster.put(tx, "signing_key", new_secret(16))
    admin = users.create(tx, "admin", admin=True, active=True, password_hash=password_hash)
    users.create(tx, "determined", active=True, password_hash=password_hash)
    own_group = tx.value(groups.select().with_only_columns(groups.c.id).where(groups.c.user_id == admin))
    tx.insert(role_assignments, role_id=CLUSTER_ADMIN, group_id=own_group)
    workspace = tx.insert(workspaces, name="Uncategorized", user_id=admin, immutable=True, created_at=tx.now)
    tx.insert(
        projects, name="Uncategorized", workspace_id=workspace, user_id=admin, key="UNCAT", immutable=True, created_at=tx.now
    )
