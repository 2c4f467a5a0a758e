"""Locks of the processes that share a study: one per shard, or one on the whole study.

Shards of the same count divide the cells among them. Shards of another count, or the whole study,
would compute some cells twice in one directory. Merging has a lock of its own: it computes no cell,
so that shards may run meanwhile.
"""

import contextlib
import hashlib
import json
import pathlib
import re
import time
from collections.abc import Iterator
from typing import Any

from remedis import files, locks
from remedis.errors import UserError, counted
from remedis.label_budget.settings import Shard
from remedis.options import spelled_argument
from remedis.training.run_directory import MAY_CHANGE


@contextlib.contextmanager
def held(workdir: files.Path, shard: Shard | None, config: dict[str, Any]) -> Iterator[None]:
    """Holds the lock of a shard in the block.

    Args:
      workdir: the study's directory.
      shard: of this process; None for the whole study.
      config: as plain values. Shards that run at the same time need the same config, except keys
        that change no numbers, since budgets and seeds decide which cells a shard has.

    Raises:
      UserError: another process runs this shard, or one that may not run at the same time.
    """
    own = shard or Shard()
    what = spelled_argument("workdir", workdir)
    named = what if own.count == 1 else f"{what}, {_name(own)},"
    digest = _digest(config)
    with locks.held(_file(workdir, own), named, digest):
        running = others(workdir)
        hindering = [each for each in running if each.count != own.count]
        if hindering:
            first, more = hindering[0], len(hindering) - 1
            holders = f"{_name(first)} ({running[first]})" + (f" and {more:,} more" if more else "")
            raise UserError(
                f"{what} is in use by {holders}, with {_finished(workdir)} so far: wait until "
                "they end, or stop them, and start again."
            )
        for each, holder in running.items():
            if holder.subject != digest:
                raise _other_config(what, each, holder)
        yield


@contextlib.contextmanager
def merging(workdir: files.Path, config: dict[str, Any]) -> Iterator[None]:
    """Holds the lock of the process that merges in the block; others may compute cells meanwhile.

    Args:
      workdir: the study's directory.
      config: as for `held`; processes that compute cells need the same one.

    Raises:
      UserError: another process merges, or one computes cells of another config.
    """
    what = spelled_argument("workdir", workdir)
    digest = _digest(config)
    with locks.held(_merge_file(workdir), f"{what}, its merge,"):
        for each, holder in others(workdir).items():
            if holder.subject != digest:
                raise _other_config(what, each, holder)
        yield


@contextlib.contextmanager
def merging_at_the_end(workdir: files.Path) -> Iterator[None]:
    """Holds the lock of `merging` after the last cell; waits for a process that merges."""
    file = _merge_file(workdir)
    while (holder := locks.holder(file)) is not None and not holder.is_this_process():
        time.sleep(1)
    with locks.held(file, f"{spelled_argument('workdir', workdir)}, its merge,"):
        yield


def others(workdir: files.Path) -> dict[Shard, locks.Holder]:
    """Returns the other processes that run a study, by their shards."""
    found = {}
    paths = [locks.file_in(workdir), *sorted(pathlib.Path(workdir).glob(".shard-*of*.lock"))]
    for path in paths:
        numbers = re.fullmatch(r"\.shard-(\d+)of(\d+)\.lock", path.name)
        holder = locks.holder(path)
        if holder is not None and not holder.is_this_process():
            found[Shard(int(numbers[1]), int(numbers[2])) if numbers else Shard()] = holder
    return found


def _other_config(what: str, shard: Shard, holder: locks.Holder) -> UserError:
    return UserError(
        f"{what} is in use by {_name(shard)} ({holder}) with another config; processes that share "
        "a study need the same one."
    )


def _merge_file(workdir: files.Path) -> pathlib.Path:
    return pathlib.Path(workdir) / ".merge.lock"


def _file(workdir: files.Path, shard: Shard) -> pathlib.Path:
    if shard.count == 1:
        return locks.file_in(workdir)
    return pathlib.Path(workdir) / f".shard-{shard.number}of{shard.count}.lock"


def _name(shard: Shard) -> str:
    return "the whole study" if shard.count == 1 else f"shard {shard.number}/{shard.count}"


def _digest(config: dict[str, Any]) -> str:
    """Returns a SHA-256 of a config without the keys that change no numbers."""

    def kept(values: dict[str, Any]) -> dict[str, Any]:
        return {
            key: kept(value) if isinstance(value, dict) else value
            for key, value in values.items()
            if key not in MAY_CHANGE
        }

    text = json.dumps(kept(config), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _finished(workdir: files.Path) -> str:
    folders = [pathlib.Path(workdir), *pathlib.Path(workdir).glob("ood/*")]
    cells = sum(len(list(folder.glob("cells/[!.]*.npz"))) for folder in folders)
    return f"{counted(cells, 'cell')} finished"
