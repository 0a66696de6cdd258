"""Imports every area, so that every handler is registered."""

from undeterred.api import agents as agents
from undeterred.api import allocations as allocations
from undeterred.api import auth as auth
from undeterred.api import columns as columns
from undeterred.api import groups as groups
from undeterred.api import health as health
from undeterred.api import jobs as jobs
from undeterred.api import kubernetes as kubernetes
from undeterred.api import master as master
from undeterred.api import policies as policies
from undeterred.api import pools as pools
from undeterred.api import projects as projects
from undeterred.api import rbac as rbac
from undeterred.api import tasklogs as tasklogs
from undeterred.api import templates as templates
from undeterred.api import tokens as tokens
from undeterred.api import usage as usage
from undeterred.api import users as users
from undeterred.api import workspaces as workspaces
from undeterred.api.experiments import actions as actions
from undeterred.api.experiments import bulk as bulk
from undeterred.api.experiments import create as create
from undeterred.api.experiments import read as read
from undeterred.api.operation import HANDLERS as HANDLERS
from undeterred.api.trials import progress as progress
from undeterred.api.trials import report as report
