import hashlib
import io
import os

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from remedis.data import scan as scanning
from remedis.errors import UserError

FAULTS = {
    "empty.png": "The file is empty.",
    "cut.png": "The PNG file is truncated or damaged.",
    "cut.jpg": "The JPEG file is truncated or damaged.",
    "text.png": "This is not an image; expected JPEG or PNG.",
    "a.dcm": "This is a DICOM file; expected JPEG or PNG.",
    "a.gif": "This is a GIF file; expected JPEG or PNG.",
    "a.tif": "This is a TIFF file; expected JPEG or PNG.",
    "directory.png": "The file cannot be read (Is a directory).",
    "nowhere.png": "There is no such file (No such file or directory).",
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
        "a.dcm": bytes(128) + b"DICM" + bytes(50),
        "a.gif": encoded("P", "GIF"),
        "a.tif": encoded("L", "TIFF"),
    }
    for name, data in contents.items():
        (root / name).write_bytes(data)
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
    examine = scanning._examine
    monkeypatch.setattr(scanning, "_examine", lambda file: (read.append(file), examine(file))[1])
    m = make(4, root=images, path=["grey.png", "cut.jpg", "nowhere.png", "./grey.png"])
    cache = tmp_path / "scan.parquet"
    first = scanning.scan(m, cache)
    assert sorted(map(os.path.basename, read)) == ["cut.jpg", "grey.png"]
    pd.testing.assert_frame_equal(scanning.scan(m, cache), first)
    assert len(read) == 2

    # The same bytes and more: other images are added, one changes.
    (images / "cut.jpg").write_bytes(encoded("RGB", "JPEG"))
    more = make(3, root=images, path=["rgba.png", "grey.png", "cut.jpg"])
    assert scanning.scan(more, cache)["fault"].isna().all()
    assert sorted(map(os.path.basename, read[2:])) == ["cut.jpg", "rgba.png"]
    assert scanning.scan(m, cache)["fault"].notna().tolist() == [False, False, True, False]
    assert len(read) == 4


def test_a_spoilt_cache_is_made_anew(make, images, tmp_path, capsys):
    cache = tmp_path / "scan.parquet"
    cache.write_bytes(b"PAR1 not really")
    m = make(1, root=images, path=["grey.png"])
    assert scanning.scan(m, cache)["fault"].isna().all()
    assert "cannot be read" in capsys.readouterr().err
    assert len(pd.read_parquet(cache)) == 1


def test_quarantine_lists_what_it_takes_out(make, images, tmp_path):
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
        f"truncated or damaged), empty.png (The file is empty). All are listed in {report}; mend "
        "or remove them, or raise the limit."
    )
    assert len(pd.read_csv(report)) == 2


def test_quarantine_of_good_images_writes_nothing(make, images, tmp_path):
    m = make(1, root=images, path=["grey.png"])
    kept, bad = scanning.quarantine(m, scanning.scan(m), 0.0, tmp_path / "bad.csv")
    assert kept is m
    assert not len(bad)
    assert not (tmp_path / "bad.csv").exists()
