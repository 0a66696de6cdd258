"""Stores six checkpoints and deletes two of the first five from training code; then waits to be paused, once."""

import time

import determined as det

info = det.get_cluster_info()
assert info is not None
with det.core.init() as core:
    done = 0
    if info.latest_checkpoint is not None:
        with core.checkpoint.restore_path(info.latest_checkpoint) as path:
            done = int((path / "step").read_text())
        print(f"resumed at step {done}", flush=True)
    stored = []
    for step in range(done + 1, 7):
        core.train.report_validation_metrics(steps_completed=step, metrics={"loss": 1.0 / step})
        with core.checkpoint.store_path({"steps_completed": step}) as (path, uuid):
            (path / "step").write_text(str(step))
            (path / "sub").mkdir()
            (path / "sub" / "weights.bin").write_bytes(b"w" * 512 * step)
        stored.append(uuid)
        if step == 5 and not done:
            core.checkpoint.delete(stored[4])
            core.checkpoint.delete(stored[0])
            print("deleted two", flush=True)
            while not core.preempt.should_preempt():
                time.sleep(0.1)
            break
