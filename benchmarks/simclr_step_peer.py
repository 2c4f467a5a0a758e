"""The peer of benchmarks/simclr_step.py; it needs torch, timm and lightly, not this package.

    python benchmarks/simclr_step_peer.py LAYOUT SIZE BATCH STEPS

Prints images per second of SimCLR's training step as lightly's documentation writes it, on timm's
`resnetv2_50x1_bit` from random weights. LAYOUT is the memory layout of the tensors: contiguous or
channels_last. Nothing is downloaded.
"""

import argparse
import time

LAYOUTS = ("contiguous", "channels_last")
THREADS = 2


def rate(layout: str, size: int, batch: int, steps: int) -> float:
    """Returns images per second of the steps after the first."""
    import timm
    import torch
    from lightly.loss import NTXentLoss
    from lightly.models.modules import SimCLRProjectionHead

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    memory = torch.contiguous_format if layout == "contiguous" else torch.channels_last
    backbone = timm.create_model("resnetv2_50x1_bit", pretrained=False, num_classes=0)
    model = torch.nn.Sequential(backbone, SimCLRProjectionHead(2048, 2048, 128))
    model = model.train().to(memory_format=memory)
    criterion = NTXentLoss(temperature=0.1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-6)
    views = [torch.rand(batch, 3, size, size).to(memory_format=memory) * 2 - 1 for _ in range(2)]

    def step() -> None:
        optimizer.zero_grad()
        loss = criterion(*(model(view) for view in views))
        loss.backward()
        optimizer.step()
        loss.item()

    step()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    return steps * batch / (time.perf_counter() - start)


def main() -> None:
    """Prints the rate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("layout", choices=LAYOUTS)
    parser.add_argument("size", type=int, help="pixels")
    parser.add_argument("batch", type=int, help="images")
    parser.add_argument("steps", type=int, help="that are timed")
    options = parser.parse_args()
    print(rate(options.layout, options.size, options.batch, options.steps))


if __name__ == "__main__":
    main()
