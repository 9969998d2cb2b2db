"""Pixel embeddings, attention weights and activation maps of single queries (figure 1)."""

from __future__ import annotations

import numpy as np

from benchmarks.figures.facts import Activations, ActivationView, RowFacts, TargetFacts
from benchmarks.figures.looking import (
    OpenRow,
    Request,
    Scene,
    crowded_test_scene,
    enlarged,
    look,
    open_rows,
    segment,
    soft_mask,
)
from benchmarks.figures.queries import best_queries, cells_of
from benchmarks.figures.selection import Target, crowded_targets
from benchmarks.metrics import image_metrics
from benchmarks.store.overlays import stretch
from pctrans.inspection import MASK_STRIDE

Arrays = dict[str, np.ndarray]


def compute(request: Request) -> tuple[Activations, list[RowFacts], Arrays]:
    """Compute the figure for the rows whose models have queries and attention weights over the image.

    Arrays: `image` (h, w, 3) uint8, `truth` (h, w), and for each row R of the table `embedding_R` (h, w, 3) and
    `prediction_R` (h, w), for each target T from 0 `attention_R_T` and `activation_R_T` (h, w).
    """
    rows = open_rows(request)
    scene = crowded_test_scene(request)
    targets = crowded_targets(scene.truth, request.spec.examples)
    arrays: Arrays = {"image": stretch(scene.image), "truth": scene.truth}
    views, facts = [], []
    for row in rows:
        view = _view(row, scene, targets, request.device, arrays) if row.model else None
        if view is not None:
            views.append(view)
        elif row.model:
            row = row.without("its attention has no weights over the image")
        facts.append(row.facts)
    return Activations(window=scene.window, targets=target_facts(targets), views=views), facts, arrays


def target_facts(targets: list[Target]) -> list[TargetFacts]:
    return [
        TargetFacts(
            id=target.id,
            top=target.box[0].start,
            left=target.box[1].start,
            bottom=target.box[0].stop,
            right=target.box[1].stop,
            crowding=target.crowding,
        )
        for target in targets
    ]


def _view(row: OpenRow, scene: Scene, targets: list[Target], device: str, arrays: Arrays) -> ActivationView | None:
    found = look(row, scene.image, device)
    if found.attention is None or found.attention_stride is None:
        return None
    size, number = scene.truth.shape, row.facts.row
    queries = best_queries(
        found.mask_logits.sigmoid().numpy(), cells_of(scene.truth), [target.id for target in targets]
    )
    colours, explained = embedding_colours(found.pixel_embedding.numpy())
    prediction = segment(row, scene.image, device)
    arrays[f"embedding_{number}"] = enlarged(colours, found.embedding_stride, size)
    arrays[f"prediction_{number}"] = prediction
    for place, query in enumerate(queries):
        weights = found.attention[query.query].numpy()
        arrays[f"attention_{number}_{place}"] = enlarged(weights, found.attention_stride, size)
        arrays[f"activation_{number}_{place}"] = soft_mask(found.mask_logits[query.query], MASK_STRIDE, size)
    return ActivationView(
        row=row.facts,
        queries=queries,
        explained=explained,
        embedding_stride=found.embedding_stride,
        attention_stride=found.attention_stride,
        pq=image_metrics(scene.truth, prediction)["pq"],
    )


def embedding_colours(embedding: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """Show the first three principal components of an embedding as red, green and blue.

    The components are fitted on the embedding itself. Each is stretched from its 1st to its 99th percentile; its sign
    makes its largest loading positive.

    Args:
        embedding: (D, h, w), D at least 3.

    Returns:
        (h, w, 3) float32 in [0, 1], and the components' shares of the variance.
    """
    pixels = embedding.reshape(len(embedding), -1).T.astype(np.float64)
    centred = pixels - pixels.mean(0)
    variances, vectors = np.linalg.eigh(centred.T @ centred)
    vectors = vectors[:, ::-1][:, :3]
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(0), range(vectors.shape[1])])
    scores = centred @ vectors
    low, high = np.percentile(scores, (1, 99), axis=0)
    colours = ((scores - low) / np.maximum(high - low, 1e-12)).clip(0, 1)
    shares = variances[::-1][:3] / max(variances.sum(), 1e-12)
    return colours.reshape(*embedding.shape[1:], -1).astype(np.float32), [float(share) for share in shares]
