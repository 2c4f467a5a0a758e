"""The peer of benchmarks/pipeline.py; needs torch and torchvision, not this package.

    python benchmarks/pipeline_peer.py FOLDER RECIPE BATCH SIZE
    python benchmarks/pipeline_peer.py elastic

The first prints images a second: torchvision v2 transforms on uint8 tensors, decoded by
torchvision, in a DataLoader of 2 workers that are kept between the first pass and the one that is
timed. The second prints the seconds of one elastic deformation.
"""

import pathlib
import sys
import time

import torch
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms import v2

BICUBIC = v2.InterpolationMode.BICUBIC


def evaluation(size: int) -> v2.Transform:
    """Central 0.875, bicubic resize."""

    def central(image: torch.Tensor) -> torch.Tensor:
        height, width = (round(0.875 * side) for side in image.shape[-2:])
        return v2.functional.center_crop(image, [height, width])

    return v2.Compose(
        [
            v2.Lambda(central),
            v2.Resize([size, size], BICUBIC, antialias=True),
            v2.ToDtype(torch.float32, scale=True),
        ]
    )


def contrastive_cxr(size: int) -> v2.Transform:
    """One view, in the order of the recipe, but for the elastic deformation."""
    return v2.Compose(
        [
            v2.RandomEqualize(0.5),
            v2.RandomRotation(45, v2.InterpolationMode.BILINEAR),
            v2.RandomResizedCrop(size, interpolation=BICUBIC, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([v2.ColorJitter(0.8, 0.8, 0.8, 0.2)], 0.8),
            v2.RandomApply([v2.GaussianBlur(size // 10 // 2 * 2 + 1, (0.1, 2.0))], 0.5),
            v2.ToDtype(torch.float32, scale=True),
        ]
    )


RECIPES = {"evaluation": evaluation, "contrastive_cxr": contrastive_cxr}


def elastic() -> float:
    """Returns the seconds one elastic deformation of one image of 1024 pixels takes on one core."""
    torch.set_num_threads(1)
    image = torch.randint(0, 256, (3, 1024, 1024), dtype=torch.uint8)
    transform = v2.ElasticTransform(alpha=1000.0, sigma=30.0)
    started = time.perf_counter()
    transform(image)
    return time.perf_counter() - started


class Images(torch.utils.data.Dataset):
    """The images of a folder, one view or two."""

    def __init__(self, folder: str, recipe: str, size: int) -> None:
        self.paths = sorted(map(str, pathlib.Path(folder).iterdir()))
        self.views = 1 if recipe == "evaluation" else 2
        self.transform = RECIPES[recipe](size)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        image = decode_image(self.paths[index], ImageReadMode.RGB)
        return torch.stack([self.transform(image) for _ in range(self.views)])


def main(folder: str, recipe: str, batch: str, size: str) -> None:
    """Prints the rate of the second pass."""
    torch.set_num_threads(1)
    loader = torch.utils.data.DataLoader(
        Images(folder, recipe, int(size)), int(batch), num_workers=2, persistent_workers=True
    )
    for _ in range(2):
        started, count = time.perf_counter(), 0
        for images in loader:
            count += len(images)
        rate = count / (time.perf_counter() - started)
    print(rate)


if __name__ == "__main__":
    if sys.argv[1:] == ["elastic"]:
        print(elastic())
    else:
        main(*sys.argv[1:])
