"""This project's work in `bench.py`, and work that a library does in the same environment.

    python benchmarks/bench_ours.py WORK FOLDER [--architecture=50x1 --size=224 --batch=8]

FOLDER is that of `WORK make`, which writes a backbone with random weights, its exports and images.
Every other work but `start` and `memory` takes turns, see `turn.py`. `:peer` is what `embedding`,
`scanning`, `probe` and `bootstrap` are compared with.
"""

import argparse
import pathlib
import sys
import tempfile
from collections.abc import Callable

import numpy as np
from turn import take_turns

# The configs import each other as `configs.NAME`, from whatever directory this is started.
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))

HUB = "hub.load"
EXPORTS = ("frozen", "onnx", "openvino")
SAVED_MODELS = {HUB: "model", "frozen": "frozen"}  # folders
LABELS = ("a", "b", "c", "d", "e")
Work = Callable[[], float]
# Of the product of two square matrices, a unit of which is one image: see `attainable`.
SIDE = 2048
GFLOP_PER_IMAGE = 8.2  # of a 50x1 at 224 pixels: two operations per multiply-add


def make(options: argparse.Namespace) -> None:
    """Writes the backbone, its exports, and folders of images."""
    import input_pipeline

    from remedis.conversion import convert, formats
    from remedis.preprocess import parse
    from remedis.zoo import checkpoint, resolve, save_backbone

    weights = resolve.read_weights(f"scratch:{options.architecture}", seed=0)
    model = save_backbone.save(
        checkpoint.build_backbone(weights),
        name=f"cxr-{options.architecture}",
        provenance=weights.provenance,
        directory=options.folder / "model",
        preprocess=parse(f"resize({options.size})", deterministic=True),
    )
    for name in EXPORTS:
        convert.convert(model, name, options.folder / f"{name}{formats.get(name).suffix}")
    (options.folder / "images").mkdir()
    input_pipeline.write(options.folder / "images", input_pipeline.FILES)


def network(engine: str, options: argparse.Namespace) -> Work:
    """Returns the embedding of a batch of prepared images by an engine."""
    shape = (options.batch, options.size, options.size, 3)
    run = embedder(engine, options.folder, shape)
    images = np.random.default_rng(0).random(shape, np.float32)

    def work() -> int:
        run(images)
        return options.batch

    return work


def embedder(
    engine: str, folder: pathlib.Path, shape: tuple[int, ...]
) -> Callable[[np.ndarray], object]:
    """Returns a function from images of a shape to embeddings, as a user of this engine has it."""
    if engine in SAVED_MODELS:
        import tensorflow as tf
        import tensorflow_hub as hub

        model = hub.load(str(folder / SAVED_MODELS[engine]))
        return lambda images: model.embed(tf.constant(images)).numpy()
    # As docs/how-to/export.md has it: without this package, and without TensorFlow.
    if engine == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(folder / "onnx.onnx"))
        return lambda images: session.run(["embedding"], {"images": images})
    import openvino

    core = openvino.Core()
    graph = core.read_model(str(folder / "openvino" / "model.xml"))
    graph.reshape(shape)
    compiled = core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda images: compiled({"images": images})["embedding"]


def attainable(options: argparse.Namespace) -> Work:
    """Returns the product of two matrices, counted as the images with as many operations."""
    import tensorflow as tf

    a, b = (tf.random.stateless_normal([SIDE, SIDE], [0, i]) for i in range(2))
    images = 2 * SIDE**3 / 1e9 / (GFLOP_PER_IMAGE * (options.size / 224) ** 2)

    def work() -> float:
        tf.linalg.matmul(a, b).numpy()
        return images

    return work


def pooled(options: argparse.Namespace) -> Work:
    """Returns the embedding of a batch by TensorFlow, of a network that is in no folder."""
    import tensorflow as tf

    from remedis.inference import embed
    from remedis.zoo import checkpoint, resolve

    weights = resolve.read_weights(f"scratch:{options.architecture}", seed=0)
    compute = embed.pooled(checkpoint.build_backbone(weights), "embedding")
    shape = [options.batch, options.size, options.size, 3]
    images = tf.random.stateless_uniform(shape, [0, 0])

    def work() -> int:
        compute(images).numpy()
        return options.batch

    return work


def training(options: argparse.Namespace) -> Work:
    """Returns a training step of a classifier, as the jobs compute it."""
    import tensorflow as tf

    from remedis.finetuning.losses import SupervisedLoss
    from remedis.finetuning.supervised_objective import SupervisedObjective
    from remedis.models.classifier import Classifier
    from remedis.training import optimizers, schedules
    from remedis.training.determinism import prepare_process
    from remedis.training.distribution import Distribution
    from remedis.training.step import Learner, Trainer
    from remedis.zoo import checkpoint, resolve

    prepare_process()
    weights = resolve.read_weights(f"scratch:{options.architecture}", seed=0)
    classifier = Classifier(checkpoint.build_backbone(weights), LABELS)
    rate = schedules.Rate(schedules.Schedule("constant", 1, 0, 0.003))
    optimizer = optimizers.make("sgd", rate, {}, momentum=0.9, weight_decay=0.0)
    objective = SupervisedObjective(classifier, SupervisedLoss("multi_label"), mixup=0.0, seed=0)
    trained = {name: v for name, v in classifier.named_variables().items() if v.trainable}
    trainer = Trainer(Learner(trained, {}, optimizer, objective), Distribution.from_name("none"))
    trainer.begin()
    shape = [options.batch, options.size, options.size, 3]
    batch = {
        "image": tf.random.stateless_uniform(shape, [0, 0]),
        "label": tf.one_hot(tf.range(options.batch) % len(LABELS), len(LABELS)),
    }
    return _steps(trainer, batch, options.batch)


def simclr(options: argparse.Namespace) -> Work:
    """Returns a step of SimCLR; an image is counted once and passes as two views."""
    import simclr_step
    import tensorflow as tf

    from remedis.training.determinism import prepare_process

    prepare_process()
    _, trainer = simclr_step.pretraining(options.batch)
    shape = [options.batch, 2, options.size, options.size, 3]
    return _steps(trainer, {"image": tf.random.stateless_uniform(shape, [0, 0])}, options.batch)


def _steps(trainer: "object", batch: dict[str, object], images: int) -> Work:
    number = 0

    def work() -> int:
        nonlocal number
        number += 1
        float(trainer.step(batch, number)[0])  # type: ignore[attr-defined]
        return images

    return work


def pipeline(recipe: str, options: argparse.Namespace) -> Work:
    """Returns one pass over a folder of images."""
    import input_pipeline

    files = len(list(options.folder.iterdir()))
    repeats = max(1, input_pipeline.PASS[recipe] // files)
    data = input_pipeline.batches(input_pipeline.manifest(options.folder, repeats), recipe)
    return lambda: sum(len(batch["index"]) for batch in data)


def embedding(peer: bool, options: argparse.Namespace) -> Work:
    """Returns the embedding of a folder of images from their scan to the store.

    The peer is the network alone, on a batch of prepared images.
    """
    import input_pipeline
    import tensorflow as tf

    from remedis.data.checks import scan
    from remedis.inference import embed, fastest
    from remedis.inference.embedding_store import EmbeddingStore
    from remedis.preprocess import parse
    from remedis.zoo import resolve

    loaded = resolve.load_backbone(str(options.folder / SAVED_MODELS[HUB]), 0)
    compute = fastest.fastest(embed.pooled(loaded.backbone, "embedding"))
    shape = (options.batch, options.size, options.size, 3)
    batch = tf.random.stateless_uniform(shape, [0, 0])
    operations = parse(f"resize({options.size})", deterministic=True)
    images = input_pipeline.manifest(options.folder / "images/224-jpeg").subset(
        np.arange(640) < 128
    )

    def work() -> int:
        if peer:
            compute(batch).numpy()
            return options.batch
        with tempfile.TemporaryDirectory() as folder:
            hashes = scan.scan(images)["sha256"]
            store = EmbeddingStore(folder)
            store.embeddings(compute, "key", images, hashes, operations, options.batch)
        return len(images)

    return work


def scanning(peer: bool, options: argparse.Namespace) -> Work:
    """Returns the scan of a folder of images, or a loop of Pillow that reads and hashes them."""
    import hashlib

    import input_pipeline
    from PIL import Image

    from remedis.data.checks import scan

    folder = options.folder / "images/224-jpeg"
    images = input_pipeline.manifest(folder)

    def work() -> int:
        if not peer:
            return len(scan.scan(images))
        for path in sorted(folder.iterdir()):
            hashlib.sha256(path.read_bytes()).hexdigest()
            with Image.open(path) as image:
                pixels = np.asarray(image)
            np.histogram(pixels, 256)
        return len(images)

    return work


def memory(options: argparse.Namespace) -> None:
    """Takes one training step with gradient checkpointing, from the start of this process."""
    import memory as one_step

    options.precision = "float32"
    one_step.measure(options, gradient_checkpointing=True)


def probe(peer: bool, options: argparse.Namespace) -> Work:
    """Returns a linear probe of 1,000 embeddings by this project, or by scikit-learn."""
    import probe_speed

    features, labels = probe_speed.case(1000, 2048)

    def work() -> int:
        if peer:
            probe_speed.theirs(features, labels)
        else:
            probe_speed.linear_probe(features, labels, penalties=(probe_speed.PENALTY,))
        return 1

    return work


def bootstrap(peer: bool, options: argparse.Namespace) -> Work:
    """Returns all metrics of resamples of ChestX-ray14's test split, here or in a plain loop."""
    import metrics

    labels, scores, patients, names = metrics.made_up(25_596, 14, 2_797)
    chosen = metrics.thresholds.choose(labels, scores, names)

    def work() -> int:
        if peer:
            metrics.loop(labels, scores, patients, list(chosen.arrays().values()), 1)
            return 1
        resamples = 1000
        metrics.evaluate(labels, scores, names, patients, thresholds=chosen, resamples=resamples)
        return resamples

    return work


def start(engine: str, options: argparse.Namespace) -> None:
    """Embeds one image, from the start of this process."""
    shape = (1, options.size, options.size, 3)
    embedder(engine, options.folder, shape)(np.zeros(shape, np.float32))


def main() -> None:
    """Does the work."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "work", help="make, start:ENGINE, an engine, pipeline:RECIPE, or another; see bench.py"
    )
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--architecture", default="50x1")
    parser.add_argument("--size", type=int, default=224, help="pixels")
    parser.add_argument("--batch", type=int, default=8, help="images")
    options = parser.parse_args()
    name, _, more = options.work.partition(":")
    if name == "make":
        make(options)
    elif name == "start":
        start(more, options)
    elif name == "pipeline":
        take_turns(pipeline(more, options))
    elif name == "memory":
        memory(options)
    elif name in (both := {f.__name__: f for f in (embedding, scanning, probe, bootstrap)}):
        take_turns(both[name](more == "peer", options))
    elif name in (HUB, *EXPORTS):
        take_turns(network(name, options))
    else:
        works = {f.__name__: f for f in (attainable, pooled, training, simclr)}
        take_turns(works[name](options))


if __name__ == "__main__":
    main()
