"""Peak memory and time of reading tables that are made to take all of both.

    python benchmarks/hostile_tables.py [NAME ...]

Each table is written to a temporary folder and read in a child, which prints its peak memory, that
of the interpreter and its packages before it reads (`first`), the seconds of the processor, and the
result or the first words of the error. MB are 10^6 bytes; the bytes are those of the file.

    table                       read as        bytes     MB first     s  result
    400 MB of newlines, gzip    table        388,932    399   118   1.0  FILE is too large: it ha...
    400 MB of rows, gzip        table        776,528    391   118   0.6  FILE is too large: it ha...
    100 MB of newlines          table    100,000,260    219   118   0.2  FILE has 100,000,021 lin...
    50 MB of carriage returns   table     50,000,260    169   118   0.2  FILE has 50,000,021 line...
    30 million blank rows       table     90,000,260    210   118   0.2  FILE has 30,000,021 line...
    9 million blank rows        table     27,000,260    435   118   1.3  20 rows of 3 columns
    9 million blank lines       table      9,000,032    132   118   1.0  1 rows of 3 columns
    20,000 columns              table      1,049,150    345   118   0.9  20 rows of 20,003 columns
    20,000 columns              manifest   1,049,150    484   118  10.3  1 problems
    40,000 columns              table      2,109,150    566   118   1.7  20 rows of 40,003 columns
    40,000 columns              manifest   2,109,150    829   118  20.1  1 problems
    10 million separators       table     10,000,261    236   118   0.3  20 rows of 3 columns
    a header of separators      table     10,000,241    359   118   1.2  FILE has no header; expe...
    a field of 200 MB           table    200,000,265    319   118   0.4  FILE, row 22: a line of ...
    a quote never closed        table     72,000,261    192   118   0.2  FILE cannot be read as a...
    a long word in Windows-1252 table     15,000,030    174   118   1.0  FILE cannot be read as a...
    260 MB of sound rows        table    259,494,965  1,016   118   2.4  5,000,000 rows of 3 columns
    16 million quoted fields    table     63,600,020    543   118   6.8  5,300,000 rows of 3 columns
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
        result = str(error).replace(str(path), "FILE")[:24] + "..."
    seconds = time.process_time() - start
    print(f"{peak():>6,} {before:>5} {seconds:>5.1f}  {result}", flush=True)


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
    print(f"{'table':27} {'read as':8} {'bytes':>11} {'MB':>6} {'first':>5} {'s':>5}  result")
    for name in args.names or BOMBS:
        with tempfile.TemporaryDirectory() as folder:
            contents = BOMBS[name]()
            path = pathlib.Path(folder) / ("table.csv.gz" if "gzip" in name else "table.csv")
            path.write_bytes(contents)
            size = len(contents)
            del contents
            for way in ("table", "manifest") if "columns" in name else ("table",):
                print(f"{name:27} {way:8} {size:>11,} ", end="", flush=True)
                subprocess.run([sys.executable, __file__, "--read", str(path), way], check=False)


if __name__ == "__main__":
    main()
