"""Owns what a till's camera is shown: a phone with the symbol of a real pass on it, dim, tilted, a little blurred."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import zxingcpp
from PIL import Image, ImageEnhance, ImageFilter

from wallet_server.actions.context import Context
from wallet_server.actions.people import enrol

SCENE = (1280, 720)
FRAMES = 4
# A patch in the corner, where no reader looks: by its colour a film is told from the one before.
PATCH = 48
PATCHES = cycle(((200, 40, 40), (40, 160, 40), (40, 60, 200), (200, 190, 40)))
KINDS = {
    "PKBarcodeFormatQR": zxingcpp.BarcodeFormat.QRCode,
    "PKBarcodeFormatAztec": zxingcpp.BarcodeFormat.Aztec,
    "PKBarcodeFormatPDF417": zxingcpp.BarcodeFormat.PDF417,
    "PKBarcodeFormatCode128": zxingcpp.BarcodeFormat.Code128,
}
WIDTHS = {"PKBarcodeFormatPDF417": 600, "PKBarcodeFormatCode128": 600}


@dataclass(frozen=True)
class Shown:
    """What a phone shows of a pass: the symbol and what is written below it."""

    kind: str
    message: str
    typed: str


def shown(ctx: Context, pass_id: str) -> Shown:
    """Of the signed file, as a phone reads it."""
    token = enrol.download_path(ctx, pass_id).rsplit("/", 1)[1]
    with zipfile.ZipFile(io.BytesIO(enrol.download(ctx, token)[0])) as file:
        code = json.loads(file.read("pass.json"))["barcodes"][0]
    return Shown(code["format"], code["message"], code["altText"])


def film(path: Path, code: Shown, *, turned: float = 0, light: float = 1, blurred: float = 0.6) -> tuple[int, int, int]:
    """The phone before the camera, turned by so many degrees, in so much of the light. Returns this film's patch."""
    barcode = zxingcpp.create_barcode(code.message, KINDS[code.kind])
    drawn = Image.fromarray(zxingcpp.write_barcode_to_image(barcode, scale=4)).convert("RGB")
    width = WIDTHS.get(code.kind, 400)
    height = 130 if code.kind.endswith("Code128") else round(drawn.height * width / drawn.width)
    plate = Image.new("RGB", (width + 40, height + 40), "white")
    plate.paste(drawn.resize((width, height)), (20, 20))
    phone = Image.new("RGB", (plate.width + 30, plate.height + 130), "#12372a")
    phone.paste(plate, (15, 65))
    lying = phone.rotate(turned, expand=True, fillcolor="#6d6a64", resample=Image.Resampling.BICUBIC)
    scene = Image.new("RGB", SCENE, "#6d6a64")
    scene.paste(lying, ((SCENE[0] - lying.width) // 2 + 9, (SCENE[1] - lying.height) // 2 - 6))
    seen = ImageEnhance.Brightness(scene.filter(ImageFilter.GaussianBlur(blurred))).enhance(light)
    patch = next(PATCHES)
    seen.paste(patch, (0, 0, PATCH, PATCH))
    frame = io.BytesIO()
    seen.save(frame, "JPEG", quality=80)
    # The browser keeps the film that it plays mapped into memory: a new one is another file, not other bytes of that.
    fresh = path.with_suffix(".new")
    fresh.write_bytes(frame.getvalue() * FRAMES)
    fresh.replace(path)
    return patch
