"""The launchers of this server, by resource pool, and what they say of their machines."""

from collections.abc import Mapping, Sequence

from undeterred.base.struct import Struct
from undeterred.launch.launcher import Launcher, Node
from undeterred.launch.spec import Device


class Placed(Struct, frozen=True):
    """A node of a launcher that was asked last."""

    node: Node
    launcher: Launcher


class Launchers:
    """Which launcher serves which pool; a pool without one has no machine and its tasks wait."""

    def __init__(self, by_pool: Mapping[str, Launcher] | None = None) -> None:
        self._by_pool = dict(by_pool or {})
        self._nodes: dict[str, Placed] = {}

    def all(self) -> list[Launcher]:
        """Each launcher once."""
        return list({id(launcher): launcher for launcher in self._by_pool.values()}.values())

    def of_pool(self, pool: str) -> Launcher | None:
        """The launcher of a pool, or None."""
        return self._by_pool.get(pool)

    async def open(self) -> None:
        """Open them all and look at their machines. Raises Broken when one cannot be used."""
        for launcher in self.all():
            await launcher.open()
        await self.look()

    async def look(self) -> None:
        """Ask for the machines again; a launcher that does not answer for sure keeps those it named before."""
        for launcher in self.all():
            inventory = await launcher.inventory()
            if inventory.authoritative:
                self._nodes = {name: placed for name, placed in self._nodes.items() if placed.launcher is not launcher}
            self._nodes |= {node.id: Placed(node, launcher) for node in inventory.nodes}

    def nodes(self) -> list[Node]:
        """All machines, in order of their ids."""
        return [self._nodes[name].node for name in sorted(self._nodes)]

    def device_kind(self, agent_id: str | None, slot_ids: Sequence[int]) -> str:
        """What kind of devices a task gets: cpu, cuda or rocm."""
        placed = self._nodes.get(agent_id or "")
        devices: dict[int, Device] = {} if placed is None else {device.id: device for device in placed.node.devices}
        return next((devices[slot].kind for slot in slot_ids if slot in devices), "cpu")

    async def close(self) -> None:
        """Let go of them; tasks run on."""
        for launcher in self.all():
            await launcher.close()
