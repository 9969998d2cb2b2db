"""The caption of a table, in plain text that each report escapes in its own way; `reports.notes` says the rest."""

from __future__ import annotations

from reports.collect import TableResults
from reports.facts import Facts, distinct, facts_of

LONGEST_NAME = 40
MOST_SEEDS = 5
"""How long the name of data, and how many seeds, may be before a caption of three lines has no room for them."""


def caption(results: TableResults) -> str:
    """Write the paper's own sentence, and on which data, at which scale and over which seeds was measured."""
    spec = results.spec
    if not results.results:
        return f"{spec.caption} Measured: nothing yet."
    facts = facts_of(results.results)
    images, instances, scale = (
        distinct(fact[section][name] for fact in facts)
        for section, name in (("dataset", "images"), ("dataset", "instances"), ("job", "scale"))
    )
    data = _shortened(distinct(map(_data, facts)))
    return f"{spec.caption} {data} ({images} images, {instances} instances), scale {scale}, {_seeds(results)}."


def _data(fact: Facts) -> str:
    """Name the data and their split; results of old versions name no data, only where they lay."""
    dataset = fact["dataset"]
    return f"{dataset['name'] or dataset['spec']} {dataset['split']}"


def _shortened(text: str) -> str:
    """Keep the end, where names of folders are told apart."""
    return text if len(text) <= LONGEST_NAME else f"…{text[1 - LONGEST_NAME :]}"


def _seeds(results: TableResults) -> str:
    seeds = results.seeds
    if not results.trained:
        return "nothing trained"
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    listed = f" ({', '.join(map(str, seeds))})" if len(seeds) <= MOST_SEEDS else ""
    return f"mean ± std over {len(seeds)} seeds{listed}"
