"""The peer of benchmarks/simclr_step.py; needs torch, timm and lightly, not this package.

    python benchmarks/simclr_step_peer.py LAYOUT SIZE BATCH STEPS

Prints images a second of SimCLR's training step as lightly's documentation writes it, on timm's
`resnetv2_50x1_bit` from random weights; LAYOUT is of tensors in memory: contiguous or
channels_last. Nothing is downloaded.
"""

import sys
import time

import timm
import torch
from lightly.loss import NTXentLoss
from lightly.models.modules import SimCLRProjectionHead

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
THREADS = 2


def main(layout: str, size: int, batch: int, steps: int) -> None:
    """Prints the rate of the steps after the first."""
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    backbone = timm.create_model("resnetv2_50x1_bit", pretrained=False, num_classes=0)
    model = torch.nn.Sequential(backbone, SimCLRProjectionHead(2048, 2048, 128))
    model = model.train().to(memory_format=FORMATS[layout])
    criterion = NTXentLoss(temperature=0.1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-6)
    views = [
        torch.rand(batch, 3, size, size).to(memory_format=FORMATS[layout]) * 2 - 1 for _ in range(2)
    ]

    def step() -> float:
        optimizer.zero_grad()
        loss = criterion(*(model(view) for view in views))
        loss.backward()
        optimizer.step()
        return loss.item()

    step()
    begin = time.perf_counter()
    for _ in range(steps):
        step()
    print(steps * batch / (time.perf_counter() - begin))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
