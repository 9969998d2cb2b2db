"""What a user changes of a table's jobs (`--set`, `--config`), and which rows it is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.errors import UserError
from benchmarks.plan.methods import get_method
from benchmarks.plan.nested import NOTHING, lookup, merge, nest
from benchmarks.plan.tables import RowSpec, TableSpec


@dataclass(frozen=True)
class TableOverrides:
    """Overrides of a table.

    Attributes:
        shared: sections for every row; of `model` only the backbone where rows are of different methods.
        by_method: sections for the rows of one method.
    """

    shared: Mapping[str, Any]
    by_method: Mapping[str, Mapping[str, Any]]

    @classmethod
    def read(cls, table: TableSpec, overrides: Mapping[str, Any]) -> TableOverrides:
        """Check nested overrides against a table.

        Raises:
            UserError: a method that the table does not have, a field that not all its methods have, or one that tells
                the table's rows apart.
        """
        shared = {name: section for name, section in overrides.items() if name != "methods"}
        by_method = overrides.get("methods", {})
        for section, where in [(shared.get("model", {}), "model"), (by_method, "methods")]:
            if not isinstance(section, Mapping):
                raise UserError(f"the section {where} has to hold fields, such as {where}.…=…, but is {section!r}.")
        methods = _methods(table)
        for name, sections in by_method.items():
            if name not in methods:
                raise UserError(f"{table.name} has no row of a method '{name}': it has {', '.join(methods)}.")
            if not isinstance(sections, Mapping) or set(sections) - {"model", "training", "testing"}:
                raise UserError(f"methods.{name} has to hold model.…, training.… or testing.…, but is {sections!r}.")
        if len(methods) > 1 and (own := sorted(set(shared.get("model", {})) - {"backbone"})):
            raise UserError(
                f"model.{own[0]}: the rows of {table.name} are of different methods, so say which one it is for, "
                f"such as --set methods.{methods[0]}.model.{own[0]}=…; only model.backbone is for all."
            )
        overrides_of_table = cls(shared, by_method)
        overrides_of_table._refuse_undone(table)
        return overrides_of_table

    def of_row(self, table: TableSpec, row: RowSpec, scale: str) -> dict[str, Any]:
        """What `make_job` is given for a row: what the table sets < shared < the method's own < the row's switches."""
        method = table.method_of(row)
        assert method is not None, "a row that only quotes the paper has no job"
        shared, found = dict(self.shared), get_method(method)
        of_table = table.overrides(row)
        if found.trained:
            of_scale = table.scales.get(scale, {})
            kept = [path for path in of_scale if found.has_backbone or not path.startswith("backbone.")]
            of_table = {path: of_scale[path] for path in kept} | of_table
        if not found.has_backbone:  # the only field of a model that methods share
            shared["model"] = {name: value for name, value in shared.get("model", {}).items() if name != "backbone"}
        switches = {path: row.overrides[path] for path in _telling_apart(table, method) if path in row.overrides}
        given = merge(shared, self.by_method.get(method, {}))
        return merge(merge({"model": nest(of_table)}, given), {"model": nest(switches)})

    def _refuse_undone(self, table: TableSpec) -> None:
        absent = {column.path: column.absent for column in table.columns if column.absent is not None}
        for method in _methods(table):
            for path in sorted(_telling_apart(table, method)):
                for sections, where in ((self.shared, ""), (self.by_method.get(method, {}), f"methods.{method}.")):
                    given = lookup(sections, f"model.{path}", NOTHING)
                    # A component's weight may be another one, in the rows that have the component.
                    if given is not NOTHING and (path not in absent or given in (absent[path], None)):
                        raise UserError(
                            f"{where}model.{path} is what tells the rows of {table.name} apart; it cannot be "
                            f"{'left out of all' if path in absent else 'overridden'} in this table."
                        )


def for_method(overrides: Mapping[str, Any], method: str) -> dict[str, Any]:
    """Overrides of a table as they are for one method, for `make_job`.

    Raises:
        UserError: they are for other methods only.
    """
    by_method = overrides.get("methods")
    shared = {name: section for name, section in overrides.items() if name != "methods"}
    if by_method is None:
        return shared
    if not isinstance(by_method, Mapping) or method not in by_method:
        held = ", ".join(by_method) if isinstance(by_method, Mapping) else repr(by_method)
        raise UserError(f"the section methods holds settings of {held}, and none of {method}.")
    own = by_method[method]
    if not isinstance(own, Mapping):
        raise UserError(f"methods.{method} has to hold sections, such as model.…, but is {own!r}.")
    return merge(shared, own)


def _methods(table: TableSpec) -> list[str]:
    """Methods that the table runs."""
    return sorted({method for row in table.rows if (method := table.method_of(row))})


def _telling_apart(table: TableSpec, method: str) -> set[str]:
    """Fields of the model that columns show, or in which the method's rows differ."""
    rows = [row.overrides for row in table.rows if table.method_of(row) == method]
    paths = {path for overrides in rows for path in overrides}
    differing = {path for path in paths if any(overrides.get(path) != rows[0].get(path) for overrides in rows)}
    return differing | {column.path for column in table.columns}
