"""How much of a table is protocol: its figures, differences and ranking under every published variant of scoring."""

from __future__ import annotations

from reports.protocol.console import render_protocol
from reports.protocol.files import protocol_document, write_protocol
from reports.protocol.rescored import RescoredTable, rescore_table
from reports.protocol.sensitivity import families

__all__ = ["RescoredTable", "families", "protocol_document", "render_protocol", "rescore_table", "write_protocol"]
