"""Mask candidates of single queries (figure 4)."""

from __future__ import annotations

import numpy as np

from benchmarks.figures.activations import Arrays, target_facts
from benchmarks.figures.facts import Candidates, CandidateView, RowFacts
from benchmarks.figures.looking import (
    OpenRow,
    Request,
    Scene,
    crowded_test_scene,
    look,
    open_rows,
    soft_mask,
    window_of_most,
)
from benchmarks.figures.queries import best_queries, cells_of
from benchmarks.figures.selection import Target, crowded_targets, whole_ids
from benchmarks.store.overlays import stretch
from pctrans.inspection import MASK_STRIDE


def compute(request: Request) -> tuple[Candidates, list[RowFacts], Arrays]:
    """Compute the figure for the rows whose models have queries.

    Arrays: `image` (h, w, 3) uint8, `truth` (h, w), and for each row R of the table and target T from 0
    `mask_R_T` (h, w), a probability.
    """
    rows = open_rows(request)
    scene = crowded_test_scene(request)
    targets = crowded_targets(scene.truth, request.spec.examples)
    arrays: Arrays = {"image": stretch(scene.image), "truth": scene.truth}
    views = [_view(row, scene, targets, request, arrays) for row in rows if row.model]
    shown = Candidates(window=scene.window, targets=target_facts(targets), views=views)
    return shown, [row.facts for row in rows], arrays


def _view(row: OpenRow, scene: Scene, targets: list[Target], request: Request, arrays: Arrays) -> CandidateView:
    found = look(row, scene.image, request.device)
    queries = best_queries(
        found.mask_logits.sigmoid().numpy(), cells_of(scene.truth), [target.id for target in targets]
    )
    for place, query in enumerate(queries):
        mask = soft_mask(found.mask_logits[query.query], MASK_STRIDE, scene.truth.shape)
        arrays[f"mask_{row.facts.row}_{place}"] = mask
    dices, merges = _everywhere(row, request)
    return CandidateView(
        row=row.facts,
        queries=queries,
        num_queries=len(found.mask_logits),
        instances=len(dices),
        mean_dice=float(np.mean(dices)),
        merged=float(np.mean(merges)),
    )


def _everywhere(row: OpenRow, request: Request) -> tuple[list[float], list[bool]]:
    """Find the best query of each whole instance: its Dice, and whether it covers another instance too.

    The instances are those in the most crowded window of each test image; any too thin for a cell of the masks is left
    out.
    """
    dices, merges = [], []
    for image in request.dataset.ids(request.split):
        scene = window_of_most(request.dataset, image, request.tile)
        cells = cells_of(scene.truth)
        ids = np.intersect1d(whole_ids(scene.truth), cells).tolist()
        if not ids:
            continue
        masks = look(row, scene.image, request.device).mask_logits.sigmoid().numpy()
        for id, query in zip(ids, best_queries(masks, cells, ids), strict=True):
            dices.append(query.dice)
            merges.append(bool(set(query.covered) - {id}))
    return dices, merges
