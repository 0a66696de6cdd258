"""Imports every area, so that every handler is registered."""

from undeterred.api import agents as agents
from undeterred.api import allocations as allocations
from undeterred.api import auth as auth
from undeterred.api import columns as columns
from undeterred.api import generic_tasks as generic_tasks
from undeterred.api import groups as groups
from undeterred.api import health as health
from undeterred.api import jobs as jobs
from undeterred.api import kubernetes as kubernetes
from undeterred.api import master as master
from undeterred.api import policies as policies
from undeterred.api import pools as pools
from undeterred.api import projects as projects
from undeterred.api import rbac as rbac
from undeterred.api import retention as retention
from undeterred.api import run_metadata as run_metadata
from undeterred.api import runs as runs
from undeterred.api import tasklogs as tasklogs
from undeterred.api import tasks as tasks
from undeterred.api import templates as templates
from undeterred.api import tokens as tokens
from undeterred.api import usage as usage
from undeterred.api import users as users
from undeterred.api import webhooks as webhooks
from undeterred.api import workspaces as workspaces
from undeterred.api.checkpoints import reading as reading
from undeterred.api.checkpoints import removal as removal
from undeterred.api.checkpoints import reports as reports
from undeterred.api.experiments import actions as actions
from undeterred.api.experiments import bulk as bulk
from undeterred.api.experiments import create as create
from undeterred.api.experiments import files as files
from undeterred.api.experiments import history as history
from undeterred.api.experiments import list as list
from undeterred.api.experiments import move as move
from undeterred.api.experiments import patch as patch
from undeterred.api.experiments import preview as preview
from undeterred.api.experiments import read as read
from undeterred.api.experiments import retention as experiments_retention  # noqa: F401
from undeterred.api.experiments import search as search
from undeterred.api.experiments import streams as streams
from undeterred.api.models import registry as registry
from undeterred.api.models import versions as versions
from undeterred.api.ntsc import commands as commands
from undeterred.api.ntsc import notebooks as notebooks
from undeterred.api.ntsc import shells as shells
from undeterred.api.ntsc import tensorboards as tensorboards
from undeterred.api.operation import HANDLERS as HANDLERS
from undeterred.api.trials import about as about
from undeterred.api.trials import profiler as profiler
from undeterred.api.trials import progress as progress
from undeterred.api.trials import read as trials_read  # noqa: F401
from undeterred.api.trials import report as report
from undeterred.api.trials import series as series
from undeterred.api.trials import streams as trials_streams  # noqa: F401
from undeterred.api.trials import unmanaged as unmanaged
