"""Makes `timm_resnetv2_50x1_bit.npz`: timm's outputs for the weights and images of this folder.

Needs an environment with torch and timm (the file was made with torch 2.14.1 and timm 1.0.31). Run
from the top of the repository:

    PYTHONPATH=.:tests/helpers python tests/helpers/make_timm.py
"""

import pathlib
import tempfile

import bit_weights
import numpy as np
import timm
import torch

from remedis.models.architectures import Architecture

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "timm_resnetv2_50x1_bit.npz"


def main() -> None:
    """Loads the weights through timm's own npz loader and writes map and pre-logits."""
    architecture = Architecture.parse("50x1")
    model = timm.create_model("resnetv2_50x1_bit", pretrained=False, num_classes=7)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "bit.npz")
        arrays = bit_weights.weights(architecture) | bit_weights.head(architecture)
        bit_weights.save_npz(path, arrays)
        model.load_pretrained(str(path))
    model.eval()
    x = torch.from_numpy(2 * bit_weights.images() - 1).permute(0, 3, 1, 2)
    with torch.no_grad():
        unpooled = model.stages(model.stem(x))
        pre_logits = model.norm(unpooled).mean((2, 3))
    np.savez_compressed(
        GOLDEN, map=unpooled.permute(0, 2, 3, 1).numpy(), pre_logits=pre_logits.numpy()
    )
    print(GOLDEN, tuple(unpooled.shape), float(unpooled.norm()), float(pre_logits.norm()))


if __name__ == "__main__":
    main()
