"""Eq. 8 with all its terms, written from the paper and the facts, in float64."""

from __future__ import annotations

import torch
from literal_contrast import (
    literal_contrast_terms,
    literal_cosine,
    literal_groups,
    literal_overlap,
    literal_released_contrast,
)
from literal_losses import literal_bce, literal_dice, literal_discriminative, literal_focal
from literal_maps import bilinear, sampled
from literal_matching import Instance, instances_of, literal_matching, truth_at, undecided_points
from torch import Tensor

from pctrans import PCTransConfig
from pctrans.decoder import Prediction


def literal_objective(
    predictions: list[Prediction],
    embedding: Tensor,
    semantic_logits: Tensor,
    labels: Tensor,
    config: PCTransConfig,
) -> dict[str, Tensor]:
    """The weighted terms by name.

    Points are drawn from torch's generator: for the matching first, for the masks of each prediction after that.

    Args:
        predictions: of all depths, in float64.
        embedding: pixel embedding (B, D, H / 8, W / 8).
        semantic_logits: (B, H / 8, W / 8).
        labels: (B, H, W) ids.
    """
    weights, batch = config.loss_weights, len(labels)
    instances = instances_of(labels)
    compared = [p.mask_logits if config.mask_stride == 4 else _enlarged(p.mask_logits) for p in predictions]
    matching_points = torch.rand(batch, config.num_points, 2).double()
    matched = [
        _matched(masks.detach(), p.centres.detach(), instances, matching_points, config.matching_centre_weight)
        for masks, p in zip(compared, predictions, strict=True)
    ]
    bce = dice = point = torch.zeros((), dtype=torch.float64)
    for prediction, masks, queries in zip(predictions, compared, matched, strict=True):
        candidates = torch.rand(batch, 3 * config.num_points, 2).double()
        others = torch.rand(batch, config.num_points - int(0.75 * config.num_points), 2).double()
        for instance, query in zip(instances, queries, strict=True):
            mask = masks[instance.image, query]
            points = undecided_points(mask.detach(), candidates[instance.image], others[instance.image])
            values, truth = sampled(mask[None], points)[0], truth_at(instance, points)
            bce = bce + literal_bce(values, truth) / len(instances)
            dice = dice + literal_dice(values, truth) / len(instances)
            miss = (prediction.centres[instance.image, query] - instance.centre).abs().sum()
            point = point + miss / len(instances)
    cells = labels[:, 4::8, 4::8]
    query_contrast, mask_contrast = _contrasts(predictions[-1], instances, matched[-1], config)
    return {
        "mask_bce": weights.mask * bce,
        "mask_dice": weights.mask * dice,
        "point": weights.point * point,
        "discriminative": weights.discriminative * literal_discriminative(embedding, cells),
        "semantic": weights.semantic * literal_focal(semantic_logits, cells > 0),
        "query_contrast": weights.query_contrast * query_contrast,
        "mask_contrast": weights.mask_contrast * mask_contrast,
    }


def _enlarged(masks: Tensor) -> Tensor:
    """From 1/8 to 1/4 of the input."""
    height, width = masks.shape[-2:]
    return bilinear(masks, (2 * height, 2 * width))


def _matched(
    masks: Tensor, centres: Tensor, instances: list[Instance], points: Tensor, centre_weight: float
) -> list[int]:
    """The query of each instance of the batch."""
    queries = []
    for b in range(len(masks)):
        here = [i for i in instances if i.image == b]
        queries += literal_matching(masks[b], centres[b], here, points[b], centre_weight)
    return queries


def _contrasts(
    last: Prediction, instances: list[Instance], matched: list[int], config: PCTransConfig
) -> tuple[Tensor, Tensor]:
    """QEC and MCC of the last prediction, each the mean over the anchors of the batch that have a positive."""
    of_queries, of_masks, squares = [], [], []
    for b in range(len(last.queries)):
        anchors = [query for query, i in zip(matched, instances, strict=True) if i.image == b]
        groups = literal_groups(last.queries[b], anchors)
        if config.query_contrast_form == "released":
            terms, distances = literal_released_contrast(last.queries[b], groups)
            of_queries, squares = of_queries + terms, squares + distances
        else:
            of_queries += literal_contrast_terms(last.queries[b], groups, literal_cosine, config.query_temperature)
        of_masks += literal_contrast_terms(last.mask_logits[b], groups, literal_overlap, config.mask_temperature)
    query_contrast = torch.stack(of_queries).mean()
    if squares:
        query_contrast = query_contrast + torch.stack(squares).mean()
    return query_contrast, torch.stack(of_masks).mean()
