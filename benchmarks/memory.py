"""Peak memory and time of one training step, with and without gradient checkpointing.

    python benchmarks/memory.py [--architecture=152x2 --size=448 --batch=2 --precision=float32]

Each row is measured in a process of its own: a backbone with random weights, a head with 5 labels,
SGD with momentum, one step as the jobs run it (see `remedis/training/determinism.py`). `peak` is
the largest resident memory of the process (VmHWM, Linux only); `before` is its memory after model
and optimizer are built. The time includes TensorFlow's one-time work on a graph, but not tracing.
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

VARIANTS = ("plain", "checkpointed")
LABELS = ("a", "b", "c", "d", "e")


def memory(key: str) -> float:
    """Returns the memory of this process in GB: VmRSS (now) or VmHWM (peak)."""
    status = pathlib.Path("/proc/self/status").read_text()
    match = re.search(rf"{key}:\s+(\d+) kB", status)
    assert match is not None
    return int(match[1]) * 1024 / 1e9


def measure(options: argparse.Namespace, gradient_checkpointing: bool) -> dict[str, object]:
    """Runs one step in this process and returns its memory, seconds and loss."""
    prepare_process()
    with precision.policy(options.precision):
        weights = random_weights.draw(0, Architecture.parse(options.architecture))
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
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.add_argument("--measure", choices=VARIANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options, options.measure == "checkpointed")))
        return
    rows = []
    if not options.json:
        print("gradient_checkpointing   before      peak     step")
    for variant in VARIANTS:
        command = [sys.executable, __file__, *sys.argv[1:], f"--measure={variant}"]
        result = subprocess.run(command, stdout=subprocess.PIPE, check=False)
        if result.returncode:
            print(
                f"{variant}: ended with status {result.returncode}; out of memory?", file=sys.stderr
            )
            continue
        row = json.loads(result.stdout.splitlines()[-1])
        rows.append(row)
        if not options.json:
            print(
                f"{row['gradient_checkpointing']!s:22}  {row['before_gb']:4.1f} GB   "
                f"{row['peak_gb']:5.1f} GB  {row['seconds']:5.1f} s",
                flush=True,
            )
    if options.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
