"""Mask R-CNN's own parts by hand and against torchvision's; what needs torchvision is skipped where it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny import RECIPES
from torch import Tensor

from baselines.maskrcnn.config import MaskRCNNConfig, MaskRCNNInference
from baselines.maskrcnn.painting import paint_detections, paste
from baselines.maskrcnn.sampling import SliceSampler
from benchmarks.data import open_dataset
from benchmarks.metrics import image_metrics
from benchmarks.plan.job import JobContext
from benchmarks.plan.resolving import make_job
from benchmarks.run.execution import run_job
from benchmarks.store.job_folder import JobFolder
from benchmarks.training.watcher import StopRequested, Watcher

ALL = MaskRCNNInference(visible_share=0, min_area=0)


def detection() -> Any:
    return pytest.importorskip("torchvision.models.detection", reason="torchvision is not installed")


def build(**changes: Any) -> Any:
    detection()
    from baselines.maskrcnn.model import MaskRCNN

    torch.manual_seed(0)
    return MaskRCNN(MaskRCNNConfig.model_validate(RECIPES["maskrcnn"].config | changes))


def squares(size: int, *places: tuple[int, int, int]) -> Tensor:
    labels = torch.zeros(size, size, dtype=torch.long)
    for number, (top, left, side) in enumerate(places, 1):
        labels[top : top + side, left : left + side] = number
    return labels


# --- Painting ---


def full(side: int = 28) -> Tensor:
    return torch.ones(1, side, side)


def painted(masks: Tensor, boxes: Tensor, size: tuple[int, int], settings: MaskRCNNInference) -> Tensor:
    """The labels of detections whose scores fall from 1 to 0.5; each pixel has the score of one of them."""
    scores = torch.linspace(1, 0.5, len(masks))
    labels, confidence = paint_detections(masks, boxes, scores, size, settings)
    assert set(confidence.unique().tolist()) <= {0.0, *scores.tolist()}
    assert not (labels > 0)[confidence == 0].any()
    return labels


def test_the_better_detection_has_the_contested_pixels() -> None:
    boxes = torch.tensor([[2.0, 2.0, 12.0, 12.0], [8.0, 2.0, 20.0, 12.0]])
    found = painted(full().repeat(2, 1, 1), boxes, (16, 24), ALL)
    assert found[7].tolist() == [0] * 2 + [1] * 10 + [2] * 8 + [0] * 4
    assert painted(full(), boxes[:1], (16, 24), ALL).sum() == 10 * 10


def test_what_better_ones_leave_little_of_is_dropped_and_covers_nothing() -> None:
    boxes = torch.tensor([[0.0, 0.0, 10.0, 9.0], [1.0, 0.0, 11.0, 9.0], [5.0, 0.0, 15.0, 9.0]])
    found = painted(full().repeat(3, 1, 1), boxes, (10, 20), MaskRCNNInference(min_area=0))
    assert found[4].tolist() == [1] * 10 + [2] * 5 + [0] * 5, (
        "the second is a duplicate, the third has half of its columns"
    )
    assert not painted(full()[:0], boxes[:0], (10, 20), ALL).any()


def test_small_objects_are_dropped_and_ids_have_no_gaps() -> None:
    boxes = torch.tensor([[0.0, 0.0, 3.0, 3.0], [8.0, 0.0, 15.0, 7.0]])
    found = painted(full().repeat(2, 1, 1), boxes, (10, 20), MaskRCNNInference(min_area=9))
    assert found.unique().tolist() == [0, 1] and found[3, 10] == 1


def test_pixels_lie_at_their_index_in_the_box() -> None:
    """A mask whose left 14 of 28 cells are 1: pixel 14 of the box is at its very middle."""
    mask = (torch.arange(28) < 14).float().expand(28, 28)
    rows, columns, values = paste(mask, [5.0, 3.0, 33.0, 17.0], (40, 40))
    assert (rows, columns) == (slice(3, 17), slice(5, 33))
    assert values[0].tolist() == [1.0] * 14 + [0.5] + [0.0] * 13
    rows, columns, values = paste(mask, [-9.0, -3.0, 19.0, 11.0], (8, 12))
    assert (rows, columns) == (slice(0, 8), slice(0, 12))
    assert values[0].tolist() == [1.0] * 5 + [0.5] + [0.0] * 6


def test_a_detection_beside_the_image_paints_nothing() -> None:
    boxes = torch.tensor([[30.0, 30.0, 40.0, 40.0], [-20.0, 3.0, -10.0, 9.0]])
    assert not painted(full().repeat(2, 1, 1), boxes, (20, 20), ALL).any()


def test_the_truths_own_boxes_and_masks_come_back() -> None:
    detection()
    from torchvision.models.detection.roi_heads import project_masks_on_boxes

    from baselines.maskrcnn.model import _detection_targets

    rows, columns = torch.meshgrid(torch.arange(96), torch.arange(96), indexing="ij")
    labels = torch.zeros(96, 96, dtype=torch.long)
    for number, (y, x, radius) in enumerate(
        [(20, 20, 14), (25, 70, 9), (70, 30, 20), (72, 76, 6), (93, 60, 12), (50, 94, 4)], 1
    ):
        labels[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = number
    target = _detection_targets(labels[None])[0]
    masks = project_masks_on_boxes(target["masks"], target["boxes"], torch.arange(6), 28)
    found = painted(masks, target["boxes"], (96, 96), ALL)
    assert image_metrics(labels.numpy(), found.numpy())["pq"] > 0.97


# --- Sampling ---


def draw(labels: list[Tensor], seed: int, sampler: SliceSampler) -> tuple[list[Tensor], list[Tensor]]:
    torch.manual_seed(seed)
    return sampler(labels)


def test_samples_are_so_many_and_of_the_right_kind() -> None:
    sampler = SliceSampler(20, 0.25)
    labels = [torch.tensor([1] * 9 + [-1] * 30 + [0] * 40), torch.tensor([1] * 2 + [0] * 5), torch.zeros(50)]
    positive, negative = draw(labels, 0, sampler)
    assert [int(mask.sum()) for mask in positive] == [5, 2, 0]
    assert [int(mask.sum()) for mask in negative] == [15, 5, 20]
    assert (sampler.positives, sampler.drawn) == (7, 47)
    for of_image, chosen, rest in zip(labels, positive, negative, strict=True):
        assert (of_image[chosen] == 1).all() and (of_image[rest] == 0).all()


def test_what_one_image_draws_does_not_depend_on_the_others() -> None:
    """So that a process need not know what those of another draw."""
    sampler, image = SliceSampler(20, 0.25), torch.tensor([1] * 30 + [0] * 60)
    first = draw([torch.zeros(5), image], 0, sampler)
    second = draw([image, image], 0, sampler)
    assert torch.equal(first[0][1], second[0][1]) and torch.equal(first[1][1], second[1][1])
    assert not torch.equal(second[0][0], second[0][1]), "two images that are alike draw for themselves"
    assert not torch.equal(draw([image], 1, sampler)[0][0], draw([image], 2, sampler)[0][0])


def test_every_candidate_is_as_likely() -> None:
    sampler, image = SliceSampler(4, 0.5), torch.tensor([1] * 10 + [0] * 10)
    torch.manual_seed(0)
    counts = sum((positive | negative).float() for _ in range(2000) for (positive,), (negative,) in [sampler([image])])
    assert (counts / 2000 - 0.2).abs().max() < 0.04  # four standard deviations


# --- Network ---


def test_anchors_are_of_objects_from_8_to_100_pixels() -> None:
    model = build()
    cells = model.proposals.anchor_generator.cell_anchors
    sides = [((cell[:, 2:] - cell[:, :2]).prod(1).sqrt()).unique(dim=0) for cell in cells]
    found = sorted({round(float(side)) for of_level in sides for side in of_level})
    assert found[0] in (7, 8) and 85 <= found[-1] <= 100
    images = torch.rand(1, 3, 128, 128)
    shapes = [tuple(feature.shape[-2:]) for feature in model(images).values()]
    assert shapes == [(32, 32), (16, 16), (8, 8), (4, 4)]


def test_each_weight_is_of_its_loss() -> None:
    labels = squares(64, (4, 4, 16), (30, 30, 20))[None]
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    fields = MaskRCNNConfig().loss_weights.model_dump()
    names = dict(zip(("objectness", "proposal_box", "class", "box", "mask"), fields, strict=True))

    def losses(**weights: float) -> dict[str, float]:
        model = build(loss_weights=weights)
        torch.manual_seed(1)
        return {name: value.item() for name, value in model.losses(images, labels).items()}

    plain = losses()
    assert plain.keys() == names.keys()
    for name, field in names.items():
        assert losses(**{field: 3.0}) == pytest.approx(plain | {name: 3 * plain[name]})


def torchvisions(model: Any) -> Any:
    """Torchvision's own class with our backbone and the parts of our model; it resizes images to the size they have."""
    detection()
    from torchvision.models.detection import MaskRCNN as Theirs

    class Pyramid(torch.nn.Module):
        out_channels = 32

        def forward(self, images: Tensor) -> Any:
            return model(images)

    config, heads = model.config, model.heads
    return Theirs(
        Pyramid(),
        min_size=64,
        max_size=64,
        image_mean=[0, 0, 0],
        image_std=[1, 1, 1],
        rpn_anchor_generator=model.proposals.anchor_generator,
        rpn_head=model.proposals.head,
        rpn_pre_nms_top_n_train=2 * config.proposals,
        rpn_pre_nms_top_n_test=config.proposals,
        rpn_post_nms_top_n_train=2 * config.proposals,
        rpn_post_nms_top_n_test=config.proposals,
        rpn_batch_size_per_image=config.rpn_samples,
        box_roi_pool=heads.box_roi_pool,
        box_head=heads.box_head,
        box_predictor=heads.box_predictor,
        box_score_thresh=0.05,
        box_nms_thresh=0.7,
        box_detections_per_img=config.max_detections,
        box_batch_size_per_image=config.roi_samples,
        mask_roi_pool=heads.mask_roi_pool,
        mask_head=heads.mask_head,
        mask_predictor=heads.mask_predictor,
    )


def test_losses_and_detections_are_those_of_torchvisions_own_detector() -> None:
    """With as many samples as there are candidates, so that nothing is left to chance."""
    model = build(rpn_samples=10**6, roi_samples=10**6)
    theirs = torchvisions(model)
    labels = torch.stack((squares(64, (4, 4, 16), (30, 30, 20)), squares(64, (10, 10, 30))))
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    targets = []
    for image in labels:
        masks = torch.stack([image == number for number in range(1, int(image.max()) + 1)])
        places = [mask.nonzero() for mask in masks]
        boxes = [[*place.amin(0).flip(0), *(place.amax(0).flip(0) + 1)] for place in places]
        classes = torch.ones(len(masks), dtype=torch.long)
        targets.append({"boxes": torch.tensor(boxes).float(), "labels": classes, "masks": masks.to(torch.uint8)})
    model.eval()  # one set of batch statistics for both
    ours = model.losses(images, labels)
    names = ("loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg", "loss_mask")
    expected = theirs.train()(list(images), targets)
    torch.testing.assert_close(list(ours.values()), [expected[name] for name in names])

    from torchvision.models.detection.roi_heads import paste_masks_in_image

    scores, boxes, masks = model.evidence(images)
    for index, found in enumerate(theirs.eval()(list(images))):
        count = len(found["scores"])
        assert count and not scores[index, count:].any()
        torch.testing.assert_close(scores[index, :count], found["scores"])
        torch.testing.assert_close(boxes[index, :count], found["boxes"])
        pasted = paste_masks_in_image(masks[index, :count, None], boxes[index, :count], (64, 64))
        torch.testing.assert_close(pasted, found["masks"])


@pytest.mark.slow
def test_a_run_that_was_stopped_ends_in_the_same_weights(tmp_path: Path) -> None:
    """Regions are drawn by generators of their own, which a checkpoint knows nothing of."""
    detection()
    dataset = open_dataset("synthetic-nuclei?size=96&train=3&val=1&test=1")
    job = make_job("maskrcnn", JobContext.on(dataset, "smoke"), seed=0)
    calls = iter([False, False, False, True])
    with pytest.raises(StopRequested):
        run_job(job, dataset, tmp_path / "stopped", "cpu", Watcher(stopping=lambda: next(calls, True)))
    weights = []
    for out in (tmp_path / "stopped", tmp_path / "undisturbed"):
        assert run_job(job, dataset, out, "cpu").status == "done"
        weights.append(load_file(JobFolder.of(job, out).model / "model.safetensors"))
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
