"""The peer of benchmarks/input_pipeline.py; it needs torch and torchvision, not this package.

    python benchmarks/input_pipeline_peer.py

prints the seconds of one elastic deformation. `bench_peers.py` measures the loader: transforms of
torchvision v2 on uint8 tensors, decoded by torchvision, in a DataLoader of 2 workers.
"""

import pathlib
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torchvision.transforms import v2

PASS = {"evaluation": 1500, "contrastive_cxr": 300}  # images of a pass, see input_pipeline.py


def transform(recipe: str, size: int) -> "v2.Transform":
    """Returns the transform of a recipe, without the elastic deformation."""
    import torch
    from torchvision.transforms import v2

    bicubic = v2.InterpolationMode.BICUBIC

    def central(image: torch.Tensor) -> torch.Tensor:
        height, width = (round(0.875 * side) for side in image.shape[-2:])
        return v2.functional.center_crop(image, [height, width])

    if recipe == "evaluation":
        steps = [v2.Lambda(central), v2.Resize([size, size], bicubic, antialias=True)]
    else:
        steps = [
            v2.Resize([448, 448], bicubic, antialias=True),
            v2.RandomEqualize(0.5),
            v2.RandomRotation(45, v2.InterpolationMode.BILINEAR),
            v2.RandomResizedCrop(size, interpolation=bicubic, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([v2.ColorJitter(0.8, 0.8, 0.8, 0.2)], 0.8),
            v2.RandomApply([v2.GaussianBlur(size // 10 // 2 * 2 + 1, (0.1, 2.0))], 0.5),
        ]
    return v2.Compose([*steps, v2.ToDtype(torch.float32, scale=True)])


class Images:
    """The images of a folder as a map-style data set, with one or two views per image."""

    def __init__(self, folder: str, recipe: str, size: int) -> None:
        files = sorted(map(str, pathlib.Path(folder).iterdir()))
        self.views = 1 if recipe == "evaluation" else 2
        self.paths = files * max(1, PASS[recipe] // len(files))
        self.transform = transform(recipe, size)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> "torch.Tensor":
        import torch
        from torchvision.io import ImageReadMode, decode_image

        image = decode_image(self.paths[index], ImageReadMode.RGB)
        return torch.stack([self.transform(image) for _ in range(self.views)])


def loader(folder: str, recipe: str, batch: int, size: int) -> "torch.utils.data.DataLoader":
    """Returns the batches of a folder, by two workers that live on between passes."""
    import torch

    return torch.utils.data.DataLoader(
        Images(folder, recipe, size), batch, num_workers=2, persistent_workers=True
    )


def elastic() -> float:
    """Returns the seconds of one elastic deformation of one image of 1024 pixels on one core."""
    import torch
    from torchvision.transforms import v2

    torch.set_num_threads(1)
    image = torch.randint(0, 256, (3, 1024, 1024), dtype=torch.uint8)
    deform = v2.ElasticTransform(alpha=1000.0, sigma=30.0)
    start = time.perf_counter()
    deform(image)
    return time.perf_counter() - start


if __name__ == "__main__":
    print(elastic())
