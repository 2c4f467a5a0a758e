"""Files that are replaced, rewritten or removed after the scan."""

import os

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from remedis.data import image_list, scanned_files
from remedis.data.batches.used_images import UsedImages
from remedis.data.checks import scan
from remedis.errors import UserError


@pytest.fixture
def images(tmp_path):
    """Six scanned images, one of which was bad and is left out."""
    for i in range(6):
        Image.fromarray(np.full((4, 4), 40 * i, np.uint8)).save(tmp_path / f"{i}.png")
    (tmp_path / "bad.png").write_bytes(b"no image")
    names = [*(f"{i}.png" for i in range(6)), "bad.png"]
    found = image_list.of_table(pd.DataFrame({"path": names}), tmp_path, "test")
    return scan.quarantine(found, scan.scan(found), 0.5, tmp_path / "bad_images.csv")[0]


def replaced(images, row, pixels):
    path = images.absolute_paths()[row]
    Image.fromarray(pixels).save(path)
    return path


def test_unchanged_images_pass(images):
    images.check_unchanged()
    images.subset(np.arange(6) % 2 == 0).check_unchanged(np.array([2, 0]))


def test_another_image_is_refused_by_name(images):
    path = replaced(images, 2, np.arange(81, dtype=np.uint8).reshape(9, 9))
    sizes = images.scanned._status[2, 0], os.stat(path).st_size
    with pytest.raises(UserError) as refused:
        images.check_unchanged()
    assert str(refused.value) == (
        f"'{path}' has changed since it was scanned, from {sizes[0]} to {sizes[1]} bytes: the "
        "results would not be those of the checked images. Restore the scanned images and start "
        "the same command again, which scans what changed; to use other images, start in another "
        "directory."
    )
    images.check_unchanged(np.array([0, 1, 3]))


def test_an_image_of_the_same_size_is_told_by_its_time(images):
    for row in (1, 4):
        path = images.absolute_paths()[row]
        after = images.scanned._status[row, 1] + 1  # a nanosecond
        os.utime(path, ns=(after, after))
    with pytest.raises(UserError, match=r"1\.png' was rewritten after it was scanned, on \d{4}"):
        images.check_unchanged()
    with pytest.raises(UserError, match=r"\(as well as 1 other file\)"):
        images.check_unchanged()


def test_a_clock_that_was_set_wrong_is_one_like_any_other(images, tmp_path):
    path = images.absolute_paths()[1]
    for scanned, later in ((10**19, 10**18), (10**18, 10**19)):  # the years 2286 and 2001
        os.utime(path, ns=(scanned, scanned))
        again = scan.quarantine(images, scan.scan(images), 0.5, tmp_path / "bad_images.csv")[0]
        again.check_unchanged()
        os.utime(path, ns=(later, later))
        with pytest.raises(UserError, match=r"1\.png' was rewritten after it was scanned"):
            again.check_unchanged()


def test_an_image_that_is_gone_is_named(images):
    os.unlink(images.absolute_paths()[5])
    with pytest.raises(UserError, match=r"5\.png' is missing, but was there when it was scanned"):
        images.check_unchanged()


def test_a_container_is_looked_at_once(monkeypatch):
    looked = []
    monkeypatch.setattr(
        scanned_files, "_status_of", lambda names: looked.append(names) or [(1, 2)] * len(names)
    )
    items = [f"/data/x.h5#{i}" for i in range(5)]
    files = scanned_files.ScannedFiles(items, [1] * 5, [2] * 5)
    files.check(items)
    files.check([])
    files.check(["/data/unknown.png"])
    assert looked == [["/data/x.h5"], [], []]


def test_many_files_are_looked_at_in_their_order(tmp_path, monkeypatch):
    monkeypatch.setattr(scanned_files, "_PER_TASK", 3)
    names = [str(tmp_path / str(i)) for i in range(10)]
    for size, name in enumerate(names):
        with open(name, "wb") as file:
            file.write(b"x" * size)
    assert [size for size, _ in scanned_files._status_of(names)] == list(range(10))


def test_training_checks_what_it_used(images):
    used = UsedImages(images)
    used.add([0, 1])
    replaced(images, 2, np.zeros((9, 9), np.uint8))
    used.check()
    used.check()
    used.add([3])
    used.add([2])
    with pytest.raises(UserError, match=r"2\.png"):
        used.check()
    everything = UsedImages(images, all_rows=True)
    everything.add([0])
    with pytest.raises(UserError, match=r"2\.png"):
        everything.check()


def test_an_epoch_of_images_is_checked_without_being_asked(images):
    used = UsedImages(images)
    replaced(images, 2, np.zeros((9, 9), np.uint8))
    used.add([0, 1, 2])
    with pytest.raises(UserError, match=r"2\.png"):
        used.add([3, 4, 5])
