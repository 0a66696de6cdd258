"""Points the harness's fixed paths, which a container would make private, at the task's own folder.

An import hook changes the constants right after the module that holds them has run and before anyone reads them. Nothing
happens in a process that does not import `determined`.
"""

import hashlib
import importlib.util
import os
import pathlib
import sys

UNIX_PATH_LIMIT = 100
WRITERS = {"determined.tensorboard.metric_writers.tensorflow", "determined.tensorboard.metric_writers.pytorch"}


def install(run_dir, shared_fs):
    """Put the hook in place; `shared_fs` is the folder that a container would see as `/determined_shared_fs`."""
    sys.meta_path.insert(0, Finder(run_dir, shared_fs))


class Finder:
    """Finds as the others do, and changes what the chosen modules hold."""

    def __init__(self, run_dir, shared_fs):
        self._run_dir = run_dir
        self._shared_fs = shared_fs
        self._changes = {
            "determined._info": self._info,
            "determined.constants": self._constants,
            "determined.common.constants": self._common_constants,
            "determined.ipc": self._ipc,
            "determined.tensorboard.build": self._tensorboard,
        }

    def find_spec(self, name, path=None, target=None):
        """The import system's question: where is module `name`?"""
        if name in WRITERS and not _installed("torch") and not _installed("tensorflow"):
            return importlib.util.spec_from_loader(name, WriterLoader())
        change = self._changes.get(name)
        if change is None:
            return None
        for finder in sys.meta_path:
            if finder is not self and hasattr(finder, "find_spec"):
                spec = finder.find_spec(name, path, target)
                if spec is not None:
                    _after(spec.loader, change)
                    return spec
        return None

    def _info(self, module):
        for noun, holder in (
            ("RENDEZVOUS", module.RendezvousInfo),
            ("TRIAL", module.TrialInfo),
            ("RESOURCES", module.ResourcesInfo),
            ("CLUSTER", module.ClusterInfo),
        ):
            path = os.path.join(self._run_dir, "info", noun.lower() + ".json")
            setattr(module, "DEFAULT_" + noun + "_INFO_PATH", path)
            holder._to_file.__defaults__ = (path,)
            holder._from_file.__func__.__defaults__ = (path,)

    def _constants(self, module):
        module.CONTAINER_STDOUT = os.path.join(self._run_dir, "train", "logs", "stdout.log")
        module.CONTAINER_STDERR = os.path.join(self._run_dir, "train", "logs", "stderr.log")
        module.MANAGED_TRAINING_MODEL_COPY = os.path.join(self._run_dir, "train", "model")

    def _common_constants(self, module):
        if self._shared_fs:
            module.SHARED_FS_CONTAINER_PATH = self._shared_fs

    def _ipc(self, module):
        read = module.read_pid_server_addr

        def read_pid_server_addr(addr):
            found = read(addr)
            return self._socket(found) if isinstance(found, str) else found

        module.read_pid_server_addr = read_pid_server_addr

    def _socket(self, path):
        """A short private path for a Unix socket: the system allows about a hundred bytes."""
        if not path.startswith("/tmp/"):  # noqa: S108 (the harness's own path)
            return path
        name = hashlib.sha256((self._run_dir + "\n" + path).encode()).hexdigest()[:16]
        private = os.path.join(self._run_dir, "tmp", name)
        return private if len(os.fsencode(private)) <= UNIX_PATH_LIMIT else "/tmp/undeterred-" + name  # noqa: S108

    def _tensorboard(self, module):
        original = module.get_base_path

        def get_base_path(checkpoint_config):
            path = original(checkpoint_config)
            return path if checkpoint_config.get("base_path") else pathlib.Path(self._run_dir, "tmp", path.name)

        module.get_base_path = get_base_path


class WriterLoader:
    """Offers an event-file writer where the harness finds none to build on."""

    def create_module(self, spec):
        """An ordinary module will do."""

    def exec_module(self, module):
        """Fill the module with the names that the harness looks for."""
        import _undeterred_events
        from determined import tensorboard

        class Writer(tensorboard.MetricWriter):
            """Scalars to event files in the folder that the harness synchronizes."""

            def __init__(self):
                super().__init__()
                self.writer = _undeterred_events.EventWriter(str(tensorboard.get_base_path({})))

            def add_scalar(self, name, value, step):
                self.writer.add_scalar(name, value, step)

            def reset(self):
                self.writer.close()

            def flush(self):
                self.writer.flush()

        module.TFWriter = module.TorchWriter = module._TorchWriter = Writer


def _installed(name):
    return name in sys.modules or importlib.util.find_spec(name) is not None


def _after(loader, change):
    run = loader.exec_module

    def exec_module(module):
        run(module)
        change(module)

    loader.exec_module = exec_module
