"""The facts of a figure beside its arrays: written once, read by whoever draws it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Facts(BaseModel):
    """The base of all facts: immutable, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class RowFacts(Facts):
    """A row of the figure and the job that stands for it."""

    row: int
    """Number in the table."""
    label: str
    method: str
    trained: bool
    key: str
    reason: str | None = None
    """Why the row is not shown; None where it is."""


class Window(Facts):
    """The part of a test image that is shown: rows and columns, the last ones excluded."""

    image: str
    top: int = Field(ge=0)
    left: int = Field(ge=0)
    bottom: int = Field(gt=0)
    right: int = Field(gt=0)
    whole: bool
    """Whether the window is the whole image."""


class TargetFacts(Facts):
    """An instance of the window; its box is in pixels of the window, bottom and right excluded."""

    id: int
    top: int
    left: int
    bottom: int
    right: int
    crowding: float
    """Share of the instance's surroundings that other instances cover."""


class QueryFacts(Facts):
    """The query that fits a target best."""

    query: int
    dice: float
    """Soft Dice of its mask with the target."""
    covered: list[int]
    """Ids of the true instances of which its mask, at 0.5, covers at least half."""


class ActivationView(Facts):
    """The view that one row's model has of each target."""

    row: RowFacts
    queries: list[QueryFacts]
    explained: list[float]
    """Shares of the embedding's variance in its first three principal components."""
    embedding_stride: int
    attention_stride: int
    pq: float
    """PQ of the window."""


class Activations(Facts):
    """The view of each row's best query of each target."""

    kind: Literal["activations"] = "activations"
    window: Window
    targets: list[TargetFacts]
    views: list[ActivationView]


class Candidates(Facts):
    """The mask of one query for each target and row, and how such masks do over all test images."""

    kind: Literal["candidates"] = "candidates"
    window: Window
    targets: list[TargetFacts]
    views: list[CandidateView]


class CandidateView(Facts):
    """The best queries of one row, for each target and over all test images."""

    row: RowFacts
    queries: list[QueryFacts]
    num_queries: int
    instances: int
    """Whole instances in the most crowded window of each test image."""
    mean_dice: float
    """Mean Dice of these instances with their best queries."""
    merged: float
    """Share of these instances whose best query covers another instance as well."""


class SimilarityView(Facts):
    """The queries of one model on one window, in the order of their groups."""

    row: RowFacts
    group_sizes: list[int]
    """Queries of each group, in the order of the matrix."""
    within: float | None
    """Mean cosine similarity of two queries of one group, averaged over the most crowded windows of test images."""
    between: float | None
    """The same of two queries of different groups."""
    mask_within: float | None
    """Like `within`, of the soft Dice similarity of masks, as in MCC: below 1 even for equal soft masks."""
    mask_between: float | None
    """Like `between`, of the soft Dice similarity of masks."""
    images: int
    """Test images over which these are means."""


class SimilarMasks(Facts):
    """Masks of a group of the last row's queries: that of its anchor, then those of the most similar queries."""

    row: RowFacts
    target: TargetFacts
    queries: list[int]
    cosines: list[float]
    """Cosine similarity of each query with the anchor."""
    dices: list[float]
    """Dice of each mask with the anchor's, both at 0.5; 0 where both are empty."""
    group_size: int


class Similarity(Facts):
    """The similarity of the queries of each row, and masks of similar queries."""

    kind: Literal["similarity"] = "similarity"
    window: Window
    views: list[SimilarityView]
    masks: SimilarMasks | None


class SegmentedImage(Facts):
    """A test image, stored whole, and the window of it to be shown."""

    window: Window
    difficulty: float
    """Median PQ over the rows."""
    pq: dict[int, float]
    """PQ of the whole image, by row."""


class Segmentations(Facts):
    """Test images that all rows segmented."""

    kind: Literal["segmentations"] = "segmentations"
    images: list[SegmentedImage]


class FigureFacts(Facts):
    """Everything about a figure but its arrays."""

    figure: str
    stamp: str
    """Digest of the specification, the data and the state of the jobs; where it differs, all is computed anew."""
    scale: str
    data: str
    overrides: dict[str, Any]
    """The scale's settings that the user changed, nested."""
    arrays: str
    """Name of the file of arrays beside this one."""
    rows: list[RowFacts]
    shown: Activations | Candidates | Similarity | Segmentations = Field(discriminator="kind")
