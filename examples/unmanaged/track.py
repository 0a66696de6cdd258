"""Tracks a plain script: it runs where you start it, and its metrics and checkpoints are on the server.

    export DET_MASTER=http://127.0.0.1:8080 DET_USER=determined DET_PASS=...
    python examples/unmanaged/track.py

Run again with the same ids it goes on as the same trial.
"""

import math
import pathlib

from determined import core
from determined.experimental import core_v2


def main() -> None:
    """Descend a parabola and report on the way."""
    core_v2.init(
        defaults=core_v2.DefaultConfig(name="unmanaged parabola", hparams={"learning_rate": 0.1}),
        tensorboard_mode=core.TensorboardMode.MANUAL,  # event files need PyTorch or TensorFlow; metrics do not
        unmanaged=core_v2.UnmanagedConfig(external_experiment_id="parabola", external_trial_id="first"),
    )
    x = 5.0
    for step in range(1, 51):
        x -= 0.1 * 2 * x
        core_v2.train.report_training_metrics(steps_completed=step, metrics={"loss": x * x})
        if step % 10 == 0:
            core_v2.train.report_validation_metrics(
                steps_completed=step, metrics={"validation_loss": abs(x), "log": math.log(abs(x))}
            )
    with core_v2.checkpoint.store_path({"steps_completed": 50}) as (path, _uuid):
        pathlib.Path(path / "x.txt").write_text(str(x))
    core_v2.close()


if __name__ == "__main__":
    main()
