"""The peers' work in `bench.py`; it needs torch, torchvision, timm and lightly, not this package.

    python benchmarks/bench_peers.py WORK FOLDER [--size=224 --batch=8]

`WORK make` writes random weights of timm's 50x1 as safetensors. Every other work but `start` and
`memory` takes turns, see `turn.py`. A work that ends in `:compiled` uses torch.compile, and freezes
weights if it does not train. Nothing is downloaded.
"""

import argparse
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from turn import take_turns

if TYPE_CHECKING:
    import torch

MODEL, ARCHITECTURE = "resnetv2_{}_bit", "50x1"
WEIGHTS = "timm.safetensors"
LABELS = 5
THREADS = 2
Work = Callable[[], float]


def network(options: argparse.Namespace, compiled: bool) -> Work:
    """Returns the embedding of a batch of prepared images."""
    import torch

    model = backbone(architecture=options.architecture).eval()
    images = laid_out(torch.rand(options.batch, 3, options.size, options.size))
    if compiled:
        import torch._inductor.config

        torch._inductor.config.freezing = True
        model = torch.compile(model)

    def work() -> int:
        with torch.inference_mode():
            model(images)
        return options.batch

    if compiled:  # under inference_mode the compiler does not freeze

        def work() -> int:
            with torch.no_grad():
                model(images)
            return options.batch

    return work


def training(options: argparse.Namespace, compiled: bool) -> Work:
    """Returns a training step of a classifier with five labels."""
    import torch

    model = backbone(LABELS, options.architecture).train()
    model.set_grad_checkpointing(options.checkpointing)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.003, momentum=0.9)
    images = laid_out(torch.rand(options.batch, 3, options.size, options.size))
    labels = torch.nn.functional.one_hot(torch.arange(options.batch) % LABELS, LABELS).float()
    forward = torch.compile(model) if compiled else model

    def work() -> int:
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(forward(images), labels)
        loss.backward()
        optimizer.step()
        loss.item()
        return options.batch

    return work


def simclr(options: argparse.Namespace, compiled: bool) -> Work:
    """Returns a step of SimCLR as lightly's documentation writes it."""
    import torch
    from lightly.loss import NTXentLoss
    from lightly.models.modules import SimCLRProjectionHead

    model = torch.nn.Sequential(backbone(), SimCLRProjectionHead(2048, 2048, 128)).train()
    criterion = NTXentLoss(temperature=0.1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-6)
    shape = (options.batch, 3, options.size, options.size)
    views = [laid_out(torch.rand(shape) * 2 - 1) for _ in range(2)]
    forward = torch.compile(model) if compiled else model

    def work() -> int:
        optimizer.zero_grad()
        loss = criterion(*(forward(view) for view in views))
        loss.backward()
        optimizer.step()
        loss.item()
        return options.batch

    return work


def backbone(labels: int = 0, architecture: str = ARCHITECTURE) -> "torch.nn.Module":
    """Returns timm's network in the memory layout that is faster on processors."""
    import timm
    import torch

    torch.manual_seed(0)
    model = timm.create_model(MODEL.format(architecture), pretrained=False, num_classes=labels)
    return model.to(memory_format=torch.channels_last)


def laid_out(images: "torch.Tensor") -> "torch.Tensor":
    """Returns images in the memory layout of the network."""
    import torch

    return images.to(memory_format=torch.channels_last)


def pipeline(recipe: str, options: argparse.Namespace) -> Work:
    """Returns one pass over a folder of images, by a DataLoader of two workers."""
    import input_pipeline_peer

    loader = input_pipeline_peer.loader(str(options.folder), recipe, options.batch, options.size)
    return lambda: sum(len(images) for images in loader)


def make(options: argparse.Namespace) -> None:
    """Writes the weights of a network as people share them."""
    import safetensors.torch

    weights = {name: value.contiguous() for name, value in backbone().state_dict().items()}
    safetensors.torch.save_file(weights, options.folder / WEIGHTS)


def start(options: argparse.Namespace) -> None:
    """Embeds one image, from the start of this process."""
    import safetensors.torch
    import timm
    import torch

    model = timm.create_model(MODEL.format(ARCHITECTURE), pretrained=False, num_classes=0)
    model.load_state_dict(safetensors.torch.load_file(options.folder / WEIGHTS))
    with torch.inference_mode():
        model.eval()(torch.zeros(1, 3, options.size, options.size))


def memory(options: argparse.Namespace) -> None:
    """Takes one training step with gradient checkpointing, from the start of this process."""
    training(options, compiled=False)()


def main() -> None:
    """Does the work."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "work", help="make, start, memory, pipeline:RECIPE, or another, as in bench.py"
    )
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--size", type=int, default=224, help="pixels")
    parser.add_argument("--batch", type=int, default=8, help="images")
    parser.add_argument("--architecture", default=ARCHITECTURE, help="of the network")
    options = parser.parse_args()
    name, _, more = options.work.partition(":")
    options.checkpointing = name == "memory"
    torch.set_num_threads(1 if name == "pipeline" else THREADS)
    if name in (once := {"make": make, "start": start, "memory": memory}):
        once[name](options)
    elif name == "pipeline":
        take_turns(pipeline(more, options))
    else:
        works = {"network": network, "training": training, "simclr": simclr}
        take_turns(works[name](options, more == "compiled"))


if __name__ == "__main__":
    main()
