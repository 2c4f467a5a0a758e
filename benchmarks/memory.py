"""Peak memory and time of one training step, with and without gradient checkpointing.

    python benchmarks/memory.py [--architecture=152x2 --size=448 --batch=2 --precision=float32]

Each row is a process of its own: a backbone with random weights, a head of 5 labels, SGD with
momentum, one step as the jobs run it (see `remedis/training/determinism.py`). The peak is the
process' largest resident memory (VmHWM, so Linux only); `before` is the memory once model and
optimizer are there. Time includes what TensorFlow does once for a graph, but not its tracing.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import time

import tensorflow as tf

from remedis.finetuning.losses import SupervisedLoss
from remedis.models import precision
from remedis.models.architectures import Architecture
from remedis.models.classifier import Classifier
from remedis.training import optimizers, schedules
from remedis.training.determinism import prepare_process
from remedis.zoo import checkpoint, random_weights

KINDS = ("plain", "checkpointed")
LABELS = ("a", "b", "c", "d", "e")


def memory(key: str) -> float:
    """Returns a line of this process' status, VmRSS (now) or VmHWM (peak), in GB."""
    status = pathlib.Path("/proc/self/status").read_text()
    match = re.search(rf"{key}:\s+(\d+) kB", status)
    assert match is not None
    return int(match[1]) * 1024 / 1e9


def measure(options: argparse.Namespace, gradient_checkpointing: bool) -> dict[str, object]:
    """Does one step in this process and returns what it took."""
    prepare_process()
    with precision.policy(options.precision):
        weights = random_weights.draw("0", Architecture.parse(options.architecture))
        backbone = checkpoint.build_backbone(weights)
        backbone.gradient_checkpointing = gradient_checkpointing
        classifier = Classifier(backbone, LABELS)
    loss = SupervisedLoss("multi_label")
    variables = list(classifier.named_variables().values())
    rate = schedules.Rate(schedules.Schedule("constant", 1, 0, 0.003))
    optimizer = optimizers.make(
        "sgd",
        rate,
        {},
        momentum=0.9,
        weight_decay=0.0,
        loss_scale=options.precision == "float16",
    )
    optimizer.build(variables)

    @tf.function
    def step(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            total = loss.total(labels, classifier(images, training=True))
            scaled = optimizer.scale_loss(total)
        gradients = tape.gradient(scaled, [variable.value for variable in variables])
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return total

    images = tf.random.stateless_uniform([options.batch, options.size, options.size, 3], [0, 0])
    labels = tf.one_hot(tf.range(options.batch) % len(LABELS), len(LABELS))
    function = step.get_concrete_function(images, labels)
    before = memory("VmRSS")
    start = time.perf_counter()
    value = float(function(images, labels))
    return {
        "gradient_checkpointing": gradient_checkpointing,
        "before_gb": before,
        "peak_gb": memory("VmHWM"),
        "seconds": time.perf_counter() - start,
        "loss": value,
    }


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--architecture", default="152x2")
    parser.add_argument("--size", type=int, default=448, help="pixels")
    parser.add_argument("--batch", type=int, default=2, help="images")
    parser.add_argument("--precision", default="float32", choices=precision.POLICIES)
    parser.add_argument("--json", action="store_true", help="print numbers for a program to read")
    parser.add_argument("--measure", choices=KINDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options, options.measure == "checkpointed")))
        return
    rows = []
    if not options.json:
        print("gradient_checkpointing   before      peak     step")
    for kind in KINDS:
        command = [sys.executable, __file__, *sys.argv[1:], f"--measure={kind}"]
        result = subprocess.run(command, stdout=subprocess.PIPE, check=False)
        if result.returncode:
            print(f"{kind}: ended by {result.returncode}; out of memory?", file=sys.stderr)
            continue
        row = json.loads(result.stdout.splitlines()[-1])
        rows.append(row)
        if not options.json:
            print(
                f"{row['gradient_checkpointing']!s:13}  {row['before_gb']:4.1f} GB   "
                f"{row['peak_gb']:5.1f} GB  {row['seconds']:5.1f} s",
                flush=True,
            )
    if options.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
