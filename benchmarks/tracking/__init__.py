"""MLflow is told of every job and asked only what it has already: the job's folder is the truth.

job         reads a job's folder, as MLflow's parameters and metrics
identity    names the results folder
addresses   reads and shows the URIs of stores
database    makes the database of a results folder
artifacts   keeps files beside runs
store       makes the MLflow client
runs        finds the runs of a results folder by their tags, or makes them
sending     sends the contents of one job to its run
deadline    waits so long and no longer
connection  bears that MLflow is away
tracker     tells of tables and of the jobs below them
several     tells of jobs of several tables
backlog     sends everything that was not sent
views       has its pages show the metrics of a table
ui          shows it
"""

from __future__ import annotations

from benchmarks.tracking.backlog import TrackReport, send_all
from benchmarks.tracking.sending import Note
from benchmarks.tracking.tracker import Tracker
from benchmarks.tracking.ui import serve_ui

__all__ = ["Note", "TrackReport", "Tracker", "send_all", "serve_ui"]
