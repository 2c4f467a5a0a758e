"""Images per second of a training step of SimCLR, compared with lightly's on a timm backbone.

    python benchmarks/simclr_step.py --peer-python=/path/to/venv/bin/python \
        [--size=224 --batch=32 --rounds=3]

The peer, benchmarks/simclr_step_peer.py, runs in an environment of its own with torch, timm and
lightly. Both sides alternate within the same run, on the same 2 cores, never at the same time. Each
measurement is a process of its own; it runs one step to warm up, then the timed steps. An image is
counted once and passes the backbone twice, as two views.

The step is that of a pretraining: forward pass, loss, backward pass, update and monitored values;
in float32, with a 50x1 from random weights (the peer: `resnetv2_50x1_bit`), on one batch of random
pixels in memory. Both sides have the head 2048 -> 2048 -> 128 with batch norms, a temperature of
0.1 and SGD with momentum, so that the comparison does not depend on the optimizer. The peer's two
views pass its backbone one after the other, as in lightly's documentation, and it is not compiled.
The faster of the peer's two memory layouts counts in each round.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import time

import ml_collections
import tensorflow as tf
from simclr_step_peer import LAYOUTS

from remedis.pretraining import networks
from remedis.pretraining.settings import PretrainingSettings
from remedis.training import optimizers, schedules
from remedis.training.determinism import prepare_process
from remedis.training.distribution import Distribution
from remedis.training.step import Learner, Trainer

PEER = pathlib.Path(__file__).with_name("simclr_step_peer.py")
CORES = 2
# The configs import each other as `configs.NAME`, from whatever directory this is started.
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))


def pretraining(batch: int) -> tuple[ml_collections.ConfigDict, Trainer]:
    """Returns a config and its trainer: SimCLR by SGD on a 50x1 from random weights."""
    from configs import pretrain_cxr

    config = pretrain_cxr.get_config("simclr")
    config.checkpoint, config.batch_size, config.optimizer = "scratch:50x1", batch, "sgd"
    distribution = Distribution.from_name(config.distribution)
    settings = PretrainingSettings.from_config(config)
    network = networks.build(settings.network, distribution.strategy)
    optimizer = optimizers.make(
        config.optimizer,
        schedules.Rate(schedules.Schedule("constant", 1, 0, 0.01)),
        network.factors,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
    )
    learner = Learner(network.trained, network.statistics, optimizer, network.objective)
    trainer = Trainer(learner, distribution)
    trainer.begin()
    return config, trainer


def measure(size: int, batch: int, steps: int) -> float:
    """Returns images per second in this process."""
    prepare_process()  # as the jobs do
    _, trainer = pretraining(batch)
    images = {"image": tf.random.stateless_uniform([batch, 2, size, size, 3], [0, 0])}
    float(trainer.step(images, 1)[0])
    start = time.perf_counter()
    for step in range(2, steps + 2):
        float(trainer.step(images, step)[0])
    return steps * batch / (time.perf_counter() - start)


def rate(command: list[str], options: argparse.Namespace) -> float:
    """Returns the number that a measuring process prints last."""
    numbers = [str(value) for value in (options.size, options.batch, options.steps)]
    result = subprocess.run(command + numbers, check=True, stdout=subprocess.PIPE, text=True)
    return float(result.stdout.splitlines()[-1])


def main() -> None:
    """Prints a line per round, then the medians and the ratio with its range."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer-python", required=True, help="interpreter with lightly and timm")
    parser.add_argument("--size", type=int, default=224, help="pixels")
    parser.add_argument("--batch", type=int, default=32, help="images, with two views each")
    parser.add_argument("--steps", type=int, default=1, help="timed steps per round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])  # child processes inherit it

    print(f"50x1, {options.size} px, batch {options.batch} of 2 views (images per second)")
    print(f"{'round':<8}{'ours':>8}" + "".join(f"{layout:>16}" for layout in LAYOUTS) + "   ratio")
    ours, theirs = [], []
    for number in range(1, options.rounds + 1):
        ours.append(rate([sys.executable, __file__, "measure"], options))
        peers = [rate([options.peer_python, str(PEER), layout], options) for layout in LAYOUTS]
        theirs.append(max(peers))
        columns = "".join(f"{value:16.3f}" for value in peers)
        print(f"{number:<8}{ours[-1]:8.3f}{columns}   {ours[-1] / theirs[-1]:.2f}", flush=True)
    ratios = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    print(
        f"medians: {statistics.median(ours):.3f} and {statistics.median(theirs):.3f}, ratio "
        f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        print(measure(*map(int, sys.argv[2:])))
    else:
        main()
