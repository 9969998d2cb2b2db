"""Similarity of the queries without and with the contrastive losses (figure 5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from benchmarks.figures.activations import Arrays
from benchmarks.figures.facts import RowFacts, Similarity, SimilarityView, SimilarMasks, TargetFacts
from benchmarks.figures.looking import (
    OpenRow,
    Request,
    Scene,
    look,
    open_rows,
    soft_mask,
    typical_scene,
    window_of_most,
)
from benchmarks.figures.queries import cells_of
from benchmarks.figures.selection import whole_ids
from benchmarks.store.overlays import stretch
from pctrans.contrast import cosine_similarity, group_queries, soft_dice_similarity
from pctrans.inspection import MASK_STRIDE, Inspection
from pctrans.matcher import Matching, matching_cost


@dataclass(frozen=True)
class Grouping:
    """Queries in groups, as the contrastive losses form them: a matched query and the unmatched ones nearest to it.

    Attributes:
        anchor: (N,) the matched query that each query belongs to; a matched query belongs to itself.
        instance: (N,) id of the anchor's instance.
        cosine: (N, N) similarity of the queries.
        dice: (N, N) soft Dice similarity of their masks.
    """

    anchor: np.ndarray
    instance: np.ndarray
    cosine: np.ndarray
    dice: np.ndarray


def compute(request: Request) -> tuple[Similarity, list[RowFacts], Arrays]:
    """Compute the figure for the rows whose models give their queries.

    Arrays: `image` (h, w, 3) uint8, `truth` (h, w), for each row R of the table `cosine_R` (N, N), ordered by group,
    and `mask_T` (h, w) of the last row's similar queries.
    """
    rows = open_rows(request)
    scene = typical_scene(request)
    arrays: Arrays = {"image": stretch(scene.image), "truth": scene.truth}
    views, masks = [], None
    for index, row in enumerate(rows):
        if row.model is None:
            continue
        found = look(row, scene.image, request.device)
        grouping = group(found, scene.truth)
        if grouping is None:
            rows[index] = row.without(
                "no queries" if found.queries is None else "no instance as large as a mask's cell"
            )
            continue
        order, sizes = group_order(grouping)
        arrays[f"cosine_{row.facts.row}"] = grouping.cosine[np.ix_(order, order)].astype(np.float32)
        views.append(_view(row, sizes, request))
        if row is rows[-1]:
            masks = _similar_masks(row, found, grouping, scene, request.spec.examples, arrays)
    facts = [row.facts for row in rows]
    return Similarity(window=scene.window, views=views, masks=masks), facts, arrays


def group(found: Inspection, truth: np.ndarray) -> Grouping | None:
    """Group the queries of one image; None where the model does not give queries or the image has no instance.

    Queries are matched with instances by their masks (eq. 1), compared at every cell in place of random points.
    """
    cells = cells_of(truth)
    ids = np.unique(cells[cells > 0])
    if found.queries is None or not len(ids):
        return None
    inside = torch.from_numpy(cells.ravel()[None] == ids[:, None])
    cost = matching_cost(found.mask_logits.flatten(1)[None], inside[None])[0]
    matched, columns = linear_sum_assignment(cost.numpy())
    queries, chosen = found.queries[None], torch.from_numpy(matched)
    matching = Matching(torch.zeros_like(chosen), chosen, torch.from_numpy(columns), [len(matched)])
    positives = group_queries(queries, matching).positives[0]
    positives[chosen, chosen] = True
    anchor = positives.to(torch.uint8).argmax(0).numpy()
    instance_of = np.zeros(len(anchor), np.int64)
    instance_of[matched] = ids[columns]
    return Grouping(
        anchor=anchor,
        instance=instance_of[anchor],
        cosine=_one(cosine_similarity(queries)),
        dice=_one(soft_dice_similarity(found.mask_logits[None])),
    )


def _one(batch: Tensor) -> np.ndarray:
    return batch[0].numpy().astype(np.float64)


def group_order(grouping: Grouping) -> tuple[np.ndarray, list[int]]:
    """Order the queries by group, the largest first; in each the anchor leads, then similarity to it falls.

    Returns:
        Indices of the queries (N,), and the sizes of the groups.
    """
    anchors, counts = np.unique(grouping.anchor, return_counts=True)
    size = dict(zip(anchors.tolist(), counts.tolist(), strict=True))

    def place(query: int) -> tuple[int, int, bool, float, int]:
        anchor = int(grouping.anchor[query])
        return -size[anchor], int(grouping.instance[query]), query != anchor, -grouping.cosine[anchor, query], query

    order = np.array(sorted(range(len(grouping.anchor)), key=place))
    return order, sorted(size.values(), reverse=True)


def shown_group(grouping: Grouping, truth: np.ndarray) -> np.ndarray:
    """Take the largest group whose instance the window does not cut, of all groups where it cuts every instance.

    Queries that predict nothing gather around slivers at the window's edge, whose groups would show no mask.

    Returns:
        Indices of the queries, in the order of `group_order`.
    """
    order, _ = group_order(grouping)
    whole = order[np.isin(grouping.instance[order], whole_ids(truth))]
    first = whole[0] if len(whole) else order[0]
    return order[grouping.anchor[order] == grouping.anchor[first]]


def within_and_between(similarity: np.ndarray, anchor: np.ndarray) -> tuple[float, float] | None:
    """Average the similarity of two queries of one group, and of two groups; None where either has no pair."""
    first, second = np.triu_indices(len(anchor), 1)
    same = anchor[first] == anchor[second]
    if same.all() or not same.any():
        return None
    pairs = similarity[first, second]
    return float(pairs[same].mean()), float(pairs[~same].mean())


def _view(row: OpenRow, sizes: list[int], request: Request) -> SimilarityView:
    """Describe a row, with means over the most crowded windows of all test images."""
    found = []
    for image in request.dataset.ids(request.split):
        scene = window_of_most(request.dataset, image, request.tile)
        grouping = group(look(row, scene.image, request.device), scene.truth)
        if grouping is None:
            continue
        cosine, dice = (within_and_between(s, grouping.anchor) for s in (grouping.cosine, grouping.dice))
        if cosine is not None and dice is not None:
            found.append((*cosine, *dice))
    means = np.mean(found, axis=0).tolist() if found else [None] * 4
    within, between, mask_within, mask_between = means
    return SimilarityView(
        row=row.facts,
        group_sizes=sizes,
        within=within,
        between=between,
        mask_within=mask_within,
        mask_between=mask_between,
        images=len(found),
    )


def _similar_masks(
    row: OpenRow, found: Inspection, grouping: Grouping, scene: Scene, count: int, arrays: Arrays
) -> SimilarMasks:
    members = shown_group(grouping, scene.truth)
    group_size, members = len(members), members[:count].tolist()
    anchor = members[0]
    for place, query in enumerate(members):
        arrays[f"mask_{place}"] = soft_mask(found.mask_logits[query], MASK_STRIDE, scene.truth.shape)
    return SimilarMasks(
        row=row.facts,
        target=_box(scene.truth, int(grouping.instance[anchor])),
        queries=members,
        cosines=grouping.cosine[anchor, members].tolist(),
        dices=binary_dices(found.mask_logits[members]),
        group_size=group_size,
    )


def binary_dices(logits: Tensor) -> list[float]:
    """Compute the Dice of each mask (M, h, w) with the first, at a probability of 0.5; 0 where both are empty."""
    masks = (logits > 0).flatten(1).float()
    return (2 * (masks @ masks[0]) / (masks.sum(1) + masks[0].sum()).clamp(min=1)).tolist()


def _box(truth: np.ndarray, id: int) -> TargetFacts:
    rows, columns = np.nonzero(truth == id)
    return TargetFacts(
        id=id,
        top=int(rows.min()),
        left=int(columns.min()),
        bottom=int(rows.max()) + 1,
        right=int(columns.max()) + 1,
        crowding=0.0,
    )
