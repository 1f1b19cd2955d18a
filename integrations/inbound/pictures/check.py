"""Makes a picture file safe to keep and show, or says why it is none. Pure."""

from __future__ import annotations

import io
import warnings

from PIL import Image, ImageOps

LARGEST = 5 << 20
MOST_PIXELS = 40_000_000
SIDE = 800
KINDS = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG"}
"""First bytes → the kinds of files that are taken."""
OTHERS = {b"GIF8": "a GIF", b"<": "a web page", b"%PDF": "a PDF", b"BM": "a BMP", b"RIFF": "a WebP", b"II": "a TIFF"}
Image.MAX_IMAGE_PIXELS = MOST_PIXELS


class PictureRefused(Exception):
    """The bytes are no picture that can be kept; the text says why."""


def made_anew(data: bytes) -> bytes:
    """The picture as a JPEG of at most 800 pixels a side, without anything but the picture itself.

    Its name or its stated kind does not count, only its bytes. Raises PictureRefused.
    """
    if len(data) > LARGEST:
        raise PictureRefused(f"It has {len(data) / (1 << 20):.0f} MB; at most {LARGEST >> 20} MB are taken.")
    kind = next((name for start, name in KINDS.items() if data.startswith(start)), "")
    if not kind:
        found = next((name for start, name in OTHERS.items() if data.lstrip().startswith(start)), "something else")
        raise PictureRefused(f"It is {found}, not a JPEG or PNG picture.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=[kind]) as opened:
                upright = ImageOps.exif_transpose(opened).convert("RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureRefused(f"It has more than {MOST_PIXELS // 1_000_000} million pixels.") from None
    except (OSError, SyntaxError, ValueError):
        raise PictureRefused(f"It begins like a {kind} picture but cannot be read.") from None
    upright.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    upright.save(file, "JPEG", quality=85, optimize=True)
    return file.getvalue()
