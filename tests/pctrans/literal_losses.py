"""The single losses from their definitions (eq. 1, 3 and section 3.4)."""

from __future__ import annotations

import torch
from torch import Tensor


def literal_bce(logits: Tensor, truth: Tensor) -> Tensor:
    """Binary cross-entropy, the mean over points (P,)."""
    p, t = 1 / (1 + torch.exp(-logits.double())), truth.double()
    return -(t * torch.log(p) + (1 - t) * torch.log(1 - p)).mean()


def literal_dice(logits: Tensor, truth: Tensor) -> Tensor:
    """Dice loss of one mask at points (P,), one added above and below as in Mask2Former."""
    p, t = 1 / (1 + torch.exp(-logits.double())), truth.double()
    return 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)


def literal_discriminative(embedding: Tensor, labels: Tensor) -> Tensor:
    """De Brabandere et al. 2017, eq. 1 to 4: δ_v = 0.5, δ_d = 1.5 (hinge 2 δ_d = 3), α = β = 1, γ = 0.001.

    Args:
        embedding: (B, D, h, w).
        labels: (B, h, w), 0 background, which has no term.

    Returns:
        The mean over the images that have an instance.
    """
    delta_v, delta_d, per_image = 0.5, 1.5, []
    for image, ids in zip(embedding, labels, strict=True):
        instances = [i for i in ids.unique().tolist() if i]
        if not instances:
            continue
        means = {i: image[:, ids == i].mean(1) for i in instances}
        variance = distance = embedding.new_zeros(())
        for i in instances:
            pixels = image[:, ids == i].T
            hinges = [((p - means[i]).norm() - delta_v).clamp(min=0) ** 2 for p in pixels]
            variance = variance + torch.stack(hinges).mean() / len(instances)
        for a in instances:
            for b in instances:
                if a != b:
                    hinge = (2 * delta_d - (means[a] - means[b]).norm()).clamp(min=0)
                    distance = distance + hinge**2 / (len(instances) * (len(instances) - 1))
        regulariser = torch.stack([m.norm() for m in means.values()]).mean()
        per_image.append(variance + distance + 0.001 * regulariser)
    return torch.stack(per_image).mean() if per_image else embedding.new_zeros(())


def literal_focal(logits: Tensor, foreground: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Lin et al. 2017, eq. 5, by default with α = 0.25 and γ = 2, summed over pixels / number of foreground pixels."""
    p = 1 / (1 + torch.exp(-logits.double()))
    p_t, alpha_t = torch.where(foreground, p, 1 - p), torch.where(foreground, alpha, 1 - alpha)
    return (-alpha_t * (1 - p_t) ** gamma * torch.log(p_t)).sum() / max(int(foreground.sum()), 1)


def literal_centre(mask: Tensor) -> Tensor:
    """Centre of mass (x, y) of a mask (H, W), the image from 0 to 1 across."""
    rows, columns = mask.nonzero().double().unbind(1)
    return torch.stack(((columns + 0.5).mean() / mask.shape[1], (rows + 0.5).mean() / mask.shape[0]))
