"""Peak memory and time of reading tables that are made to take all of both.

    python benchmarks/hostile_tables.py [NAME ...]

Each table is written to a temporary folder and read in a child, which prints its peak memory, with
that of the interpreter and its packages, the seconds, and the result or the first words of the
error. MB are 10^6 bytes; the bytes are those of the file.

    table                        read as         bytes   peak   seconds
    400 MB of newlines, gzip     table         388,932    399       1.0   refused
    20,000 columns               table       1,049,150    345       0.8
    20,000 columns               manifest    1,049,150    483      10.5
    a quote never closed         table      72,000,261    192       0.2   refused
    260 MB of sound rows         table     259,494,965    955       2.3
    9 million blank lines        table       9,000,032    133       1.0
    16 million quoted fields     table      63,600,020    543       6.7

Packages alone take 118 MB. Seconds are of the processor.
"""

import argparse
import gzip
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

HEAD = b"path,patient_id,ill\n"
BODY = b"".join(b"%d.png,p%d,%d\n" % (i, i, i % 2) for i in range(20))


def columns(count: int) -> bytes:
    """Returns a table of many columns, half of which may be labels."""
    names = b",".join([HEAD.strip(), *(b"column %d" % i for i in range(count))])
    rows = [
        b",".join([b"%d.png,p%d,%d" % (i, i, i % 2), *(b"%d" % (i * j % 2) for j in range(count))])
        for i in range(20)
    ]
    return b"\n".join([names, *rows, b""])


BOMBS: dict[str, Callable[[], bytes]] = {
    "400 MB of newlines, gzip": lambda: gzip.compress(HEAD + BODY + b"\n" * 400_000_000, 6),
    "400 MB of rows, gzip": lambda: gzip.compress(HEAD + b"a.png,p,1\n" * 40_000_000, 6),
    "100 MB of newlines": lambda: HEAD + BODY + b"\n" * 100_000_000,
    "50 MB of carriage returns": lambda: HEAD + BODY + b"\r" * 50_000_000,
    "30 million blank rows": lambda: HEAD + BODY + b",,\n" * 30_000_000,
    "9 million blank rows": lambda: HEAD + BODY + b",,\n" * 9_000_000,
    "9 million blank lines": lambda: HEAD + b'"a.png",p,1\n' + b"\n" * 9_000_000,
    "20,000 columns": lambda: columns(20_000),
    "40,000 columns": lambda: columns(40_000),
    "10 million separators": lambda: HEAD + BODY + b"," * 10_000_000 + b"\n",
    "a header of separators": lambda: b"," * 10_000_000 + b"\n" + BODY,
    "a field of 200 MB": lambda: HEAD + BODY + b"a" * 200_000_000 + b",p,1\n",
    "a quote never closed": lambda: HEAD + BODY + b'"' + BODY * 300_000,
    "a long word in Windows-1252": lambda: HEAD + b"a" * 15_000_000 + b"\xe4.png,p,1\n",
    "260 MB of sound rows": lambda: (
        HEAD + b"".join(b"%042d.png,%d,1\n" % (i, i % 99) for i in range(5_000_000))
    ),
    "16 million quoted fields": lambda: HEAD + b'"1.png",p,1\n' * 5_300_000,
}


def read(path: pathlib.Path, way: str) -> None:
    """Reads a table in this process and prints what it takes."""
    resource.setrlimit(resource.RLIMIT_AS, (6_000_000_000, 6_000_000_000))
    from remedis.data import own_table
    from remedis.data.tables import spreadsheet
    from remedis.errors import UserError

    before = peak()
    start = time.process_time()
    try:
        if way == "table":
            table = spreadsheet.read_table(path)
            result = f"{len(table):,} rows of {len(table.columns):,} columns"
        else:
            result = f"{len(own_table.read(path).problems)} problems"
    except UserError as error:
        result = str(error).replace(str(path), "FILE")[:60] + "..."
    seconds = time.process_time() - start
    print(f"{peak():>5} MB ({before} before)  {seconds:5.1f} s  {result}", flush=True)


def peak() -> int:
    """Returns the peak memory of this process in MB; that of `getrusage` includes its parent's."""
    status = pathlib.Path("/proc/self/status").read_text()
    kilobytes = int(status.partition("VmHWM:")[2].split()[0])
    return round(kilobytes * 1024 / 1e6)


def main() -> None:
    """Makes each table, and reads it in a child; see the docstring of this file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="which tables; all if none is named")
    parser.add_argument("--read", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.read:
        read(pathlib.Path(args.read[0]), args.read[1])
        return
    for name in args.names or BOMBS:
        with tempfile.TemporaryDirectory() as folder:
            contents = BOMBS[name]()
            path = pathlib.Path(folder) / ("table.csv.gz" if "gzip" in name else "table.csv")
            path.write_bytes(contents)
            size = len(contents)
            del contents
            for way in ("table", "manifest") if "columns" in name else ("table",):
                print(f"{name:28} {way:8} {size:>11,} bytes ", end="", flush=True)
                subprocess.run([sys.executable, __file__, "--read", str(path), way], check=False)


if __name__ == "__main__":
    main()
