"""A Core API script that finishes in a second: reports, stores a checkpoint, leaves when asked to."""

import os
import pathlib
import time

import determined as det

info = det.get_cluster_info()
assert info is not None
assert info.trial is not None
hparams = info.trial.hparams
with det.core.init() as core:
    start = 0
    if info.latest_checkpoint is not None:
        with core.checkpoint.restore_path(info.latest_checkpoint) as path:
            start = int((path / "step").read_text())
        print(f"resumed at step {start}", flush=True)
    for step in range(start + 1, int(hparams["steps"]) + 1):
        core.train.report_training_metrics(steps_completed=step, metrics={"loss": 1.0 / step})
        core.train.report_validation_metrics(steps_completed=step, metrics={"validation_loss": 2.0 / step})
        core.train.report_progress(step / int(hparams["steps"]))
        print(f"step {step}", flush=True)
        if step % int(hparams["checkpoint_every"]) == 0:
            with core.checkpoint.store_path({"steps_completed": step}) as (path, _uuid):
                pathlib.Path(path / "step").write_text(str(step))
        if step == int(hparams["fail_at"]) and int(os.environ["DET_TRIAL_RUN_ID"]) == 1:
            raise SystemExit(3)
        if core.preempt.should_preempt():
            with core.checkpoint.store_path({"steps_completed": step}) as (path, _uuid):
                pathlib.Path(path / "step").write_text(str(step))
            print(f"left at step {step}", flush=True)
            break
        time.sleep(float(hparams["pause"]))
