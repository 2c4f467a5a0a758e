"""The scan: every fault, every measure against a twin, and a cache that is only a cache."""

import hashlib
import io
import logging
import os
import re
import struct

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from remedis import limits
from remedis.data import readers
from remedis.data.checks import near_duplicates
from remedis.data.checks import scan as scanning
from remedis.errors import UserError

FAULTS = {
    "empty.png": "The file is empty.",
    "cut.png": "The PNG file is truncated or damaged.",
    "cut.jpg": "The JPEG file is truncated or damaged.",
    "text.png": "This is not an image; expected JPEG or PNG.",
    "header.png": "This is a DICOM file; expected JPEG or PNG.",
    "a.gif": "This is a GIF file; expected JPEG or PNG.",
    "layers.png": "This is a TIFF file; expected JPEG or PNG.",
    "directory.png": "The file cannot be read (Is a directory).",
    "nowhere.png": "There is no such file (No such file or directory).",
    "loop.png": "The file cannot be read (a loop of symbolic links).",
    "pipe.png": "The file cannot be read (a pipe (FIFO), expected a regular file).",
    "zero.png": "The file cannot be read (a device, expected a regular file).",
    "zero.dcm": "The file cannot be read (a device, expected a regular file).",
    "zero.tif": "The file cannot be read (a device, expected a regular file).",
    "zero.h5#0": "The file cannot be read (a device, expected a regular file).",
    "endless.jpg": "The file cannot be read (1,099,511,627,776 bytes, expected at most "
    "387,108,864).",
    "large.png": "The image has 20,000 x 20,000 pixels, more than the limit of 40 megapixels; if "
    "the file is sound, make the image smaller or raise max_megapixels.",
}
GOOD = ["grey.png", "grey.jpg", "deep.png", "cmyk.jpg", "rgba.png"]


def encoded(mode: str, form: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 4), dtype=np.uint8)
    image = Image.fromarray(pixels[..., 0] if mode in ("L", "I;16") else pixels[..., :3])
    if mode == "I;16":
        image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    buffer = io.BytesIO()
    (image if mode == "I;16" else image.convert(mode)).save(buffer, format=form)
    return buffer.getvalue()


@pytest.fixture
def images(tmp_path):
    root = tmp_path / "images"
    (root / "directory.png").mkdir(parents=True)
    contents = {
        "grey.png": encoded("L", "PNG"),
        "grey.jpg": encoded("L", "JPEG"),
        "deep.png": encoded("I;16", "PNG"),
        "cmyk.jpg": encoded("CMYK", "JPEG"),
        "rgba.png": encoded("RGBA", "PNG"),
        "empty.png": b"",
        "cut.png": encoded("RGB", "PNG")[:-200],
        "cut.jpg": encoded("RGB", "JPEG")[:-200],
        "text.png": b"not an image",
        "header.png": bytes(128) + b"DICM" + bytes(50),
        "a.gif": encoded("P", "GIF"),
        "layers.png": encoded("L", "TIFF"),
        "large.png": encoded("L", "PNG")[:16]
        + struct.pack(">II", 20_000, 20_000)
        + encoded("L", "PNG")[24:],
    }
    for name, data in contents.items():
        (root / name).write_bytes(data)
    os.mkfifo(root / "pipe.png")
    (root / "loop.png").symlink_to("loop.png")
    for name in ("zero.png", "zero.dcm", "zero.tif", "zero.h5"):
        (root / name).symlink_to("/dev/zero")
    with open(root / "endless.jpg", "wb") as file:
        file.truncate(1 << 40)  # sparse
    return root


def test_every_fault_is_found_and_good_images_are_measured(make, images):
    paths = GOOD + list(FAULTS)
    result = scanning.scan(make(len(paths), root=images, path=paths))
    assert result["path"].tolist() == paths
    assert dict(zip(result["path"], result["fault"], strict=True)).items() >= FAULTS.items()
    good = result.iloc[: len(GOOD)]
    assert good["fault"].isna().all()
    assert set(good["height"]) == {30}
    assert set(good["width"]) == {40}
    for path, size, digest in zip(good["path"], good["size"], good["sha256"], strict=True):
        data = (images / path).read_bytes()
        assert (size, digest) == (len(data), hashlib.sha256(data).hexdigest())


def test_the_cache_answers_until_a_file_changes(make, images, tmp_path, monkeypatch):
    read = []
    measure = scanning.measure
    monkeypatch.setattr(scanning, "measure", lambda names: (read.extend(names), measure(names))[1])
    m = make(4, root=images, path=["grey.png", "cut.jpg", "nowhere.png", "./grey.png"])
    cache = tmp_path / "scan.parquet"
    first = scanning.scan(m, cache)
    assert sorted(map(os.path.basename, read)) == ["cut.jpg", "grey.png"]
    pd.testing.assert_frame_equal(scanning.scan(m, cache), first)
    assert len(read) == 2

    # Other images are added, and the bytes of one change.
    (images / "cut.jpg").write_bytes(encoded("RGB", "JPEG"))
    more = make(3, root=images, path=["rgba.png", "grey.png", "cut.jpg"])
    assert scanning.scan(more, cache)["fault"].isna().all()
    assert sorted(map(os.path.basename, read[2:])) == ["cut.jpg", "rgba.png"]
    assert scanning.scan(m, cache)["fault"].notna().tolist() == [False, False, True, False]
    assert len(read) == 4


def test_a_known_image_is_judged_by_the_limit_of_this_scan(make, images, tmp_path):
    data, cache = make(2, root=images, path=["grey.png", "rgba.png"]), tmp_path / "scan.parquet"
    with limits.megapixels(0.0005):
        before = scanning.scan(data, cache)
    assert before["fault"].str.contains("40 x 30 pixels, more than the limit of 0.0005").all()
    assert scanning.scan(data, cache)["fault"].isna().all()
    with limits.megapixels(0.0005):
        assert scanning.scan(data, cache)["fault"].tolist() == before["fault"].tolist()
    assert scanning.scan(data, cache)["fault"].isna().all()


@pytest.mark.parametrize("later", [-(10**9), 0, 10**18, 10**19], ids=str)
def test_a_clock_that_is_set_back_or_forth_hides_no_change(make, images, tmp_path, later):
    """A file is known by size and time, whichever of two times comes first; even after 2262."""
    cache, file = tmp_path / "scan.parquet", images / "grey.png"
    data = make(1, root=images, path=["grey.png"])
    os.utime(file, ns=(5 * 10**17, 5 * 10**17))
    before = scanning.scan(data, cache)["sha256"][0]
    os.utime(cache, ns=(4 * 10**18, 4 * 10**18))  # the cache seems newer than every image
    content = bytearray(file.read_bytes())
    content[-5] ^= 1  # of the checksum of the last chunk, which decoders pass over
    file.write_bytes(content)
    os.utime(file, ns=(later, later))
    assert scanning.scan(data, cache)["sha256"][0] != before
    pd.testing.assert_frame_equal(scanning.scan(data, cache), scanning.scan(data))


def test_a_damaged_cache_is_replaced(make, images, tmp_path, caplog):
    cache = tmp_path / "scan.parquet"
    cache.write_bytes(b"PAR1 not really")
    m = make(1, root=images, path=["grey.png"])
    assert scanning.scan(m, cache)["fault"].isna().all()
    assert f"Scanning all images again: {cache} cannot be read" in caplog.text
    assert len(pd.read_parquet(cache)) == 1


def test_quarantine_lists_the_images_it_removes(make, images, tmp_path):
    m = make(3, root=images, path=["grey.png", "cut.jpg", "rgba.png"])
    report = tmp_path / "bad.csv"
    kept, bad = scanning.quarantine(m, scanning.scan(m), 0.5, report)
    assert kept.table["path"].tolist() == ["grey.png", "rgba.png"]
    assert bad.to_numpy().tolist() == [["cut.jpg", FAULTS["cut.jpg"]]]
    assert pd.read_csv(report).to_numpy().tolist() == bad.to_numpy().tolist()


def test_quarantine_stops_at_too_many(make, images, tmp_path):
    m = make(4, root=images, path=["grey.png", "cut.jpg", "empty.png", "rgba.png"])
    report = tmp_path / "bad.csv"
    with pytest.raises(UserError) as error:
        scanning.quarantine(m, scanning.scan(m), 0.25, report)
    assert str(error.value) == (
        "2 of 4 images cannot be used, more than the limit of 25.0%. cut.jpg (The JPEG file is "
        f"truncated or damaged), empty.png (The file is empty). All are listed in {report}; repair "
        "or remove them, or raise the limit."
    )
    assert len(pd.read_csv(report)) == 2


def test_quarantine_of_good_images_writes_nothing(make, images, tmp_path):
    m = make(1, root=images, path=["grey.png"])
    kept, bad = scanning.quarantine(m, scanning.scan(m), 0.0, tmp_path / "bad.csv")
    assert kept.table.equals(m.table)
    assert not len(bad)
    assert not (tmp_path / "bad.csv").exists()


def test_quarantine_of_repaired_images_removes_the_list(make, images, tmp_path):
    report = tmp_path / "bad.csv"
    m = make(2, root=images, path=["grey.png", "cut.jpg"])
    scanning.quarantine(m, scanning.scan(m), 0.5, report)
    assert report.exists()
    m = make(1, root=images, path=["grey.png"])
    scanning.quarantine(m, scanning.scan(m), 0.5, report)
    assert not report.exists()


def test_a_long_scan_reports_its_progress(make, images, monkeypatch, caplog):
    """Without a terminal too, as in the log of a batch job."""
    caplog.set_level(logging.INFO, logger="remedis")
    monkeypatch.setattr("remedis.progress.SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setattr("remedis.progress.duration", lambda seconds: "1 s")
    monkeypatch.setattr(scanning, "_PER_TASK", 1)
    scanning.scan(make(3, root=images, path=["grey.png", "cut.jpg", "rgba.png"]))
    assert caplog.messages == [
        "Scanning 3 images; 0 known before.",
        "Scanning 1/3 images",
        "Scanning 2/3 images, about 1 s left",
        "Scanning 3/3 images",
    ]


def test_a_cache_of_another_version_is_replaced(make, images, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO, logger="remedis")
    cache = tmp_path / "scan.parquet"
    m = make(1, root=images, path=["grey.png"])
    monkeypatch.setattr(scanning, "VERSION", 1)
    old = scanning.scan(m, cache)
    monkeypatch.undo()
    pd.testing.assert_frame_equal(scanning.scan(m, cache), old)
    assert f"Scanning all images again: {cache} was made by another version." in caplog.text
    caplog.clear()
    scanning.scan(m, cache)
    assert not caplog.messages
    assert set(pd.read_parquet(cache)["version"]) == {scanning.VERSION}


def save(root, name, pixels):
    Image.fromarray(pixels).save(root / name)


def test_channels_and_bits_are_those_stored(make, images):
    stored = {"grey.png": (1, 8), "grey.jpg": (1, 8), "deep.png": (1, 16), "cmyk.jpg": (3, 8)}
    result = scanning.scan(make(5, root=images, path=GOOD)).set_index("path")
    for name, (channels, bits) in (stored | {"rgba.png": (3, 8)}).items():
        assert (result["channels"][name], result["bits"][name]) == (channels, bits)
    assert result["colour"].tolist() == [False, False, False, True, True]


def test_grey_stored_in_three_channels_is_no_colour(make, tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (50, 70), dtype=np.uint8)
    save(tmp_path, "one.png", grey)
    save(tmp_path, "three.png", np.repeat(grey[..., None], 3, axis=-1))
    Image.fromarray(grey > 99).save(tmp_path / "bit.png")
    m = make(3, root=tmp_path, path=["one.png", "three.png", "bit.png"])
    result = scanning.scan(m)
    assert result["channels"].tolist() == [1, 3, 1]
    assert result["bits"].tolist() == [8, 8, 1]
    assert not result["colour"].any()
    for column in ("phash", "thumbnail", "histogram"):
        assert result[column][0] == result[column][1]


def averaged(values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Averages by area with another method: repeats each pixel until cells are whole pixels."""
    height, width = values.shape
    fine = np.repeat(np.repeat(values.astype(np.float64), rows, axis=0), columns, axis=1)
    return fine.reshape(rows, height, columns, width).mean(axis=(1, 3))


@pytest.mark.parametrize("shape", [(16, 17), (40, 31), (5, 90), (1, 1), (300, 200)])
@pytest.mark.parametrize("kind", ["L", "RGB", "I;16"])
def test_measures_have_a_twin(make, tmp_path, shape, kind):
    top = 65535 if kind == "I;16" else 255
    rng = np.random.default_rng(sum(shape))
    pixels = rng.integers(0, top + 1, (*shape, 3) if kind == "RGB" else shape)
    save(tmp_path, "a.png", pixels.astype(np.uint16 if kind == "I;16" else np.uint8))
    found = scanning.scan(make(1, root=tmp_path, path=["a.png"]))
    grey = (pixels @ [0.299, 0.587, 0.114] if kind == "RGB" else pixels) / top
    assert found["mean"][0] == pytest.approx(grey.mean(), abs=1e-5)
    grid = averaged(grey, 16, 17)
    steps = np.diff(grid, axis=1)
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(found["phash"][0]), np.uint8))
    clear = abs(steps - 1e-4).ravel() > 1e-5
    np.testing.assert_array_equal(bits[clear], (steps > 1e-4).ravel()[clear])
    np.testing.assert_allclose(
        scanning.thumbnails(found)[0], averaged(grid, 8, 8), atol=0.5 / 255 + 1e-5
    )
    # The largest image has more pixels than the sample: every second row and column counts.
    sample = grey[:: 1 + (shape[0] > 100), :: 1 + (shape[0] > 100)]
    assert found["low"][0] == pytest.approx(sample.min(), abs=1e-6)
    assert found["high"][0] == pytest.approx(sample.max(), abs=1e-6)
    counts = np.histogram(sample.astype(np.float32), bins=32, range=(0, 1))[0]
    np.testing.assert_allclose(
        scanning.histograms(found)[0], counts / sample.size, atol=2.5 / sample.size
    )


def test_unreadable_images_have_no_measures(make, images):
    result = scanning.scan(make(2, root=images, path=["grey.png", "cut.jpg"]))
    assert np.isfinite(scanning.histograms(result)[0]).all()
    assert np.isnan(scanning.histograms(result)[1]).all()
    assert np.isnan(scanning.thumbnails(result)[1]).all()
    assert result["phash"].isna().tolist() == [False, True]


def test_the_same_image_encoded_again_looks_the_same(make, tmp_path):
    ramp = np.add.outer(np.linspace(0, 150, 200), np.linspace(0, 100, 180))
    ramp += 40 * np.sin(np.arange(180) / 9)[None] * np.cos(np.arange(200) / 7)[:, None]
    image = Image.fromarray(ramp.clip(0, 255).astype(np.uint8))
    image.save(tmp_path / "a.png")
    image.save(tmp_path / "b.jpg", quality=60)
    image.resize((90, 100), Image.Resampling.BICUBIC).save(tmp_path / "c.png")
    image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "d.png")
    found = scanning.scan(make(4, root=tmp_path, path=["a.png", "b.jpg", "c.png", "d.png"]))
    words = near_duplicates.unpacked(found["phash"].tolist())
    apart = near_duplicates.distances(words[0], words)
    assert (apart[1:3] <= near_duplicates.DISTANCE).all()
    assert apart[3] > 3 * near_duplicates.DISTANCE


class Container:
    """A reader of `*.box#item` whose items are named after their pixels."""

    def __init__(self, encoded: dict[str, bytes] | None = None):
        self.NAMES = re.compile(r"[.]box$" if encoded is None else r"[.]bag$")
        if encoded is not None:
            self.read_encoded = lambda file, item: self._item(encoded, item)
        self.pixels = {
            "grey": np.full((4, 6, 1), 128, np.uint8),
            "deep": np.full((4, 6, 1), 128 * 257, np.uint16),
            "float": np.full((4, 6, 3), 0.5, np.float32),
            "wide": np.full((6, 4, 1), 128, np.uint8),
        }

    def read_pixels(self, file: str, item: str) -> np.ndarray:
        return self._item(self.pixels, item)

    @staticmethod
    def _item(items, item):
        if item not in items:
            raise readers.Unreadable(f"There is no item {item!r}.")
        return items[item]


def test_items_of_containers(make, tmp_path, monkeypatch):
    bag = Container({"a": encoded("L", "PNG"), "b": encoded("L", "PNG")[:-200], "c": b"GIF89a"})
    monkeypatch.setattr(readers, "_READERS", (Container(), bag))
    for name in ("one.box", "two.bag"):
        (tmp_path / name).write_bytes(b"contents")
    status, asked = scanning._status, []
    monkeypatch.setattr(scanning, "_status", lambda file: (asked.append(file), status(file))[1])
    items = [f"one.box#{i}" for i in ("grey", "deep", "float", "wide", "none")]
    items += [f"two.bag#{i}" for i in "abc"] + ["no.box#grey"]
    cache = tmp_path / "scan.parquet"
    result = scanning.scan(make(9, root=tmp_path, path=items), cache)
    assert len(asked) == 3  # each file once
    assert result["fault"].fillna("").tolist() == [
        "",
        "",
        "",
        "",
        "There is no item 'none'.",
        "",
        "The PNG file is truncated or damaged.",
        "This is a GIF file; expected JPEG or PNG.",
        "There is no such file (No such file or directory).",
    ]
    assert result["bits"].astype(object).where(result["bits"].notna(), None)[:4].tolist() == [
        8,
        16,
        None,
        8,
    ]
    assert result["height"][:4].tolist() == [4, 4, 4, 6]
    assert result["channels"][:4].tolist() == [1, 1, 3, 1]
    np.testing.assert_allclose(result["mean"][:4].astype(float), 128 / 255, atol=0.003)
    # Pixels of another type or shape are another image.
    assert result["sha256"][:4].nunique() == 4
    assert result["sha256"][5] == hashlib.sha256(encoded("L", "PNG")).hexdigest()
    assert result["size"][:8].eq(8).all()
    pd.testing.assert_frame_equal(scanning.scan(make(9, root=tmp_path, path=items), cache), result)
