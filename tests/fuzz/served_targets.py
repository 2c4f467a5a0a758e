"""Images of requests, as a server decodes them within its limits."""

import pathlib

import harness
import images_targets
import numpy as np

from remedis.serving.decoded_requests import decoded

PIXELS = 100_000


def read(contents: bytes, folder: pathlib.Path) -> None:
    image = decoded(contents, "", PIXELS)
    assert image.dtype == np.float32
    assert image.shape[0] * image.shape[1] <= PIXELS
    assert 0 <= image.min() <= image.max() <= 1


def of_one_frame() -> list[bytes]:
    """Returns DICOM files whose frame needs no name."""
    return [contents for i, contents in enumerate(images_targets.dicoms()) if i != 2]


TARGETS = {
    f"served-{name}": harness.Target(
        seeds=seeds, read=read, allowed=("remedis.serving.refusals:Refusal",)
    )
    for name, seeds in (
        ("jpeg", images_targets.jpegs),
        ("png", images_targets.pngs),
        ("dicom", of_one_frame),
    )
}
