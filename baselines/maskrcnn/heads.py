"""Torchvision's region proposals and heads, by our configuration; the constants are those of its Mask R-CNN."""

from __future__ import annotations

from torch import nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
from torchvision.ops import MultiScaleRoIAlign

from baselines.maskrcnn.config import CANDIDATE_OVERLAP, CANDIDATE_SCORE, MaskRCNNConfig
from baselines.maskrcnn.sampling import SliceSampler

LEVELS = ("0", "1", "2", "3")
"""Names of the pyramid's maps, at strides 4 to 32."""
_ASPECT_RATIOS = (0.5, 1.0, 2.0)
_CLASSES = 2  # background and object
_BOX_CELLS, _MASK_CELLS = 7, 14
_RPN_SHARE, _ROI_SHARE = 0.5, 0.25


def region_proposals(config: MaskRCNNConfig) -> nn.Module:
    """Build the region proposal network; its sampler is a `SliceSampler`."""
    sides = [config.smallest_anchor * 2**level for level in range(len(LEVELS))]
    anchors = AnchorGenerator(
        sizes=tuple((side, side * 2**0.5) for side in sides), aspect_ratios=(_ASPECT_RATIOS,) * len(LEVELS)
    )
    most = {"training": 2 * config.proposals, "testing": config.proposals}
    network = RegionProposalNetwork(
        anchors,
        RPNHead(config.hidden_dim, anchors.num_anchors_per_location()[0]),
        fg_iou_thresh=0.7,
        bg_iou_thresh=0.3,
        batch_size_per_image=config.rpn_samples,
        positive_fraction=_RPN_SHARE,
        pre_nms_top_n=most,
        post_nms_top_n=most,
        nms_thresh=0.7,
    )
    network.fg_bg_sampler = SliceSampler(config.rpn_samples, _RPN_SHARE)
    return network


def region_heads(config: MaskRCNNConfig) -> nn.Module:
    """Build the heads for boxes and masks of regions; their sampler is a `SliceSampler`.

    They keep detections of low score and with much overlap, among which the thresholds of inference choose.
    """
    hidden = config.hidden_dim
    heads = RoIHeads(
        MultiScaleRoIAlign(list(LEVELS), output_size=_BOX_CELLS, sampling_ratio=2),
        TwoMLPHead(hidden * _BOX_CELLS**2, config.head_dim),
        FastRCNNPredictor(config.head_dim, _CLASSES),
        fg_iou_thresh=0.5,
        bg_iou_thresh=0.5,
        batch_size_per_image=config.roi_samples,
        positive_fraction=_ROI_SHARE,
        bbox_reg_weights=None,
        score_thresh=CANDIDATE_SCORE,
        nms_thresh=CANDIDATE_OVERLAP,
        detections_per_img=config.max_detections,
        mask_roi_pool=MultiScaleRoIAlign(list(LEVELS), output_size=_MASK_CELLS, sampling_ratio=2),
        mask_head=MaskRCNNHeads(hidden, (hidden,) * config.mask_layers, dilation=1),
        mask_predictor=MaskRCNNPredictor(hidden, hidden, _CLASSES),
    )
    heads.fg_bg_sampler = SliceSampler(config.roi_samples, _ROI_SHARE)
    return heads
