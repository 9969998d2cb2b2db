"""The paper's claims, each compared with measured rows: supported, contradicted, undecided, or missing results.

`claims.yaml` beside this package is the list; `verdicts.RULE` says how a verdict is reached; statistics are defined in
`reports.statistics`.
"""

from reports.claims.evaluation import ClaimsReport, ClaimVerdict, evaluate_claims
from reports.claims.specification import load_claims
from reports.claims.verdicts import RULE, PartVerdict, Verdict
from reports.claims.writing import to_json, to_markdown, write_claims

__all__ = [
    "RULE",
    "ClaimVerdict",
    "ClaimsReport",
    "PartVerdict",
    "Verdict",
    "evaluate_claims",
    "load_claims",
    "to_json",
    "to_markdown",
    "write_claims",
]
