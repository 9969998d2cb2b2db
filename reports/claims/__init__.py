"""The paper's claims, each compared with measured rows: supported, contradicted, undecided, or missing results.

`claims.yaml` beside this package lists them; `verdicts.RULE` says how a verdict is reached; `reports.statistics`
defines the statistics.
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
