from __future__ import annotations

import torch
from transformers import DeformableDetrConfig
from transformers.models.deformable_detr import modeling_deformable_detr as peer

from pctrans.deformable import DeformableAttention

SHAPES = [(3, 5), (6, 10), (12, 20)]


def test_deformable_attention_equals_the_one_in_transformers_with_copied_weights() -> None:
    torch.manual_seed(0)
    dim, heads, points = 32, 4, 3
    ours = DeformableAttention(dim, len(SHAPES), heads, points)
    for parameter in ours.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    config = DeformableDetrConfig(d_model=dim, num_feature_levels=len(SHAPES), disable_custom_kernels=True)
    theirs = peer.DeformableDetrMultiscaleDeformableAttention(config, heads, points)
    theirs.load_state_dict(ours.state_dict())

    size = sum(h * w for h, w in SHAPES)
    queries, memory = torch.randn(2, 7, dim), torch.randn(2, size, dim)
    reference = torch.rand(2, 7, 2)
    shapes = torch.tensor(SHAPES)
    starts = torch.cat((shapes.new_zeros(1), shapes.prod(1).cumsum(0)[:-1]))
    expected, _ = theirs(
        queries,
        encoder_hidden_states=memory,
        reference_points=reference[:, :, None].expand(-1, -1, len(SHAPES), -1),
        spatial_shapes=shapes,
        spatial_shapes_list=SHAPES,
        level_start_index=starts,
    )
    torch.testing.assert_close(ours(queries, reference, memory, SHAPES), expected, rtol=1e-4, atol=1e-5)


def test_heads_start_by_looking_in_different_directions() -> None:
    attention = DeformableAttention(16, 1, 4, 2)
    offsets = attention.sampling_offsets.bias.view(4, 1, 2, 2)
    expected = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    torch.testing.assert_close(offsets[:, 0, 0], expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(offsets[:, 0, 1], 2 * expected, atol=1e-6, rtol=0)


def test_eight_heads_start_by_looking_at_the_eight_neighbours() -> None:
    """Of a cell, on every level; their neighbours in the same direction are the second and the third point."""
    attention = DeformableAttention(16, 2, 8, 3)
    offsets = attention.sampling_offsets.bias.view(8, 2, 3, 2)
    around = torch.tensor([[1, 0], [1, 1], [0, 1], [-1, 1], [-1, 0], [-1, -1], [0, -1], [1, -1]])
    for level in range(2):
        for point in range(3):
            torch.testing.assert_close(offsets[:, level, point], (point + 1.0) * around, atol=1e-5, rtol=0)
    assert not attention.sampling_offsets.weight.any()
    assert not attention.attention_weights.weight.any() and not attention.attention_weights.bias.any()
