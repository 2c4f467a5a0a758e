"""The objective of self-supervision: a method's loss on two views of every image.

The loss is that of the whole batch: every replica gathers the features of all replicas, computes
the same loss and its gradients by the features, and sends the gradients of its own images back
through the backbone. With micro-batches the features are computed first, without activations. In
the backward pass the backbone runs again, one micro-batch at a time: the result is the gradients of
the whole batch in the memory of one micro-batch (Gao et al. 2021, "Scaling Deep Contrastive
Learning Batch Size under Memory Limited Setup", arXiv 2101.06983). A backbone must therefore treat
every image separately, as those with group norm do.
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
      backbone: that is trained, with its final norm.
      method: with a head of its own.
      teacher: a backbone like the trained one whose weights are an average of it; None for a method
        that has none.
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
        del step  # views are made by the pipeline; nothing here is random
        images = batch["image"]
        own = {id(variable.value) for variable in self.backbone.variables}
        of_backbone = [variable for variable in variables if id(variable) in own]
        of_head = [variable for variable in variables if id(variable) not in own]
        student = tf.gather(images, self.method.student_views, axis=1)
        with tf.GradientTape() as backbone_tape:
            if micro_batches == 1:
                found = features(self.backbone, student)
        if micro_batches > 1:
            found = _in_parts(self.backbone, student, micro_batches)
        everyone, context = _gathered(found), tf.distribute.get_replica_context()
        taught = None
        if self.teacher is not None:
            shown = tf.gather(images, self.method.teacher_views, axis=1)
            taught = _gathered(_in_parts(self.teacher, shown, micro_batches))
        with tf.GradientTape() as tape:
            tape.watch(everyone)
            outcome = self.method(everyone, taught)
            scaled = outcome.loss * scale
        none = tf.UnconnectedGradients.ZERO
        back, *head = tape.gradient(scaled, [everyone, *of_head], unconnected_gradients=none)
        count = tf.shape(found)[0]
        first = context.replica_id_in_sync_group * count
        back = back[first : first + count]
        if micro_batches == 1:
            backbone = backbone_tape.gradient(found, of_backbone, back, unconnected_gradients=none)
        else:
            backbone = self._back_in_parts(student, back, of_backbone, micro_batches)
        # Of the loss, which every replica has the whole of, each counts its share.
        replicas = tf.cast(context.num_replicas_in_sync, tf.float32)
        by_variable = {id(v): g for v, g in zip(of_backbone, backbone, strict=True)}
        by_variable |= {id(v): g / replicas for v, g in zip(of_head, head, strict=True)}
        return Gradients(
            outcome.loss / replicas,
            1 / replicas,
            [by_variable[id(variable)] for variable in variables],
            monitoring.monitored(outcome, everyone[:, 0]),
            outcome.state,
        )

    def finish(self, found: Gradients) -> None:
        """Moves the averages, and what the method keeps from step to step."""
        momentum = self.method.momentum
        for student, average in self._averaged():
            moved = average.value * momentum + student.value * (1 - momentum)
            _assign(average.value, moved)
        kept = self.method.statistics()
        for name, value in found.state.items():
            _assign(kept[name].value, value)

    def _averaged(self) -> list[tuple[Any, Any]]:
        """Returns the pairs of a trained variable and its average."""
        pairs = self.method.averaged()
        if self.teacher is not None:
            names = self.teacher.named_variables()
            pairs = pairs + [(v, names[n]) for n, v in self.backbone.named_variables().items()]
        return pairs

    def _back_in_parts(
        self,
        images: tf.Tensor,
        back: tf.Tensor,
        variables: Sequence[tf.Variable],
        micro_batches: int,
    ) -> list[tf.Tensor]:
        """Returns the gradients of the features, times `back`, by the backbone's variables."""
        pieces = divide({"images": images, "back": back}, micro_batches)

        def body(i: tf.Tensor, sums: list[tf.Tensor]) -> tuple[Any, ...]:
            with tf.GradientTape() as tape:
                found = features(self.backbone, pieces["images"][i])
            more = tape.gradient(
                found,
                variables,
                pieces["back"][i],
                unconnected_gradients=tf.UnconnectedGradients.ZERO,
            )
            return i + 1, [a + b for a, b in zip(sums, more, strict=True)]

        start = (0, [tf.zeros_like(variable) for variable in variables])
        _, sums = tf.while_loop(lambda i, _: i < micro_batches, body, start, parallel_iterations=1)
        return list(sums)


def features(backbone: BiTResNet, images: tf.Tensor, training: bool = True) -> tf.Tensor:
    """Returns what a head stands on: the normalised and rectified map, averaged over space.

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
    found = tf.reshape(pooled, tf.concat([leading, [channels]], 0))
    return tf.ensure_shape(found, [*images.shape[:-3], channels])


def _in_parts(backbone: BiTResNet, images: tf.Tensor, micro_batches: int) -> tf.Tensor:
    """Returns features [n, V, C] of images [n, V, H, W, 3], a part at a time."""
    if micro_batches == 1:
        return features(backbone, images)
    pieces = divide({"images": images}, micro_batches)["images"]
    found = tf.map_fn(
        lambda piece: features(backbone, piece),
        pieces,
        parallel_iterations=1,
        fn_output_signature=tf.TensorSpec([None, images.shape[1], backbone.map_channels]),
    )
    return tf.reshape(found, [-1, *found.shape[2:]])


def _gathered(found: tf.Tensor) -> tf.Tensor:
    """Returns the features of all replicas, [N, V, C], in their order; no gradient goes through."""
    context = tf.distribute.get_replica_context()
    found = tf.stop_gradient(found)
    if context.num_replicas_in_sync == 1:
        return found
    # Between processes the shape is lost on the way.
    return tf.ensure_shape(context.all_gather(found, axis=0), [None, *found.shape[1:]])


def _assign(variable: tf.Variable, value: tf.Tensor) -> None:
    """Sets a variable to a value that is the same on all replicas."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        variable.assign(value)
        return
    context.merge_call(
        lambda strategy, target, values: strategy.extended.update(
            target, lambda one, new: one.assign(new), args=(values,), group=False
        ),
        args=(variable, value),
    )
