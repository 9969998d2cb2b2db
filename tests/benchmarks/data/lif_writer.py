"""A Leica Image File by hand: an XML header, then a block of pixels for each image."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

_MARK, _FIELD = 0x70, 0x2A


def write_lif(path: Path, images: Mapping[str, np.ndarray], channels: list[str], micrometres: float) -> None:
    """Write images (C, Z, Y, X) uint16 by name; `channels` are the names of their colour tables."""
    elements, blocks = "", b""
    for index, (name, values) in enumerate(images.items()):
        elements += _element(name, index, values, channels, micrometres)
        label = f"MemBlock_{index}".encode("utf-16-le")
        head = struct.pack("<BQBI", _FIELD, values.nbytes, _FIELD, len(label) // 2) + label
        blocks += struct.pack("<II", _MARK, len(head)) + head + values.astype("<u2").tobytes()
    header = (
        '<LMSDataContainerHeader Version="2"><Element Name="root" Visibility="1" UniqueID="root">'
        '<Data><Experiment Path="root"/></Data><Memory Size="0" MemoryBlockID="MemBlock_root"/>'
        f"<Children>{elements}</Children></Element></LMSDataContainerHeader>"
    ).encode("utf-16-le")
    start = struct.pack("<IIBI", _MARK, 5 + len(header), _FIELD, len(header) // 2)
    path.write_bytes(start + header + blocks)


def _element(name: str, index: int, values: np.ndarray, channels: list[str], micrometres: float) -> str:
    _, depth, height, width = values.shape
    described = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="16" NameOfMeasuredQuantity="" '
        'IsLUTInverted="0" Min="0" Max="65535" Unit="" '
        f'LUTName="{channel}" BytesInc="{number * depth * height * width * 2}" BitInc="0"/>'
        for number, channel in enumerate(channels[: len(values)])
    )
    axes = ((1, width, 2), (2, height, 2 * width), (3, depth, 2 * width * height))
    dimensions = "".join(
        f'<DimensionDescription DimID="{axis}" NumberOfElements="{size}" Origin="0" '
        f'Length="{(size - 1) * micrometres * 1e-6}" Unit="m" BitInc="0" BytesInc="{step}"/>'
        for axis, size, step in axes
    )
    return (
        f'<Element Name="{name}" Visibility="1" UniqueID="u{index}"><Data><Image TextDescription=""><ImageDescription>'
        f"<Channels>{described}</Channels><Dimensions>{dimensions}</Dimensions></ImageDescription></Image></Data>"
        f'<Memory Size="{values.nbytes}" MemoryBlockID="MemBlock_{index}"/><Children/></Element>'
    )
