"""Tables as LaTeX: fragments to \\input, and documents that compile by themselves."""

from reports.latex.documents import PREAMBLE, combined_document, cost_fragment, document, fragment_names
from reports.latex.table import table_fragment
from reports.latex.text import escape

__all__ = [
    "PREAMBLE",
    "combined_document",
    "cost_fragment",
    "document",
    "escape",
    "fragment_names",
    "table_fragment",
]
