"""What a job fixes besides the method: training and testing."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

WHOLE = 2**31 - 1
"""Side of a tile that no image exceeds."""


class Settings(BaseModel):
    """Immutable; unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class TrainingSettings(Settings):
    """How the weights are found. The defaults are the paper's for BBBC039V1 (section 4.2)."""

    iterations: int = Field(30_000, ge=0)
    batch_size: int = Field(8, ge=1)
    """Crops an optimiser step, whatever the device's memory."""
    micro_batch_size: int | None = Field(None, ge=1)
    """Crops a backward pass; gradients of a batch are accumulated. None: the whole batch at once.
    Not free of effect: batch normalisation sees micro-batches, and each one's losses are divided by its own
    number of instances before they are averaged."""
    crop: int = Field(512, ge=32, multiple_of=32)
    learning_rate: float = Field(1e-4, gt=0)
    weight_decay: float = Field(0.05, ge=0)
    warmup_iterations: int = Field(1000, ge=0)
    schedule: Literal["step", "polynomial", "cosine", "constant"] = "step"
    """"step" is the paper's; it does not say where the steps are. "polynomial" (power 0.9) is the released code's;
    "cosine" falls to 0 (Loshchilov and Hutter 2017)."""
    milestones: tuple[float, ...] = (0.9, 0.95)
    """Shares of the iterations after which the step schedule multiplies the rate by 0.1 (Mask2Former's)."""
    backbone_rate: float = Field(1.0, ge=0)
    """Factor on the learning rate of parameters under `backbone.`; 1 is the paper's and the released code's, whose
    configuration has a 0.1 that its trainer never reads. 0.1 is Mask2Former's."""
    gradient_norm: float | None = Field(0.1, gt=0)
    """Gradients are clipped to this norm; None: not at all, as in the released code. The paper is silent; 0.1 is
    DETR's, 0.01 Mask2Former's."""
    weight_average: float | None = Field(None, gt=0, lt=1)
    """Validate, test and keep a moving average of the weights with this decay an iteration; None: the last weights."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """"auto": bfloat16 autocast on accelerators that have it, float32 elsewhere; a job holds which it was."""
    threads: int | None = Field(2, ge=1)
    """CPU threads that train, choose thresholds and predict, of each process where several train together. Other
    numbers round otherwise, so they give other weights. None: on an accelerator, where they hardly matter."""
    log_every: int = Field(20, ge=1)
    checkpoint_every: int = Field(500, ge=1)
    validate_every: int = Field(2500, ge=1)
    validation_images: int | None = Field(None, ge=1)
    """Validate on the first so many images of the split while training; None: on all."""

    @model_validator(mode="after")
    def _check(self) -> TrainingSettings:
        if self.micro_batch_size is not None and self.batch_size % self.micro_batch_size:
            raise ValueError(f"batch_size {self.batch_size} is no multiple of micro_batch_size {self.micro_batch_size}")
        return self


class TestingSettings(Settings):
    """How images become label maps."""

    tile: Annotated[int, Field(ge=32)] | Literal["whole"] | None = None
    """Images larger than this are tiled; None: the training crop; "whole": never. The queries' learned positions
    are relative to the crop, so a model fails on images much larger."""
    overlap: int = Field(64, ge=0)
    """Pixels that neighbouring tiles share; should exceed the largest object."""
    batch_size: int = Field(4, ge=1)
    """Tiles a forward pass; no effect on the result."""
    flips: bool = False
    """Combine the results of the image and its mirror images."""
    threshold_trials: int = Field(0, ge=0)
    """Settings of the method's thresholds that are tried on validation images after training; the first is the
    configured one, the best is tested. 0: the configured one is tested."""
    threshold_images: int | None = Field(None, ge=1)
    """Try them on the first so many images of the split; None: on all."""
