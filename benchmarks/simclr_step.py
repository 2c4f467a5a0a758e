"""Images per second of a training step of SimCLR in one process.

    python benchmarks/simclr_step.py [--size=224 --batch=32 --steps=1]

The step is that of a pretraining: forward pass, loss, backward pass, update and monitored values;
in float32, with a 50x1 from random weights, on one batch of random pixels in memory. An image is
counted once and passes the backbone twice, as two views. The first step is not timed.
`bench.py` compares it with lightly's.
"""

import argparse
import pathlib
import sys
import time

import ml_collections
import tensorflow as tf

from remedis.pretraining import networks
from remedis.pretraining.settings import PretrainingSettings
from remedis.training import optimizers, schedules
from remedis.training.determinism import prepare_process
from remedis.training.distribution import Distribution
from remedis.training.step import Learner, Trainer

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


def main() -> None:
    """Prints the rate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=224, help="pixels")
    parser.add_argument("--batch", type=int, default=32, help="images, with two views each")
    parser.add_argument("--steps", type=int, default=1, help="timed steps")
    options = parser.parse_args()
    print(measure(options.size, options.batch, options.steps))


if __name__ == "__main__":
    main()
