"""The directory of a run: its config, its environment and its metrics."""

import json
import os
import pathlib
import platform
import subprocess
from collections.abc import Iterable, Sequence
from importlib import metadata
from typing import Annotated, Any, cast

from typing_extensions import TypedDict

from remedis import files, invocation, json_records
from remedis.errors import Damaged, UserError, shortened, some
from remedis.json_records import Count, Expect, Line, Name, Object, Real
from remedis.options import ADDED_KEYS, RENAMED_KEYS, spelled_argument

# Keys that change the memory or time of a run, and its numbers by no more than rounding.
MAY_CHANGE = ("cache_gb", "gradient_checkpointing", "distribution", "embeddings_dir")
PACKAGES = ("remedis", "tensorflow", "keras", "numpy", "pandas", "scipy")


ADVICE = "remove the directory and run the same command again, or name another directory"


class ConfigRecord(TypedDict, total=False):
    """`config.json` of every kind of job: the keys that other code than the job's own reads."""

    labels: list[Line] | None
    checkpoint: Line | None
    data: Line | None
    data_dir: Line | None
    rehearsal: Line | None
    steps: Count | None
    source: Line
    uncertain: Line
    unmentioned: Line
    unlabelled: Line
    eval_uncertain: Line
    eval_unmentioned: Line
    eval_unlabelled: Line


class EnvironmentRecord(TypedDict, total=False):
    """`environment.json`.

    Attributes:
      command: the command line, with full paths.
      directory: in which it was called.
      python: its version.
      platform: the operating system.
      processors: their number.
      versions: package -> version. None if it is not installed.
      git_commit: of the code that ran, with `+changes` if files differ from it. None outside of a
        repository.
      checkpoint: provenance of the weights that the training started from; of a study, one per arm.
      damaged_checkpoints: sentences on checkpoints of this run that could not be read, and were
        replaced by the one before. Absent if there are none.
    """

    command: str
    directory: str
    python: Line
    platform: Line
    processors: Count | None
    versions: dict[Name, Line | None]
    git_commit: Line | None
    checkpoint: Object
    damaged_checkpoints: list[Line]


# A row of `metrics.jsonl`.
MetricsRow = Annotated[
    dict[Name, Real | None],
    Expect("a whole number of steps", lambda of: type(of.get("step")) is int and of["step"] >= 0),
]
InputsRecord = dict[Name, Line]


class RunDirectory:
    """Files of one run under one directory.

    A run that is started again with the same config resumes. Another config is refused, so that no
    directory holds the results of two runs. Before the first checkpoint there is nothing to resume:
    a corrected config starts over in the same directory.

    The first of several workers writes into the directory itself. Every other worker writes into
    a scratch directory inside it, so the writing code is the same in all workers.

    Attributes:
      path: the directory this process writes to.
      shared: the directory that all workers read from.
    """

    def __init__(self, path: files.Path, config: dict[str, Any], worker: int = 0) -> None:
        """Makes the directory, or checks that it belongs to a run of this config.

        Args:
          path: the directory.
          config: of the run, as plain values.
          worker: number of this process among several.

        Raises:
          UserError: it is not UTF-8, cannot be written to, or belongs to another run.
        """
        files.refuse_undecodable(path)
        self.path = self.shared = pathlib.Path(path)
        if worker:
            self.path = self.shared / f".worker-{worker}"
            self.path.mkdir(parents=True, exist_ok=True)
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            existing = self / "config.json"
            if os.path.lexists(existing) and self._has_begun():
                before = read_config(existing)
                if _differs(before, config, self.path):
                    files.write_json(existing, _without(config, _later(before)))
                return
            # A kill may leave a file that was being written; those begin with a dot.
            if not os.path.lexists(existing) and any(
                not p.name.startswith(".") for p in self.path.iterdir()
            ):
                raise UserError(
                    f"{spelled_argument('workdir', self.path)} holds files but no config.json, so "
                    "it is not a run; name a new or empty directory."
                )
            (self / "bad_images.csv").unlink(missing_ok=True)  # it may be of other data
            files.write_json(existing, config)
        except OSError as error:
            directory = spelled_argument("workdir", self.path)
            raise UserError(f"{directory} cannot be written to: {error}.") from error

    def __truediv__(self, name: str) -> pathlib.Path:
        return self.path / name

    def _has_begun(self) -> bool:
        """Returns whether the directory has results or checkpoints."""
        return os.path.lexists(self / "results.json") or any(
            self.path.glob("checkpoints/last/ckpt-*")
        )

    def later_keys(self) -> frozenset[str]:
        """Returns the config's keys that were added after this run began; empty for a new run."""
        file = self.shared / "config.json"
        return _later(read_config(file)) if os.path.lexists(file) else frozenset()

    def pin(self, inputs: dict[str, str]) -> None:
        """Writes digests of the run's inputs to `inputs.json`, or checks that they are the same.

        Args:
          inputs: digests by name, such as that of the data.

        Raises:
          UserError: training began with other inputs.
        """
        file = self / "inputs.json"
        if os.path.lexists(file) and self._has_begun():
            before = self.inputs()
            if changed := [name for name in inputs if inputs[name] != before.get(name)]:
                raise UserError(
                    f"{spelled_argument('workdir', self.path)} holds a run that began with other "
                    f"{changed[0]}: to resume would mix the two, and training images might be "
                    "tested on; bring the old ones back, or name another directory."
                )
            return
        files.write_json(file, inputs)

    def inputs(self) -> dict[str, str]:
        """Returns the digests that `pin` wrote.

        Raises:
          UserError: the file is damaged.
        """
        return json_records.read(self / "inputs.json", InputsRecord, ADVICE)

    def write_environment(self, provenance: dict[str, Any]) -> None:
        """Writes `environment.json`: versions, command, commit, and the weights' provenance.

        The damage that earlier processes recorded stays.
        """
        damaged = self._environment().get("damaged_checkpoints")
        files.write_json(
            self / "environment.json",
            {
                "command": invocation.command(),
                "directory": os.getcwd(),
                "python": platform.python_version(),
                "platform": platform.platform(),
                "processors": os.cpu_count(),
                "versions": {name: _version(name) for name in PACKAGES},
                "git_commit": _git_commit(),
                "checkpoint": provenance,
                **({"damaged_checkpoints": damaged} if damaged else {}),
            },
        )

    def record_damage(self, sentences: Sequence[str]) -> None:
        """Adds sentences about damaged checkpoints to `environment.json`."""
        if sentences:
            environment = self._environment()
            earlier = environment.get("damaged_checkpoints", [])
            environment["damaged_checkpoints"] = [*earlier, *sentences]
            files.write_json(self / "environment.json", environment)

    def _environment(self) -> EnvironmentRecord:
        """Returns the content of `environment.json`; empty before it is written, or if damaged."""
        file = self / "environment.json"
        if not os.path.lexists(file):
            return {}
        try:
            return json_records.read(file, EnvironmentRecord, "")
        except Damaged:
            return {}  # it is written at every start

    def read_metrics(self) -> list[dict[str, Any]]:
        """Returns the rows of `metrics.jsonl`, without lines that cannot be read."""
        return read_metrics(self.path)

    def rewrite_metrics(self, rows: Iterable[dict[str, Any]]) -> None:
        """Replaces `metrics.jsonl`, e.g. by the rows up to the checkpoint to resume from."""
        files.write_text(self / "metrics.jsonl", "".join(json.dumps(r) + "\n" for r in rows))

    def append_metrics(self, row: dict[str, Any]) -> None:
        """Appends one row to `metrics.jsonl`.

        Raises:
          OSError: the file cannot be written, or is a symbolic link.
        """

        def opener(path: str, flags: int) -> int:
            return os.open(path, flags | os.O_NOFOLLOW, 0o666)

        with open(self / "metrics.jsonl", "a", encoding="utf-8", opener=opener) as file:
            file.write(json.dumps(row) + "\n")


def read_config(file: files.Path) -> dict[str, Any]:
    """Returns the content of a `config.json`.

    Raises:
      UserError: the file is damaged.
    """
    return dict(json_records.read(file, ConfigRecord, ADVICE))


def read_metrics(folder: files.Path) -> list[dict[str, Any]]:
    """Returns the rows of the `metrics.jsonl` in a directory, without those that are damaged."""
    return json_records.lines(pathlib.Path(folder, "metrics.jsonl"), cast(type[Object], MetricsRow))


def read_environment(folder: files.Path) -> EnvironmentRecord:
    """Returns the `environment.json` in a directory; nothing without one.

    Raises:
      UserError: the file is damaged.
    """
    file = pathlib.Path(folder, "environment.json")
    if not os.path.lexists(file):
        return {}
    return json_records.read(file, EnvironmentRecord, "remove it and run the same command again")


def _differs(old: dict[str, Any], new: dict[str, Any], path: pathlib.Path) -> bool:
    """Returns whether two configs differ; refuses differences that change numbers."""
    new = json_records.plain(new)  # tuples become lists, as in the file
    before, now = _flat(old), _flat(_without(new, _later(old)))
    different = sorted(
        key
        for key in before | now
        if before.get(key, _absent(now.get(key))) != now.get(key)
        and key.rpartition(".")[2] not in MAY_CHANGE
    )
    if different:
        key = different[0]
        raise UserError(
            f"{spelled_argument('workdir', path)} holds a run with another config: "
            f"{some(different, limit=20)} differ ({key} was {shortened(repr(before.get(key)))}, is "
            f"{shortened(repr(now.get(key)))}); name another directory."
        )
    return before != now


def _absent(value: Any) -> Any:
    """Returns the value of a key that a config lacks: an empty text says as much as no key."""
    return "" if value == "" else None


def _later(config: dict[str, Any]) -> frozenset[str]:
    """Returns the added keys that a config has on no level."""
    names = {key.rpartition(".")[2] for key in _flat(config)}
    return frozenset(key for key in ADDED_KEYS if key not in names)


def _without(config: dict[str, Any], keys: frozenset[str]) -> dict[str, Any]:
    """Returns a config without some keys, on every level."""
    return {
        key: _without(value, keys) if isinstance(value, dict) else value
        for key, value in config.items()
        if key not in keys
    }


def _flat(config: dict[str, Any], within: str = "") -> dict[str, Any]:
    """Returns a config without nesting, with keys such as `splits.train`."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        name = within + RENAMED_KEYS.get(key, key)
        flat |= _flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return flat


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    """Returns the commit of the code that runs, with `+changes` if the files differ from it."""
    here = pathlib.Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None
