"""Devices and processes that train together.

The batch of a step does not depend on their number: every worker reads its part of the batch
(`data.batches.pipeline.training_batches`), every replica takes its part of that, and losses and
gradients are sums divided by the weight of the whole batch. Random choices depend on seed, epoch
and image, not on the worker.
"""

import contextlib
import dataclasses
import functools
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import numpy as np
import tensorflow as tf
from typing_extensions import TypedDict

from remedis import interruption, json_records
from remedis.errors import UserError, unknown_choice
from remedis.json_records import Expect, Name

NAMES = ("none", "mirrored", "multi_worker", "tpu")

# Errors that TensorFlow raises in a worker after another one is gone.
LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)


class Task(TypedDict):
    """The place of a process."""

    type: Name
    # TensorFlow's own programs take the index as text, too.
    index: Annotated[
        int | str, Expect("a whole number", lambda of: re.fullmatch("[0-9]{1,9}", str(of)))
    ]


class TfConfig(TypedDict):
    """The environment variable of TensorFlow's programs with several workers."""

    cluster: Annotated[
        dict[Name, list[Name]], Expect("addresses of workers", lambda of: of.get("worker"))
    ]
    task: Task


class WorkerLost(UserError):
    """Another worker is gone; a new start resumes from the last checkpoint."""


@dataclasses.dataclass(frozen=True)
class Distribution:
    """The replicas of a training, and the place of this process among the workers.

    Attributes:
      strategy: TensorFlow's; variables are made under its `scope()`.
      worker: number of this process, from 0; worker 0 is the chief, which writes.
      workers: number of processes.
    """

    strategy: tf.distribute.Strategy
    worker: int = 0
    workers: int = 1

    @classmethod
    def from_name(cls, name: str) -> "Distribution":
        """Returns the distribution of a `config.distribution`; call it before TensorFlow computes.

        `multi_worker` reads the addresses and this worker's number from TF_CONFIG, as TensorFlow's
        own programs do; all workers see one run directory. `tpu` takes the TPU this machine holds.

        Raises:
          UserError: the name is unknown, or the machine or TF_CONFIG lacks what it needs.
        """
        if name not in NAMES:
            raise unknown_choice("value of config.distribution", name, NAMES)
        if name == "none":
            return cls(tf.distribute.get_strategy())
        if name == "mirrored":
            return cls(tf.distribute.MirroredStrategy())
        if name == "tpu":
            return _tpu()
        worker, workers = _place()
        try:
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
        except tf.errors.OpError as error:
            raise UserError(
                f"Worker {worker} of {workers} could not join the others of TF_CONFIG "
                f"({type(error).__name__}); start all of them, and check the addresses."
            ) from error
        interruption.handle_again()  # TensorFlow has put a handler of SIGTERM of its own there
        return cls(strategy, worker, workers)

    @property
    def chief(self) -> bool:
        """Whether this process writes the files of the run."""
        return self.worker == 0

    @property
    def replicas(self) -> int:
        """Copies of the model that train together, over all workers."""
        return int(self.strategy.num_replicas_in_sync)

    def check_batch(self, batch_size: int, micro_batches: int) -> None:
        """Raises a UserError if a batch cannot be divided among replicas and micro-batches."""
        for key, value in (("batch_size", batch_size), ("accumulate", micro_batches)):
            if value < 1:
                raise UserError(f"config.{key} is {value}; expected at least 1.")
        if batch_size % (self.replicas * micro_batches):
            many = self.replicas > 1
            raise UserError(
                f"config.batch_size is {batch_size}, which "
                f"{f'{self.replicas} replicas with ' if many else ''}"
                f"config.accumulate={micro_batches} micro-batches{' each' if many else ''} cannot "
                f"share evenly; expected a multiple of {self.replicas * micro_batches}."
            )

    def spread(self, batch: Mapping[str, tf.Tensor]) -> Any:
        """Returns a worker's part of a batch as `strategy.run` takes it: one part per replica."""
        local = self.replicas // self.workers
        if local == 1:
            return batch
        pieces = {name: tf.split(value, local) for name, value in batch.items()}

        def piece(context: tf.distribute.ReplicaContext) -> dict[str, tf.Tensor]:
            i = context.replica_id_in_sync_group % local
            return {name: values[i] for name, values in pieces.items()}

        return self.strategy.experimental_distribute_values_from_function(piece)

    def rows(self, count: int) -> np.ndarray:
        """Returns the indices of this worker's rows among `count` rows, [own] int64."""
        return np.array_split(np.arange(count), self.workers)[self.worker]

    def gathered(self, values: np.ndarray) -> np.ndarray:
        """Returns the rows of all workers in their order, [sum of rows, ...]."""
        if self.workers == 1:
            return values
        return gather(self.strategy, values, self.replicas // self.workers)

    def check_same(self, value: int, what: str) -> None:
        """Raises a UserError unless all workers have the same value."""
        values = self.gathered(np.array([value], np.int64)).tolist()
        if len(set(values)) > 1:
            raise UserError(
                f"The workers differ in the {what} ({', '.join(map(str, values))}); check that all "
                "of them read the same directory, and start them again."
            )

    def any(self, flag: bool) -> bool:
        """Returns whether the flag of any worker is true; all workers get the same answer."""
        if self.workers == 1:
            return flag
        # Traced once: `gathered` traces a function in each call, which takes as long as a step.
        flags = self._sum(tf.constant(float(flag)))
        return bool(self.strategy.experimental_local_results(flags)[0] > 0)

    @functools.cached_property
    def _sum(self) -> Callable[[tf.Tensor], Any]:
        def on_replica(value: tf.Tensor) -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(value))

        return tf.function(
            lambda value: self.strategy.run(on_replica, args=(value,)), autograph=False
        )

    def wait(self) -> None:
        """Waits until all workers have reached this point."""
        self.gathered(np.zeros(1, np.float32))

    @contextlib.contextmanager
    def chief_first(self) -> Iterator[None]:
        """Runs the block in the chief first, so that the others find its files."""
        if not self.chief:
            self.wait()
        yield
        if self.chief:
            self.wait()

    @contextlib.contextmanager
    def raising_worker_lost(self) -> Iterator[None]:
        """Turns TensorFlow's errors after the loss of another worker into a `WorkerLost`."""
        try:
            yield
        except LOST as error:
            if self.workers == 1:
                raise
            raise WorkerLost(
                f"Worker {self.worker} of {self.workers} has lost another one "
                f"({type(error).__name__}); all resume from the last checkpoint once it is started "
                "again."
            ) from error


def gather(strategy: tf.distribute.Strategy, values: np.ndarray, local: int) -> np.ndarray:
    """Returns the rows of all processes; each process has `local` replicas."""
    own = strategy.experimental_distribute_values_from_function(
        # The rows belong to the process, so only its first replica has them.
        lambda context: tf.convert_to_tensor(
            values if context.replica_id_in_sync_group % local == 0 else values[:0]
        )
    )
    return np.asarray(strategy.gather(own, axis=0))


def is_chief(name: str) -> bool:
    """Returns whether this process writes, for a value of `config.distribution`."""
    return name != "multi_worker" or _place()[0] == 0


def _tpu() -> Distribution:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu="local")
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, tf.errors.OpError) as error:
        raise UserError(
            f"config.distribution is 'tpu', and TensorFlow finds none here "
            f"({str(error).splitlines()[0]}); use none or mirrored."
        ) from error
    return Distribution(tf.distribute.TPUStrategy(resolver))


def _place() -> tuple[int, int]:
    """Returns this worker's number and the number of workers, from TF_CONFIG."""
    expected = (
        'expected text such as {"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": '
        '{"type": "worker", "index": 0}} with another index in every process'
    )
    needs = "config.distribution is 'multi_worker', which needs the environment variable TF_CONFIG"
    if "TF_CONFIG" not in os.environ:
        raise UserError(f"{needs}; {expected}.")
    fields = json_records.parse(os.environ["TF_CONFIG"], TfConfig, f"{needs}, which", expected)
    workers = len(fields["cluster"]["worker"])
    kind, index = fields["task"]["type"], int(fields["task"]["index"])
    if kind != "worker" or not 0 <= index < workers or len(fields["cluster"]) > 1:
        raise UserError(
            f"TF_CONFIG says this is {kind} {index} of {workers} workers; expected a task of type "
            f"'worker' with an index from 0 to {workers - 1}, and workers only."
        )
    return index, workers
