"""What is run: experiments, their context files, runs (trials), and the event log of their searches.

A trial of the API is a row of `runs`; trial id and run id are the same number.
"""

import sqlalchemy as sa

from undeterred.store.schema.base import Json, Text, flag, id_column, number, partial_index, ref, table, text, when

blobs = table(
    "blobs",
    sa.Column("digest", Text, primary_key=True),  # SHA-256 of the whole
    sa.Column("seq", sa.Integer, primary_key=True),  # slices of at most 1 MB
    sa.Column("data", sa.LargeBinary, nullable=False),
    rowid=False,
)

experiments = table(
    "experiments",
    id_column(),
    ref("project_id", "projects.id", ondelete="RESTRICT"),
    ref("user_id", "users.id", ondelete="RESTRICT"),
    sa.Column("job_id", Text, unique=True),  # NULL for unmanaged ones
    text("name", default=None),
    text("description"),
    sa.Column("labels", Json, nullable=False, server_default="[]"),  # sorted list of texts
    text("notes"),
    text("state", default=None),  # stored word: ACTIVE, PAUSED, STOPPING_..., CANCELED, COMPLETED, ERROR, DELETING, DELETE_FAILED
    text("error"),  # why it ended in ERROR, or why its deletion failed
    flag("archived"),
    flag("unmanaged"),
    sa.Column("external_id", Text, unique=True),
    sa.Column("config", Json, nullable=False),  # resolved
    text("original_config"),  # as submitted
    sa.Column("context_digest", Text),  # of blobs: tar.gz of the model definition
    number("context_size"),
    sa.Column("parent_id", sa.BigInteger),  # forked from
    text("template"),
    sa.Column("progress", sa.Double),
    when("start_time", required=True),
    when("end_time"),
    text("searcher_name"),
    text("searcher_metric"),
    flag("smaller_is_better", default=True),
    text("resource_pool"),
    number("slots_per_trial", default=1),
    number("max_restarts"),
    sa.Column("best_run_id", sa.BigInteger),
    sa.Column("warm_start_checkpoint", Text),  # from which every trial begins
    number("checkpoint_count"),
    number("checkpoint_size"),
    sa.Column("log_retention_days", sa.Integer),
    number("continued"),  # how many times it was continued
    flag("values_stale", default=True),  # newer than its rows in experiment_values
    sa.Index("ix_experiments_state", "state"),
    sa.Index("ix_experiments_start_time", "start_time"),
    partial_index("ix_experiments_stale", "project_id", where="values_stale"),
)

runs = table(
    "runs",
    id_column(),
    ref("experiment_id", "experiments.id"),
    ref("project_id", "projects.id", ondelete="RESTRICT"),
    sa.Column("local_id", sa.BigInteger),  # number inside its project
    text("request_id"),  # uuid given by the search; all zeros for unmanaged ones
    number("seed"),
    sa.Column("hparams", Json, nullable=False, server_default="{}"),
    text("state", default=None),
    flag("stopped_by_searcher"),
    sa.Column("waits_for", sa.BigInteger),  # id of the run whose place it takes: no slots are asked for before that one is gone
    text("runner_state"),  # what its program calls its state
    text("exit_reason"),  # INVALID_HP, USER_CANCELED, ... as reported
    text("error"),  # why it ended in ERROR
    text("retries_canceled_by"),  # the log line because of which a log policy forbids another try
    flag("archived"),
    number("run_number"),  # trial_run_id: starts of this trial so far
    number("restarts"),
    sa.Column("external_id", Text),
    when("start_time", required=True),
    when("end_time"),
    when("last_activity"),
    sa.Column("progress", sa.Double),
    number("total_batches"),
    sa.Column("warm_start_checkpoint", Text),
    sa.Column("summary_metrics", Json, nullable=False, server_default="{}"),  # group -> metric -> entry
    number("reports_run"),  # newest start that has reported
    sa.Column("rollback_steps", sa.BigInteger),  # earlier starts have live reports up to these steps; NULL: none
    sa.Column("best_report_id", sa.BigInteger),  # of reports: best validation by searcher metric
    sa.Column("latest_report_id", sa.BigInteger),  # latest validation that holds the searcher metric
    sa.Column("searcher_metric_value", sa.Double),  # of the best validation; NULL for none and for NaN
    number("checkpoint_count"),
    number("checkpoint_size"),
    sa.Column("metadata", Json),
    text("log_policy_matched"),
    sa.Column("log_retention_days", sa.Integer),
    flag("values_stale", default=True),  # newer than its rows in run_values
    partial_index("ix_runs_stale", "project_id", where="values_stale"),
    sa.Index("ix_runs_experiment_id_request_id", "experiment_id", "request_id"),
    sa.Index("ix_runs_waits_for", "waits_for"),
    partial_index("ix_runs_warm_start_checkpoint", "warm_start_checkpoint", where="warm_start_checkpoint IS NOT NULL"),
    sa.Index("ix_runs_project_id_id", "project_id", "id"),
    sa.Index("ix_runs_experiment_id_searcher_metric_value", "experiment_id", "searcher_metric_value"),
    sa.Index("ix_runs_experiment_id_external_id", "experiment_id", "external_id", unique=True),
)

search_events = table(
    "search_events",
    ref("experiment_id", "experiments.id", primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    when("at", required=True),
    sa.Column("event", Json, nullable=False),
    sa.Column("actions", Json, nullable=False, server_default="[]"),  # what was decided, with reasons
    rowid=False,
)

search_snapshots = table(
    "search_snapshots",
    ref("experiment_id", "experiments.id", primary_key=True),
    number("seq", default=None),  # last event that the state includes
    number("version", default=None),
    sa.Column("state", Json, nullable=False),
)
