"""Rows, duplicates, speed and memory of an archive that Apache Beam embeds.

    python benchmarks/embed_archive.py [--images=100000 --workers=2 --minutes=20 --folder=DIR]

Writes an archive of grey PNG files of 32 x 32 pixels, embeds it by `remedis embed --runner=
DirectRunner` with a small network of random weights, and measures the memory of the command and of
its workers together every few seconds (the sum of PSS, which counts shared pages once; Linux only).
The command is killed after `--minutes`; what it has finished by then is counted. `--folder` keeps
archive and embeddings, so that a second call goes on.

Flat memory is a growth of about 0 from the first to the last quarter of the rows.
"""

import argparse
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import zlib

import numpy as np
import pandas as pd
import pyarrow.parquet

CHECKPOINT, SIZE = "scratch:1-1-1-1x0.5", 32
PER_FOLDER = 1000
PER_FILE = 512
_SECONDS_BETWEEN = 5.0


def png(pixels: np.ndarray) -> bytes:
    """Returns a grey image, [H, W] uint8, as the bytes of a PNG file."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content).to_bytes(4, "big")
        return len(content).to_bytes(4, "big") + kind + content + check

    height, width = pixels.shape
    rows = np.pad(pixels, ((0, 0), (1, 0)))  # filter 0 before each row
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows.tobytes(), 1))
    return b"\x89PNG\r\n\x1a\n" + content + chunk(b"IEND", b"")


def write(root: pathlib.Path, images: int) -> None:
    """Writes an archive of different images, unless they are there."""
    for first in range(0, images, PER_FOLDER):
        folder = root / f"{first // PER_FOLDER:05}"
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(first, min(first + PER_FOLDER, images)):
            path = folder / f"{number:08}.png"
            if not path.exists():
                pixels = np.random.default_rng(number).integers(0, 256, (SIZE, SIZE), np.uint8)
                path.write_bytes(png(pixels))


def megabytes(session: int) -> float:
    """Returns the memory of all processes of a session, PSS in MB."""
    total = 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.getsid(int(name)) == session:
                lines = pathlib.Path(f"/proc/{name}/smaps_rollup").read_text().splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except (OSError, ValueError):  # it has ended
            continue
    return total / 1024


def finished(rows: pathlib.Path) -> list[pathlib.Path]:
    """Returns the files of rows that are finished."""
    return sorted(rows.glob("[!.]*.parquet"))


def measure(folder: pathlib.Path, options: argparse.Namespace) -> pd.DataFrame:
    """Runs the command; returns seconds, finished images and memory over time."""
    out, rows = folder / "embedded", folder / "embedded" / "rows"
    command = [sys.executable, "-m", "remedis.cli", "embed", CHECKPOINT, str(folder / "archive")]
    command += [f"--preprocess=resize({SIZE})", f"--out={out}", f"--images-per-file={PER_FILE}"]
    command += ["--batch-size=128", "--runner=DirectRunner", "--"]
    command += [f"--direct_num_workers={options.workers}"]
    if options.workers > 1:
        command += ["--direct_running_mode=multi_processing"]
    samples: list[tuple[float, int, float]] = []
    start = time.monotonic()
    running = subprocess.Popen(command, start_new_session=True)
    try:
        while running.poll() is None and time.monotonic() - start < 60 * options.minutes:
            time.sleep(_SECONDS_BETWEEN)
            images = min(len(finished(rows)) * PER_FILE, options.images)
            samples.append((time.monotonic() - start, images, megabytes(running.pid)))
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
            print(f"stopped after {options.minutes:g} minutes")
        running.wait()
    return pd.DataFrame(samples, columns=["seconds", "images", "megabytes"])


def main() -> None:
    """Writes the archive, embeds it and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--folder", type=pathlib.Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or pathlib.Path(temporary)
        write(folder / "archive", options.images)
        samples = measure(folder, options)
        files = finished(folder / "embedded" / "rows")
        paths = pd.concat(
            [pyarrow.parquet.read_table(file, columns=["path"]).to_pandas() for file in files]
        )["path"]
    # Without the start, in which Beam and TensorFlow load, and the end, in which workers leave.
    working = samples[(samples["images"] > 0) & (samples["images"] < samples["images"].max())]
    print(
        f"images {options.images:,}, rows {len(paths):,}, twice {int(paths.duplicated().sum()):,}"
    )
    if len(working) < 4:
        print("too short for figures of speed and memory")
        return
    first, last = working.iloc[0], working.iloc[-1]
    speed = (last["images"] - first["images"]) / (last["seconds"] - first["seconds"])
    print(f"{speed:.0f} images per second with {options.workers} workers")
    for rows in np.array_split(np.arange(len(working)), 4):
        part = working.iloc[rows]
        print(
            f"{part['images'].iloc[0]:>9,.0f} to {part['images'].iloc[-1]:>9,.0f} images: "
            f"{part['megabytes'].median():,.0f} MB, at most {part['megabytes'].max():,.0f} MB"
        )


if __name__ == "__main__":
    main()
