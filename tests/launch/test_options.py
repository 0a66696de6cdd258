"""Container options for plain processes."""

import pytest

from undeterred.base.errors import Invalid, Unsupported
from undeterred.launch.options import OPTIONS, apply
from undeterred.launch.spec import ContainerOptions


def test_nothing_configured_means_nothing_to_say() -> None:
    """Without options there is no link, no warning, no line in the log."""
    mapped = apply(ContainerOptions(), root=True)
    assert (mapped.links, mapped.work_dir, mapped.warnings, mapped.note()) == ((), None, (), "")


def test_bind_mounts_become_links_where_a_process_can_have_them() -> None:
    """Inside the work folder a link, at the same path nothing, elsewhere a warning that names the real path."""
    mounts = (
        {"host_path": "/data", "container_path": "data/train"},
        {"host_path": "/mnt", "container_path": "/run/determined/workdir/mnt"},
        {"host_path": "/same/", "container_path": "/same"},
        {"host_path": "/nfs", "container_path": "/elsewhere"},
        {"host_path": "/ro", "container_path": "ro", "read_only": True},
    )
    mapped = apply(ContainerOptions(bind_mounts=mounts), root=False)
    assert mapped.links == (("data/train", "/data"), ("mnt", "/mnt"), ("ro", "/ro"))
    assert mapped.warnings == ("bind mount /nfs is not at /elsewhere, use its own path", "bind mount /ro is not read-only")


@pytest.mark.parametrize("path", ["../x", "a/../..", ".", "/run/determined/workdir"])
def test_a_mount_point_outside_or_at_the_work_folder_is_refused(path: str) -> None:
    """A relative mount point leads below the work folder or the launch is refused."""
    with pytest.raises(Invalid):
        apply(ContainerOptions(bind_mounts=({"host_path": "/x", "container_path": path},)), root=True)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/run/determined/workdir", "."),
        ("/run/determined/workdir/sub", "sub"),
        ("/home/$AGENT_USER/x", "/home/ada/x"),
        ("rel", "rel"),
        ("", None),
    ],
)
def test_the_work_folder_is_mapped(path: str, expected: str | None) -> None:
    """Container paths mean the task's own folder, other absolute paths themselves, with the user's name put in."""
    assert apply(ContainerOptions(work_dir=path), root=False, names={"AGENT_USER": "ada"}).work_dir == expected


def test_all_warnings_are_one_line() -> None:
    """Whatever is not as in a container is said in a single line that names it."""
    options = ContainerOptions(
        image="acme:1", registry_auth=True, shm_size="4g", add_capabilities=("SYS_PTRACE",),
        devices=({"host_path": "/dev/a", "container_path": "/dev/b"},), ports={"web": 80}, proxy_ports=({"proxy_port": 80},),
    )  # fmt: skip
    note = apply(options, root=False).note()
    assert note.startswith("WARNING: not in a container: image acme:1 is not used")
    for word in ("registry_auth", "shm_size", "SYS_PTRACE", "/dev/a is not at /dev/b"):
        assert word in note
    assert "\n" not in note
    assert "web" not in note


def test_dropping_capabilities_is_a_promise_that_root_cannot_keep() -> None:
    """Refused for tasks of root; an ordinary user has none to drop."""
    dropping = ContainerOptions(drop_capabilities=("NET_RAW",))
    with pytest.raises(Unsupported, match="drop_capabilities"):
        apply(dropping, root=True)
    assert apply(dropping, root=False).warnings == ()


def test_the_table_says_what_becomes_of_each_option() -> None:
    """Every row begins with, or contains, one of the three answers."""
    assert all(any(word in text for word in ("mapped", "warned", "refused")) for text in OPTIONS.values())
