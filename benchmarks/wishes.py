"""What a user changes of a table's jobs (`--set`, `--config`), and which rows it is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.errors import UserError
from benchmarks.jobs import nest
from benchmarks.methods import get_method
from benchmarks.scales import merge
from benchmarks.tables import RowSpec, TableSpec


@dataclass(frozen=True)
class Wishes:
    """Overrides of a table.

    Attributes:
        shared: sections for every row; of `model` only the backbone where rows are of different methods.
        by_method: sections for the rows of one method.
    """

    shared: Mapping[str, Any]
    by_method: Mapping[str, Mapping[str, Any]]

    @classmethod
    def read(cls, table: TableSpec, overrides: Mapping[str, Any]) -> Wishes:
        """Check nested overrides against a table.

        Raises:
            UserError: a method that the table does not have, a field that not all its methods have, or a
                wish that the table would silently undo.
        """
        shared = {name: section for name, section in overrides.items() if name != "methods"}
        by_method = overrides.get("methods", {})
        for section, where in [(shared.get("model", {}), "model"), (by_method, "methods")]:
            if not isinstance(section, Mapping):
                raise UserError(f"the section {where} has to hold fields, such as {where}.…=…, but is {section!r}.")
        methods = {method for row in table.rows if (method := table.method_of(row))}
        for name, sections in by_method.items():
            if name not in methods:
                raise UserError(f"{table.name} has no row of a method '{name}': it has {', '.join(sorted(methods))}.")
            if not isinstance(sections, Mapping) or set(sections) - {"model", "training", "testing"}:
                raise UserError(f"methods.{name} has to hold model.…, training.… or testing.…, but is {sections!r}.")
        if len(methods) > 1 and (own := sorted(set(shared.get("model", {})) - {"backbone"})):
            raise UserError(
                f"model.{own[0]}: the rows of {table.name} are of different methods, so say which one it is for, "
                f"such as --set methods.{sorted(methods)[0]}.model.{own[0]}=…; only model.backbone is for all."
            )
        wishes = cls(shared, by_method)
        wishes._refuse_undone(table)
        return wishes

    def of_row(self, table: TableSpec, row: RowSpec, scale: str) -> dict[str, Any]:
        """What `make_job` is given for a row: table's scale < shared < the method's own < the row's switches."""
        method = table.method_of(row)
        assert method is not None, "a row that only quotes the paper has no job"
        shared = dict(self.shared)
        sections: dict[str, Any] = {}
        if get_method(method).trained:
            sections = {"model": nest(table.scales.get(scale, {}))}
        else:
            shared.pop("model", None)  # the only shared field of a model is the backbone
        sections = merge(merge(sections, shared), self.by_method.get(method, {}))
        return merge(sections, {"model": nest(table.overrides(row))})

    def _refuse_undone(self, table: TableSpec) -> None:
        switches = {column.path for column in table.columns} | set(table.fixed)
        self._refuse(table, self.shared.get("model", {}), switches, "model")
        for name, sections in self.by_method.items():
            of_rows = {path for row in table.rows if table.method_of(row) == name for path in row.overrides}
            self._refuse(table, sections.get("model", {}), switches | of_rows, f"methods.{name}.model")

    def _refuse(self, table: TableSpec, model: Any, switches: set[str], where: str) -> None:
        for path in sorted(switches):
            value = model
            for part in path.split("."):
                value = value.get(part) if isinstance(value, Mapping) else None
            if value is not None:
                raise UserError(
                    f"{where}.{path} is what {table.name} sets itself; it cannot be overridden in this table."
                )
