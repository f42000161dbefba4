"""Makes the picture files in Fixtures/ and what Pillow reads in them.

    pip install numpy safetensors pillow==13.0.0
    python3 make_fixtures.py
"""
import io
import os
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps
from safetensors.numpy import save_file

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Fixtures")
os.makedirs(folder, exist_ok=True)
random = np.random.default_rng(5)
y, x = np.mgrid[0:13, 0:19]
smooth = np.stack([x * 13, y * 19, 255 - x * 5 - y * 9], -1).astype(np.uint8)
noise = random.integers(0, 256, smooth.shape, dtype=np.uint8)
alpha = (x * 255 // 18).astype(np.uint8)
rgb = Image.fromarray(smooth)
expected = {}


def put(name, data):
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def upright(image):
    image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image.convert("RGB")


def save(name, image, **options):
    image.save(os.path.join(folder, name), **options)
    with Image.open(os.path.join(folder, name)) as stored:
        expected[name] = np.array(upright(stored))


def png(name, depth, kind, rows, interlaced=False, extra=b""):
    """A PNG file of a kind that Pillow does not write."""

    def chunk(tag, data):
        return struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))

    height, width = rows.shape[:2]
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, int(interlaced))
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    lines = b""
    for left, top, right, down in passes:
        for row in rows[top::down, left::right]:
            if row.size:
                lines += b"\0" + row.tobytes()
    put(name, b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b""))


save("rgb.png", Image.fromarray(noise))
save("rgba.png", Image.fromarray(np.dstack([noise, alpha])))
save("grey.png", rgb.convert("L"))
save("grey-alpha.png", Image.fromarray(np.dstack([noise[..., 0], alpha])))
save("bits.png", rgb.convert("1"))
save("palette.png", rgb.quantize(16))
save("palette-transparent.png", rgb.quantize(16), transparency=3)
png("interlaced.png", 8, 2, noise, interlaced=True)
expected["interlaced.png"] = noise
deep = random.integers(0, 65536, smooth.shape).astype(">u2")
png("rgb16.png", 16, 2, deep)
expected["rgb16.png"] = (deep >> 8).astype(np.uint8)
png("grey16.png", 16, 0, deep[..., :1].copy())
expected["grey16.png"] = np.repeat((deep[..., :1] >> 8).astype(np.uint8), 3, -1)

save("full-chroma.jpg", rgb, quality=90, subsampling=0)
save("half-chroma.jpg", Image.fromarray(noise), quality=80, subsampling=2)
save("progressive.jpg", rgb, quality=85, progressive=True)
save("grey.jpg", rgb.convert("L"), quality=90)
save("cmyk.jpg", rgb.convert("CMYK"), quality=95)
save("lossless.webp", Image.fromarray(noise), lossless=True)
save("lossy.webp", rgb, quality=80)
save("alpha.webp", Image.fromarray(np.dstack([noise, alpha])), lossless=True, exact=True)
rgb.save(os.path.join(folder, "animated.webp"), save_all=True, append_images=[rgb.rotate(90)])

for orientation in range(1, 9):
    note = Image.Exif()
    note[0x0112] = orientation
    save(f"turned-{orientation}.jpg", rgb, quality=95, subsampling=0, exif=note)
save("turned.png", rgb, exif=note)
save("turned.webp", rgb, lossless=True, exif=note)

large = Image.fromarray(random.integers(0, 256, (41, 67, 3), dtype=np.uint8))
large.save(os.path.join(folder, "large.png"))
for name in ("bilinear", "bicubic", "lanczos"):
    for size in ((16, 16), (64, 5), (5, 64), (100, 30), (67, 20), (30, 41), (134, 82), (1, 1)):
        resized = large.resize(size, getattr(Image.Resampling, name.upper()))
        expected[f"large.png {name} {size[0]}x{size[1]}"] = np.array(resized)

save_file(expected, os.path.join(folder, "expected.safetensors"))
