"""Prints everything that is hard to print, reports every kind of number, and leaves processes behind."""

import logging
import os
import subprocess
import sys
import time

import determined as det
import overlaid

logging.basicConfig(level=logging.INFO, format=det.LOG_FORMAT)
print(os.environ["FROM_HOOK"], overlaid.__version__, flush=True)
raw = sys.stdout.buffer
for number in range(20):
    raw.write(b"bar %d of 20\r" % number)
    raw.flush()
    time.sleep(0.02)
raw.write(b"\nbytes \xff\x80\xc3 end\n" + b"a" * 1_000_000 + b"z\n" + b"nul \x00 here\n\x1b[31mred\x1b[0m\n")
raw.flush()
logging.warning("a warning")
logging.error("an error")
print("[rank=3] from the third", flush=True)
print("to stderr", file=sys.stderr, flush=True)

sleeper = ["sh", "-c", "trap '' TERM HUP INT; while :; do sleep 600; done"]
subprocess.Popen(sleeper)
subprocess.Popen(sleeper, start_new_session=True)
subprocess.Popen(["env", "-i", "setsid", "--fork", "sleep", "600.4242"])  # nothing but its parents tells whose it is
if os.fork() == 0:  # a daemon: its parent ends, it belongs to nobody
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 3)
        time.sleep(600)
    os._exit(0)

with det.core.init() as core:
    core.profiler.on(sampling_interval=0.1, samples_per_report=2)
    for step in range(1, 11):
        core.train.report_training_metrics(steps_completed=step, metrics={"loss": 1.0 / step, "odd": float("nan")})
        core.train.report_progress(step / 10)
        time.sleep(0.06)
    core.train.report_validation_metrics(steps_completed=step, metrics={"loss": 1.0 / step})
    core.train.report_metrics(group="inference", steps_completed=step, metrics={"seen": 5})
    with core.checkpoint.store_path({"steps_completed": step}) as (path, _uuid):
        (path / "step").write_text(str(step))
    core.profiler.off()
if os.environ.get("LINGER"):
    time.sleep(600)
raw.write(b"last without newline")
raw.flush()
