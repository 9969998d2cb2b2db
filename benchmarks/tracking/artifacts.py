"""Files beside runs in MLflow: with a database they lie in the results folder, and only there.

A database says of each run where its files are. One that was moved, copied or received says what was true elsewhere, so
that its word is not taken: it is told.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from benchmarks.files import atomic_path
from benchmarks.links import refuse_outside
from benchmarks.tracking.addresses import is_inside, is_server

if TYPE_CHECKING:
    from mlflow import MlflowClient

FOLDER = "mlflow-artifacts"


class Artifacts(Protocol):
    """Somewhere that files of runs are kept."""

    def keep(self, run_id: str, path: Path, folder: str = "") -> None:
        """Put a copy of a file beside a run, in a folder of that name."""


class SentArtifacts:
    """The store decides where they are: a server, or a database that sends them to a service such as S3."""

    def __init__(self, client: MlflowClient) -> None:
        self._client = client

    def keep(self, run_id: str, path: Path, folder: str = "") -> None:
        """As `Artifacts`."""
        self._client.log_artifact(run_id, str(path), folder or None)


class OwnArtifacts:
    """They are in the results folder, and the database is told so.

    Args:
        uri: of the database, as MLflow takes it.
        out: the results folder.
    """

    def __init__(self, uri: str, out: Path) -> None:
        self._database, self._out = uri, out.resolve()
        self._told: set[str] = set()

    @property
    def place(self) -> Path:
        return self._out / FOLDER

    def keep(self, run_id: str, path: Path, folder: str = "") -> None:
        """As `Artifacts`.

        Raises:
            UserError: a part of the place lies outside the results folder.
            ValueError: the name of the run is none of MLflow's.
        """
        if not re.fullmatch(r"[0-9a-f]{32}", run_id):
            raise ValueError(f"{run_id!r} is no id of a run")
        target = self.place / run_id / "artifacts" / folder / path.name
        refuse_outside(target.parent, self._out)
        with atomic_path(target) as temporary:
            shutil.copyfile(path, temporary)
        if run_id not in self._told:
            self._change(
                "UPDATE runs SET artifact_uri = :uri WHERE run_uuid = :run", uri=self._uri_of(run_id), run=run_id
            )
            self._told.add(run_id)

    def tell_all(self, owner: str) -> None:
        """Tell a SQLite database where the files of all runs of this results folder are.

        Args:
            owner: id of the results folder; runs that say nothing are its, too.
        """
        others = "SELECT run_uuid FROM tags WHERE key = 'pctrans_bench.results' AND value <> :owner"
        place = ":folder || '/' || run_uuid || '/artifacts'"
        self._change(
            f"UPDATE runs SET artifact_uri = {place} WHERE run_uuid NOT IN ({others}) AND artifact_uri <> {place}",
            folder=self.place.as_uri(),
            owner=owner,
        )

    def _uri_of(self, run_id: str) -> str:
        return (self.place / run_id / "artifacts").as_uri()

    def _change(self, statement: str, **values: str) -> None:
        from sqlalchemy import create_engine, text
        from sqlalchemy.pool import NullPool

        with create_engine(self._database, poolclass=NullPool).begin() as connection:
            connection.execute(text(statement), values)


def artifacts_of(client: MlflowClient, experiment: str, uri: str, out: Path, owner: str) -> Artifacts:
    """Return where the files of a results folder's runs are kept.

    Args:
        client: talks to the store.
        experiment: MLflow's id of it.
        uri: of the store, as MLflow takes it.
        out: the results folder.
        owner: id of the results folder.
    """
    if is_server(uri):
        return SentArtifacts(client)
    own = OwnArtifacts(uri, out)
    if is_inside(uri, out):
        own.tell_all(owner)
        return own
    # A database that people share may be set up to keep files where all of them see them.
    location = str(client.get_experiment(experiment).artifact_location)
    return own if location.startswith(("file:", "/")) or "://" not in location else SentArtifacts(client)
