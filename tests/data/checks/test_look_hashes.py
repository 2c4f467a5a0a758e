"""Look hashes: copies are known again, other images are not, and the search finds the nearest."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from remedis.data.checks import look_hashes, pixel_measures

SIZE = 120


def drawing(seed: int) -> Image.Image:
    """Returns smooth random grey values, as a film has them."""
    coarse = np.random.default_rng(seed).uniform(30, 220, (12, 12)).astype(np.float32)
    smooth = Image.fromarray(coarse).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    return Image.fromarray(np.asarray(smooth).clip(0, 255).astype(np.uint8))


def hashes(*images: Image.Image) -> np.ndarray:
    looks = [
        pixel_measures.of_images(np.asarray(image)[None, ..., None])[0]["look"] for image in images
    ]
    return look_hashes.unpacked(looks)


def stored(looks: np.ndarray) -> np.ndarray:
    return look_hashes.unpacked(look_hashes.packed(looks), len(look_hashes.STORED))


def jpeg(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=50)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("L")


def cropped(share: float):
    edge = round(share * SIZE)
    return lambda image: image.crop((edge, edge, SIZE - edge, SIZE - edge))


COPIES = {
    "same": lambda image: image,
    "jpeg": jpeg,
    "half": lambda image: image.resize((SIZE // 2, SIZE // 2)),
    "larger": lambda image: image.resize((401, 333), Image.Resampling.BICUBIC),
    "crop2": cropped(0.02),
    "crop4": cropped(0.04),
    "darker": lambda image: image.point(lambda value: value * 0.8),
    "equalised": ImageOps.equalize,
    "margin": lambda image: ImageOps.expand(image, round(0.043 * SIZE), 30),
}


@pytest.mark.parametrize("kind", COPIES)
def test_copies_are_known_again(kind):
    images = [drawing(seed) for seed in range(20)]
    found = look_hashes.alike(
        hashes(*(COPIES[kind](image) for image in images)), stored(hashes(*images))
    )
    assert found.stored.tolist() == list(range(20))
    assert (found.apart <= look_hashes.BITS_APART).all()


def test_other_images_are_not():
    images = hashes(*(drawing(seed) for seed in range(60)))
    found = look_hashes.alike(images[:30], stored(images[30:]))
    assert (found.stored == -1).all()
    assert (found.apart == look_hashes.BITS).all()
    mirrored = hashes(ImageOps.mirror(drawing(0)))
    assert look_hashes.alike(mirrored, stored(images)).stored.tolist() == [-1]


@pytest.mark.parametrize("grey", [0, 90, 255])
def test_images_without_structure_are_like_none(grey):
    plain = Image.new("L", (SIZE, SIZE), grey)
    spot = plain.copy()
    spot.paste(128, (10, 10, 20, 20))
    looks = hashes(plain, spot)
    assert (look_hashes.alike(looks, stored(looks)).stored == -1).all()


def test_a_common_black_margin_makes_no_copies():
    """Mammograms are black in half of their area, which says nothing."""
    images = []
    for seed in range(40):
        image = Image.new("L", (SIZE, SIZE), 0)
        image.paste(drawing(seed).resize((SIZE // 2, SIZE)), (0, 0))
        images.append(image)
    looks = hashes(*images)
    assert (look_hashes.alike(looks[:20], stored(looks[20:])).stored == -1).all()
    assert look_hashes.alike(looks, stored(looks)).stored.tolist() == list(range(40))


def test_the_search_equals_a_plain_one(monkeypatch):
    """Also over the borders of its chunks; the nearest of several copies is returned."""
    rng = np.random.default_rng(0)
    base = rng.integers(0, 2, (50, 3, look_hashes.BITS), dtype=np.uint8)
    flips = (
        rng.random((200, 3, look_hashes.BITS))
        < rng.choice([0.01, 0.05, 0.085, 0.12], 200)[:, None, None]
    )
    of = rng.integers(0, 50, 200)
    noisy = base[of] ^ flips

    def words(bits):
        return look_hashes.unpacked([np.packbits(one, axis=-1).tobytes() for one in bits])

    monkeypatch.setattr(look_hashes, "_ROWS", 7)
    monkeypatch.setattr(look_hashes, "_COLUMNS", 33)
    monkeypatch.setattr(look_hashes, "_FIRST_APART", 128)
    found = look_hashes.alike(words(base), stored(words(noisy)))
    compared = [
        np.count_nonzero(base[:, None, own] != noisy[None, :, kept], axis=-1)
        for own, kept in ((0, 0), (0, 2), (1, 2), (2, 0))
    ]
    apart = np.minimum.reduce(compared)
    nearest = apart.min(axis=1)
    expected = np.where(nearest <= look_hashes.BITS_APART, nearest, look_hashes.BITS)
    assert found.apart.tolist() == expected.tolist()
    hit = found.stored >= 0
    assert hit.any()
    assert (of[found.stored[hit]] == np.flatnonzero(hit)).all()
    monkeypatch.undo()
    assert look_hashes.alike(words(base), stored(words(noisy))).apart.tolist() == expected.tolist()


def test_hashes_survive_packing_and_none_are_fine():
    looks = hashes(drawing(0), drawing(1))
    assert [len(one) for one in look_hashes.packed(looks)] == [look_hashes.STORED_BYTES] * 2
    assert (stored(looks) == looks[:, [0, 2]]).all()
    assert look_hashes.alike(looks, stored(looks)[:0]).stored.tolist() == [-1, -1]
    assert len(look_hashes.alike(looks[:0], stored(looks)).stored) == 0
