"""MLflow is told of every job and asked for nothing: the job's folder is the truth.

folder   what a job's folder holds, as MLflow's parameters and metrics
ledger   what has been sent, and where to
store    the MLflow client
sending  the contents of one job
tracker  which run they go to, and what happens when MLflow is away
backlog  sending everything that was not sent
ui       looking at it
"""

from __future__ import annotations

from benchmarks.tracking.backlog import TrackReport, send_all
from benchmarks.tracking.sending import Note
from benchmarks.tracking.tracker import Tracker
from benchmarks.tracking.ui import serve_ui

__all__ = ["Note", "TrackReport", "Tracker", "send_all", "serve_ui"]
