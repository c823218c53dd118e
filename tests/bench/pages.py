"""Pages to measure with: noisy A4 colour pages at 300 dpi, made once per run."""

from pathlib import Path

from PIL import Image

WIDTH_PX, HEIGHT_PX, RESOLUTION_DPI = 2480, 3508, 300
# JPEG qualities. With this noise: 2.7 MB; and 1 MB, what a page of text and pictures has in practice.
HEAVY, USUAL = 80, 35
_TILE_PX = 620


def make(folder: Path, count: int, quality: int = HEAVY) -> list[Path]:
    """Write `count` different pages; each is noise, shifted, so that no two files are the same."""
    bands = [Image.effect_noise((WIDTH_PX // 2, HEIGHT_PX // 2), 30) for _ in range(3)]
    sheet = Image.merge("RGB", bands).resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.BICUBIC)
    return [_page(folder, sheet, number, quality) for number in range(count)]


def _page(folder: Path, sheet: Image.Image, number: int, quality: int) -> Path:
    page = sheet.copy()
    page.paste((number, 255 - number, 128), (0, 0, _TILE_PX, _TILE_PX))
    path = folder / f"page-{number:04}.jpg"
    page.save(path, "JPEG", quality=quality, dpi=(RESOLUTION_DPI, RESOLUTION_DPI))
    return path
