"""Which variants a data set has."""

from __future__ import annotations

import pytest

from benchmarks.metrics import METRICS
from benchmarks.protocol import FAMILIES, OWN, Choice, choose
from benchmarks.protocol.variants import SINGLE_CHANGES

SINGLE = ["aji_plus", "aji_pea", "aji_cellpose", "dice_empty_0", "iou_at_least_half", "sbd_max"]


def names(choice: Choice) -> list[str]:
    return [variant.name for variant in choice.variants]


def nuclei(**changes: object) -> Choice:
    known = {"data": "cells", "decoding": "ids", "decodings": ("ids",), "protocol": "nuclei"}
    return choose(**known | changes)  # type: ignore[arg-type]


def test_labels_that_hold_ids_have_one_decoding() -> None:
    choice = nuclei()
    assert names(choice) == ["own", *SINGLE, "pooled", "foreground", "released"]
    assert [variant.name for variant, _ in choice.refused] == ["decoding_official", "decoding_pea"]
    assert all("cells hold ids" in reason for _, reason in choice.refused)
    released = choice.variants[-1]
    assert released.decoding is None
    assert "cells hold ids" in released.what


@pytest.mark.parametrize(("own", "other"), [("pea", "official"), ("official", "pea")])
def test_a_decoding_is_no_variant_of_itself(own: str, other: str) -> None:
    choice = nuclei(data="bbbc039", decoding=own, decodings=("pea", "official"))
    assert names(choice) == ["own", *SINGLE, f"decoding_{other}", "pooled", "foreground", "released"]
    assert choice.refused == ()
    # What was released decodes as PEA, whatever this table's jobs do.
    assert choice.variants[-1].decoding == "pea"


def test_the_foreground_is_a_leak_where_the_data_does_not_give_it() -> None:
    given = choose(data="cvppp-a1", decoding="ids", decodings=("ids",), protocol="leaves")
    assert not any(variant.leak for variant in given.variants)
    leaked = choose(data="synthetic-rosettes", decoding="ids", decodings=("ids",), protocol="leaves")
    assert [variant.name for variant in leaked.variants if variant.leak] == ["foreground", "released"]
    assert all("(leak)" in variant.title for variant in leaked.variants if variant.leak)
    assert [variant.name for variant in nuclei().variants if variant.leak] == ["foreground"]


def test_each_protocol_has_its_own_released_evaluation() -> None:
    leaves = choose(data="cvppp-a1", decoding="ids", decodings=("ids",), protocol="leaves").variants[-1]
    assert (set(leaves.metrics), leaves.foreground) == ({"sbd", "abs_dic"}, True)
    released = nuclei().variants[-1]
    assert (set(released.metrics), released.foreground) == ({"aji", "dice", "f1", "pq"}, False)


def test_a_change_is_one_change() -> None:
    for variant in SINGLE_CHANGES:
        other_metrics = any(FAMILIES[name] is not compute for name, compute in variant.metrics.items())
        changes = [other_metrics, variant.decoding is not None, variant.pooled, variant.foreground]
        assert sum(changes) == 1, variant.name


def test_every_variant_says_what_it_is_and_touches_known_metrics() -> None:
    variants = [OWN, *SINGLE_CHANGES]
    assert len({variant.name for variant in variants}) == len({variant.title for variant in variants}) == len(variants)
    for variant in variants:
        assert variant.what and variant.source
        assert set(variant.metrics) <= set(FAMILIES) <= set(METRICS)
