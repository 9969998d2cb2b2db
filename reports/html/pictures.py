"""Pictures embedded in the page, as data URIs of a reasonable size."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from PIL import Image

from reports.pictures import Picture

WIDTH = 1600  # pixels; wider pictures are reduced
COLOURS = 256
QUALITY = 88  # JPEG quality


@dataclass(frozen=True)
class Embedded:
    """A picture as the page shows it: its data, or the reason why there is none."""

    data: str | None
    caption: str
    width: int = 0  # pixels
    height: int = 0


def embed(picture: Picture) -> Embedded:
    """Encode a picture as a data URI: as a palette PNG or a JPEG, whichever is smaller."""
    if picture.path is None:
        return Embedded(None, picture.caption)
    try:
        with Image.open(picture.path, formats=["PNG"]) as stored:
            image = _on_white(stored)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return Embedded(None, f"{picture.path} cannot be shown: {error}. {picture.caption}")
    if image.width > WIDTH:
        image = image.resize((WIDTH, max(1, image.height * WIDTH // image.width)), Image.Resampling.LANCZOS)
    kind, content = min((_palette(image), _jpeg(image)), key=lambda coded: len(coded[1]))
    data = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    return Embedded(data, picture.caption, image.width, image.height)


def _on_white(image: Image.Image) -> Image.Image:
    """Replace transparency by white: a dark page would shine through."""
    if image.mode in ("RGB", "L"):
        return image.convert("RGB")
    layered = image.convert("RGBA")
    ground = Image.new("RGBA", layered.size, "white")
    return Image.alpha_composite(ground, layered).convert("RGB")


def _palette(image: Image.Image) -> tuple[str, bytes]:
    few = image.quantize(COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    return "png", _saved(few, "PNG", compress_level=6)


def _jpeg(image: Image.Image) -> tuple[str, bytes]:
    return "jpeg", _saved(image, "JPEG", quality=QUALITY)


def _saved(image: Image.Image, form: str, **options: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()
