"""The objective of self-supervision: a method's loss on two views of every image.

The loss is that of the whole batch: every replica gathers the features of all replicas, computes
the same loss and its gradients with respect to the features, and sends the gradients of its own
images back through the backbone. With several micro-batches the features are computed first,
without keeping activations, and the backbone runs again on each micro-batch in the backward pass.
This gives the gradients of the whole batch in the memory of a micro-batch (Gao et al. 2021,
"Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup", arXiv 2101.06983). It
requires a backbone that processes every image independently, as those with group norm do.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from remedis.models.bit import BiTResNet
from remedis.pretraining import monitoring
from remedis.pretraining.methods.method import Method
from remedis.training.objective import Batch, Gradients, divide


class Contrastive:
    """The objective of a method (see `remedis.training.objective.Objective`).

    Batches have `image` [n, 2, H, W, 3], two views of each.

    Attributes:
      backbone: the trained backbone, with its final norm.
      method: the method, with its projection head.
      teacher: a backbone of the same architecture whose weights are averages of the trained one's;
        None for methods without a teacher.
    """

    def __init__(
        self, backbone: BiTResNet, method: Method, teacher: BiTResNet | None = None
    ) -> None:
        self.backbone, self.method, self.teacher = backbone, method, teacher

    def gradients(
        self,
        batch: Batch,
        step: tf.Tensor,
        variables: Sequence[tf.Variable],
        micro_batches: int,
        scale: tf.Tensor,
    ) -> Gradients:
        """Returns a replica's share of loss and gradients."""
        del step  # the pipeline draws the views; nothing is random here
        images = batch["image"]
        backbone_ids = {id(variable.value) for variable in self.backbone.variables}
        of_backbone = [variable for variable in variables if id(variable) in backbone_ids]
        of_head = [variable for variable in variables if id(variable) not in backbone_ids]
        views = tf.gather(images, self.method.student_views, axis=1)
        with tf.GradientTape() as backbone_tape:
            if micro_batches == 1:
                local = features(self.backbone, views)
        if micro_batches > 1:
            local = _by_micro_batch(self.backbone, views, micro_batches)
        student, context = _gathered(local), tf.distribute.get_replica_context()
        teacher = None
        if self.teacher is not None:
            teacher_views = tf.gather(images, self.method.teacher_views, axis=1)
            teacher = _gathered(_by_micro_batch(self.teacher, teacher_views, micro_batches))
        with tf.GradientTape() as tape:
            tape.watch(student)
            outcome = self.method(student, teacher)
            scaled = outcome.loss * scale
        none = tf.UnconnectedGradients.ZERO
        upstream, *head = tape.gradient(scaled, [student, *of_head], unconnected_gradients=none)
        count = tf.shape(local)[0]
        first = context.replica_id_in_sync_group * count
        upstream = upstream[first : first + count]
        if micro_batches == 1:
            backbone = backbone_tape.gradient(
                local, of_backbone, upstream, unconnected_gradients=none
            )
        else:
            backbone = self._backward(views, upstream, of_backbone, micro_batches)
        # Every replica has the loss of the whole batch, so each counts its share of it.
        replicas = tf.cast(context.num_replicas_in_sync, tf.float32)
        by_variable = {id(v): g for v, g in zip(of_backbone, backbone, strict=True)}
        by_variable |= {id(v): g / replicas for v, g in zip(of_head, head, strict=True)}
        return Gradients(
            outcome.loss / replicas,
            1 / replicas,
            [by_variable[id(variable)] for variable in variables],
            monitoring.monitored(outcome, student[:, 0]),
            outcome.state,
        )

    def finish(self, gradients: Gradients) -> None:
        """Updates the teacher's averages and the method's statistics."""
        momentum = self.method.momentum
        for variable, average in self._averaged():
            _assign(average.value, average.value * momentum + variable.value * (1 - momentum))
        statistics = self.method.statistics()
        for name, value in gradients.state.items():
            _assign(statistics[name].value, value)

    def _averaged(self) -> list[tuple[Any, Any]]:
        """Returns the pairs of a trained variable and its average."""
        pairs = self.method.averaged()
        if self.teacher is not None:
            names = self.teacher.named_variables()
            pairs = pairs + [(v, names[n]) for n, v in self.backbone.named_variables().items()]
        return pairs

    def _backward(
        self,
        images: tf.Tensor,
        upstream: tf.Tensor,
        variables: Sequence[tf.Variable],
        micro_batches: int,
    ) -> list[tf.Tensor]:
        """Returns the gradients of the loss with respect to the backbone's variables.

        Args:
          images: [n, V, H, W, 3].
          upstream: [n, V, C], gradients of the loss with respect to the features of `images`.
          variables: of the backbone.
          micro_batches: to process one after the other; a divisor of n.
        """
        pieces = divide({"images": images, "upstream": upstream}, micro_batches)

        def body(i: tf.Tensor, sums: list[tf.Tensor]) -> tuple[Any, ...]:
            with tf.GradientTape() as tape:
                local = features(self.backbone, pieces["images"][i])
            gradients = tape.gradient(
                local,
                variables,
                pieces["upstream"][i],
                unconnected_gradients=tf.UnconnectedGradients.ZERO,
            )
            return i + 1, [a + b for a, b in zip(sums, gradients, strict=True)]

        start = (0, [tf.zeros_like(variable) for variable in variables])
        # One at a time: side by side they would need the memory of all.
        _, sums = tf.while_loop(lambda i, _: i < micro_batches, body, start, parallel_iterations=1)
        return list(sums)


def features(backbone: BiTResNet, images: tf.Tensor, training: bool = True) -> tf.Tensor:
    """Returns the input of a head: the normalised and rectified map, averaged over space.

    Args:
      backbone: with its final norm.
      images: [..., H, W, 3] float32 in [0, 1].
      training: whether to compute in the precision of training.

    Returns:
      [..., C] float32.
    """
    shape = tf.shape(images)
    leading = shape[:-3]
    flat = tf.reshape(images, tf.concat([[-1], shape[-3:]], 0))
    flat.set_shape([None, *images.shape[-3:]])
    unpooled = backbone(flat, training=training)
    assert backbone.norm is not None
    pooled = tf.reduce_mean(tf.cast(backbone.norm(unpooled), tf.float32), [1, 2])
    channels = backbone.map_channels
    unflattened = tf.reshape(pooled, tf.concat([leading, [channels]], 0))
    return tf.ensure_shape(unflattened, [*images.shape[:-3], channels])


def _by_micro_batch(backbone: BiTResNet, images: tf.Tensor, micro_batches: int) -> tf.Tensor:
    """Returns features [n, V, C] of images [n, V, H, W, 3], one micro-batch after the other."""
    if micro_batches == 1:
        return features(backbone, images)
    pieces = divide({"images": images}, micro_batches)["images"]
    by_piece = tf.map_fn(
        lambda piece: features(backbone, piece),
        pieces,
        parallel_iterations=1,
        fn_output_signature=tf.TensorSpec([None, images.shape[1], backbone.map_channels]),
    )
    return tf.reshape(by_piece, [-1, *by_piece.shape[2:]])


def _gathered(local: tf.Tensor) -> tf.Tensor:
    """Returns the features of all replicas, [N, V, C], in their order; no gradient goes through."""
    context = tf.distribute.get_replica_context()
    local = tf.stop_gradient(local)
    if context.num_replicas_in_sync == 1:
        return local
    # Gathering between processes loses the static shape.
    return tf.ensure_shape(context.all_gather(local, axis=0), [None, *local.shape[1:]])


def _assign(variable: tf.Variable, value: tf.Tensor) -> None:
    """Sets a variable to a value that is the same on all replicas."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        variable.assign(value)
        return
    context.merge_call(
        lambda strategy, target, values: strategy.extended.update(
            target, lambda copy, new: copy.assign(new), args=(values,), group=False
        ),
        args=(variable, value),
    )
