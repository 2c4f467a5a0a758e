"""MoCo-v2: identify the other view of an image among a long queue of earlier images.

Chen et al. 2020, "Improved Baselines with Momentum Contrastive Learning", arXiv 2003.04297. A
teacher, a moving average of the network, sees the other view, so that keys of different steps in
the queue are consistent. Negatives come from the queue alone, so that small batches suffice.
"""

import math
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from remedis.errors import UserError
from remedis.pretraining import method_checks
from remedis.pretraining.methods.method import Outcome, normalised
from remedis.pretraining.methods.projection import BIAS, Projection

QUEUE = "queue"  # the name of the variable


def info_nce(
    queries: tf.Tensor, keys: tf.Tensor, queue: tf.Tensor, temperature: float
) -> tf.Tensor:
    """Returns the mean cross-entropy of identifying each query's key among the key and the queue.

    -log(exp(q k / T) / (exp(q k / T) + sum over the queue of exp(q k' / T))), with queries and keys
    scaled to length 1; no gradient reaches keys and queue. Equation 1 of the paper.

    Args:
      queries: [N, D], rows of any length.
      keys: [N, D], rows of any length; row i forms a positive pair with row i of `queries`.
      queue: [K, D], negatives, rows of length 1.
      temperature: T, above 0.

    Returns:
      Scalar float32, at least 0; log(1 + K) if all rows are equal.
    """
    queries, keys = normalised(queries), tf.stop_gradient(normalised(keys))
    positives = tf.reduce_sum(queries * keys, 1, keepdims=True)
    negatives = tf.matmul(queries, tf.stop_gradient(queue), transpose_b=True)
    logits = tf.concat([positives, negatives], 1) / temperature
    first = tf.zeros(tf.shape(logits)[:1], tf.int32)
    return tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=first, logits=logits)
    )


class MoCo:
    """InfoNCE against a queue, with a teacher; MoCo-v2's head and settings.

    The head is two dense layers with biases and a ReLU between them, without batch norm. The
    student projects the first view, the teacher the second one. The queue holds the teacher's
    latest projections, newest first; it begins with random directions.
    """

    name = "moco"
    student_views: tuple[int, ...] = (0,)
    teacher_views: tuple[int, ...] = (1,)
    partners = False

    def __init__(
        self,
        channels: int,
        seed: int,
        *,
        temperature: float = 0.2,
        queue: int = 65_536,
        momentum: float = 0.999,
        widths: Sequence[int] | None = None,
    ) -> None:
        """Makes the head, its copy and the queue.

        Args:
          channels: number of channels of the features.
          seed: of the head's initial weights and the queue's initial rows.
          temperature: divisor of the similarities, above 0; 0.2 in the paper.
          queue: number of projections in the queue; need not be a multiple of the batch size.
          momentum: of the teacher, in [0, 1): the weight of the old average in each step.
          widths: output channels of each layer; (channels, 128) in the paper.

        Raises:
          UserError: a value is out of its range.
        """
        self.temperature = method_checks.positive("temperature", temperature)
        self.momentum = method_checks.not_negative("momentum", momentum, below=1.0)
        rows = method_checks.whole("queue", queue)
        head = method_checks.widths(widths, (channels, 128))

        def projection() -> Projection:
            return Projection(channels, head, seed, hidden_norm=False, last=BIAS)

        self.projection = projection()
        # From the same seed: the teacher begins as a copy of the student.
        with keras.name_scope("teacher"):
            self.teacher_projection: keras.layers.Layer | None = projection()
        self.teacher_projection.trainable = False
        directions = np.random.default_rng(seed).standard_normal((rows, head[-1]), np.float32)
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        self.queue = keras.Variable(
            directions,
            trainable=False,
            name=QUEUE,
            # Every replica gathers the keys of all replicas, so that all queues are equal.
            aggregation="only_first_replica",
        )

    def check_batch(self, batch_size: int) -> None:
        """Raises a UserError if a batch is too small, or larger than the queue."""
        method_checks.batch(self.name, batch_size, method_checks.FEWEST)
        if batch_size > (rows := self.queue.shape[0]):
            raise UserError(
                f"config.method_options.queue is {rows}, but config.batch_size is {batch_size}; "
                "the queue has to hold at least one batch: expected many."
            )

    def constant_loss(self, batch_size: int) -> float:
        """Returns log(1 + K), whatever the batch size."""
        return math.log(1 + self.queue.shape[0])

    def trained(self) -> dict[str, keras.Variable]:
        """Returns the head's weights by name."""
        return {variable.path: variable for variable in self.projection.trainable_variables}

    def statistics(self) -> dict[str, keras.Variable]:
        """Returns the queue and the teacher's head by name."""
        teacher = {copy.path: copy for _, copy in self.averaged()}
        return {QUEUE: self.queue, **teacher}

    def averaged(self) -> list[tuple[keras.Variable, keras.Variable]]:
        """Returns pairs of a weight of the student's head and its copy in the teacher's."""
        assert self.teacher_projection is not None
        return list(zip(self.projection.weights, self.teacher_projection.weights, strict=True))

    def __call__(self, student: tf.Tensor, teacher: tf.Tensor | None = None) -> Outcome:
        """Returns the loss of features [N, 1, C] of student and teacher, and the new queue."""
        assert teacher is not None
        assert self.teacher_projection is not None
        queries = normalised(self.projection(student[:, 0], training=True))
        keys = normalised(self.teacher_projection(teacher[:, 0], training=True))
        queue = tf.convert_to_tensor(self.queue)
        loss = info_nce(queries, keys, queue, self.temperature)
        return Outcome(loss, queries, keys, {QUEUE: enqueued(queue, keys)})


def enqueued(queue: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
    """Returns the queue [K, D] with keys [N, D] at its head and without its last N rows; N <= K."""
    rows = tf.shape(queue)[0]
    return tf.ensure_shape(tf.concat([tf.stop_gradient(keys), queue], 0)[:rows], queue.shape)
