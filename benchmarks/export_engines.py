"""Sizes, differences from the source and speed of every format of `remedis export`.

    python benchmarks/export_engines.py --out=docs/how-to/export.md [--quick] [--rounds=5]

Two models are exported: a 50x1 backbone with random weights, and a classifier on such a backbone,
whose head was fine-tuned on made-up radiographs. The speed does not depend on the weights;
differences from the source may be others with trained weights. Every engine computes the same
batches in turn, A B C A B C, so that other work on the machine touches all alike. Printed is, per
engine, the fastest of its rounds in images per second, and the processor seconds per image, which
other work disturbs less. `--out` writes the table into the section `engines` of the document.
`--quick` takes a tiny network, for a test of the benchmark.

Formats without an engine of their own are exported and compared only: `npz` holds weights, and
`mlflow` a SavedModel behind a server. Two 50x1 in all formats take 17 GB of memory.
"""

import argparse
import dataclasses
import importlib.metadata
import os
import pathlib
import platform
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
import results

from remedis import synthetic
from remedis.conversion import agreement, convert, formats, source_model
from remedis.conversion.formats import Run
from remedis.finetuning.finetune import finetune
from remedis.preprocess import parse
from remedis.zoo import checkpoint, resolve, save_backbone

ROOT = pathlib.Path(__file__).resolve().parents[1]
SOURCE = "source"
WITHOUT_ENGINE = ("npz", "mlflow")
PACKAGES = ("tensorflow", "onnxruntime", "openvino")


@dataclasses.dataclass(frozen=True)
class Size:
    """What is measured.

    Attributes:
      architecture: of the backbone.
      pixels: height and width of the images.
      batch: images per call.
    """

    architecture: str
    pixels: int
    batch: int


FULL, QUICK = Size("50x1", 224, 8), Size("1-1-1-1x0.5", 32, 2)


@dataclasses.dataclass
class Engine:
    """An engine with a model.

    Attributes:
      format: name of the format, or `SOURCE`.
      bytes: size of the file or folder.
      apart: the greatest relative difference from the source, over outputs and images.
      run: the outputs of images; None if it is not timed.
      wall: seconds of each call.
      processor: processor seconds of each call.
    """

    format: str
    bytes: int
    apart: float
    run: Run | None
    wall: list[float] = dataclasses.field(default_factory=list)
    processor: list[float] = dataclasses.field(default_factory=list)


def backbone(folder: pathlib.Path, size: Size) -> pathlib.Path:
    """Writes a backbone with random weights as `remedis build` does."""
    weights = resolve.read_weights(f"scratch:{size.architecture}", seed=0)
    return save_backbone.save(
        checkpoint.build_backbone(weights),
        name=f"cxr-{size.architecture}",
        provenance=weights.provenance,
        directory=folder,
        preprocess=parse(f"resize({size.pixels})", deterministic=True),
    )


def classifier(folder: pathlib.Path, size: Size) -> pathlib.Path:
    """Fine-tunes the head of a classifier on made-up radiographs; returns the run."""
    sys.path.append(str(ROOT))
    from configs import chexpert

    config = chexpert.get_config("head_only")
    config.data_dir = str(
        synthetic.write_chexpert(folder / "data", patients=40, valid_patients=20, image_size=64)
    )
    config.checkpoint = f"scratch:{size.architecture}"
    config.image_size = size.pixels
    config.resamples = 40
    finetune(config, folder / "run")
    return folder / "run"


def exported(model: pathlib.Path, folder: pathlib.Path, names: list[str]) -> list[Engine]:
    """Exports a model in every format; returns the engines, the source first."""
    source = source_model.load(model)
    folder_size = sum(path.stat().st_size for path in source.folder.rglob("*") if path.is_file())
    engines = [Engine(SOURCE, folder_size, 0.0, source.reference)]
    for name in names:
        chosen = formats.get(name)
        out = folder / f"{name}{chosen.suffix or '-folder'}"
        done = convert.convert(model, name, out)
        apart = max(
            found["relative"]
            for record in done.record["agreement"]
            for found in record["outputs"].values()
        )
        run = None if name in WITHOUT_ENGINE else chosen.run(out)
        engines.append(Engine(name, done.bytes, apart, run))
        print(f"{name}: {done.bytes:,} bytes, {apart:.1e} from the source", flush=True)
    return engines


def measure(engines: list[Engine], size: Size, rounds: int) -> None:
    """Times the engines in turn; the first round warms up and does not count."""
    shape = (size.batch, size.pixels, size.pixels, 3)
    images = np.random.default_rng(0).random(shape, np.float32)
    for number in range(rounds + 1):
        for engine in engines:
            if engine.run is None:
                continue
            wall, processor = time.perf_counter(), time.process_time()
            engine.run(images)
            if number:
                engine.wall.append(time.perf_counter() - wall)
                engine.processor.append(time.process_time() - processor)


def rows(title: str, engines: list[Engine], size: Size) -> list[str]:
    """Returns one row of the table per engine."""
    lines = []
    for engine in engines:
        apart = "" if engine.format == SOURCE else f"{engine.apart:.1e}"
        speed = seconds = ""
        if engine.wall:
            speed = f"{size.batch / min(engine.wall):.2f}"
            seconds = f"{min(engine.processor) / size.batch:.3f}"
        name = engine.format if engine.format == SOURCE else f"`{engine.format}`"
        lines.append(
            f"| {title} | {name} | {engine.bytes / 1e6:.1f} | {apart} | {speed} | {seconds} |"
        )
    return lines


def measured(
    make: Callable[[pathlib.Path, Size], pathlib.Path],
    root: pathlib.Path,
    names: list[str],
    size: Size,
    rounds: int,
) -> list[str]:
    """Makes a model, exports it and times the engines; returns the rows of the table."""
    folder = root / make.__name__
    folder.mkdir()
    engines = exported(make(folder / "model", size), folder, names)
    measure(engines, size, rounds)
    return rows(make.__name__, engines, size)


def report(lines: list[str], size: Size, rounds: int) -> str:
    """Returns the section of the document."""
    versions = ", ".join(f"{name} {_version(name)}" for name in PACKAGES if _version(name))
    return "\n".join(
        [
            "## Sizes, differences and speed",
            "",
            f"Written by `python benchmarks/export_engines.py --out=docs/how-to/export.md`: "
            f"{size.architecture} with random weights, batches of {size.batch} images of "
            f"{size.pixels} x {size.pixels} pixels, the fastest of {rounds} calls per engine, "
            f"engines in turn, on {_processor()} ({os.cpu_count()} threads; {versions}). The "
            "difference is the greatest of all outputs, as a share of the output's largest value, "
            f"on random pixels and {agreement.COUNT} made-up radiographs. `npz` and `mlflow` have "
            "no engine of their own.",
            "",
            "| model | format | size, MB | difference | images per second | CPU s per image |",
            "|---|---|---:|---:|---:|---:|",
            *lines,
        ]
    )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _processor() -> str:
    file = pathlib.Path("/proc/cpuinfo")
    if file.is_file():
        for line in file.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def main() -> None:
    """Measures the formats and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, help="Markdown file with the section engines")
    parser.add_argument("--quick", action="store_true", help="a tiny network, for a test")
    parser.add_argument("--rounds", type=int, default=5, help="calls of each engine; 5")
    parser.add_argument("--formats", default=",".join(formats.FORMATS), help="all if not given")
    parsed = parser.parse_args()
    size = QUICK if parsed.quick else FULL
    names = parsed.formats.split(",")
    lines = []
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(temporary)
        for make in (backbone, classifier):
            lines += measured(make, root, names, size, parsed.rounds)
    text = report(lines, size, parsed.rounds)
    print(text)
    if parsed.out:
        results.write(parsed.out, "engines", text)


if __name__ == "__main__":
    main()
