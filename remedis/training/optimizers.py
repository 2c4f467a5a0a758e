"""SGD, AdamW and LARS with one learning-rate factor per variable.

Norms and biases have no weight decay and no adaptation; group norms have both in `released_lars`.
Decay and rate are applied per variable here, since Keras' own weight decay knows neither factors
nor exceptions.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from remedis import compat
from remedis.errors import unknown_choice

SGD, ADAMW, LARS, RELEASED_LARS = NAMES = ("sgd", "adamw", "lars", "released_lars")
NORM_OR_BIAS = ("gamma", "beta", "bias")
TO_ZERO, TO_START = DECAYS = ("zero", "start")  # what the decay draws weights to
GROUP_NORM = "group_norm"  # name of the layers of `GroupNormReLU`
ETA = 0.001  # of LARS, as in SimCLR's released code


def is_norm_or_bias(path: str, rank: int) -> bool:
    """Returns whether a variable scales or shifts channels rather than mixing them.

    Args:
      path: of the variable, such as `block1/unit01/a/group_norm/gamma`.
      rank: number of its axes.
    """
    return rank < 2 or path.rpartition("/")[-1] in NORM_OR_BIAS


class _ByVariable(compat.EarlyUpdates, keras.optimizers.Optimizer):
    """Base of all: a learning-rate factor per variable, and whether the variable decays.

    The decay draws weights to 0 or, as L2-SP does, to those that the training starts from (Li,
    Grandvalet and Davoine 2018, arXiv 1802.01483, equation 2). `start` sets them.
    """

    def __init__(
        self, factors: Mapping[str, float], decay: float, decay_to: str, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._factor_by_path, self._decay = dict(factors), decay
        self._keeps_starts = decay_to == TO_START and decay > 0

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Makes the optimizer's variables for the trained `variables`."""
        if self.built:
            return
        super().build(variables)
        # By position, since `update_step` receives TensorFlow's variable, which has no path.
        paths = [variable.path for variable in variables]
        self._factors = tuple(self._factor_by_path.get(path, 1.0) for path in paths)
        self._plain = tuple(self._excluded(v.path, len(v.shape)) for v in variables)
        # They are saved with the optimizer, so that a resumed training is drawn to the same ones.
        self._starts = [
            self.add_variable_from_reference(v, name="start")
            if self._keeps_starts and not plain
            else None
            for v, plain in zip(variables, self._plain, strict=True)
        ]

    def start(self, variables: Iterable[keras.Variable]) -> None:
        """Takes the values of the trained variables as those that the training starts from."""
        for start, variable in zip(self._starts, variables, strict=True):
            if start is not None:
                start.assign(variable)

    def _excluded(self, path: str, rank: int) -> bool:
        """Returns whether a variable has neither decay nor adaptation."""
        return is_norm_or_bias(path, rank)

    def update_step(
        self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor
    ) -> None:
        """Updates one variable."""
        index = compat.variable_index(self, variable)
        rate = tf.cast(learning_rate, variable.dtype) * self._factors[index]
        if not self._plain[index]:
            start = self._starts[index]
            drawn = variable if start is None else variable - start.value
            gradient, rate = self._decayed(gradient, variable, drawn, rate)
        self._moved(gradient, variable, rate)

    def _moved(self, gradient: tf.Tensor, variable: tf.Variable, rate: tf.Tensor) -> None:
        """Takes the step of one variable."""
        super().update_step(gradient, variable, rate)

    def _decayed(
        self, gradient: tf.Tensor, variable: tf.Variable, drawn: tf.Tensor, rate: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns gradient and rate of a variable that decays, by default as L2 regularisation.

        Args:
          gradient: of the loss.
          variable: the weights.
          drawn: the weights, less those that the decay draws them to.
          rate: of this step and variable.
        """
        if not self._decay:  # a pass over all weights, for nothing
            return gradient, rate
        return gradient + self._decay * drawn, rate


class Sgd(_ByVariable, keras.optimizers.SGD):
    """SGD with momentum; the decay is added to the gradient, as L2 regularisation and PyTorch do.

    velocity <- momentum velocity - rate (gradient + decay weights)
    weights <- weights + velocity
    """

    def _moved(self, gradient: tf.Tensor, variable: tf.Variable, rate: tf.Tensor) -> None:
        if not self.momentum:
            super()._moved(gradient, variable, rate)
            return
        # Keras' operations make temporary tensors as large as the weights; this makes none.
        velocity = self.momentums[compat.variable_index(self, variable)]
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=velocity.value.handle,
            lr=rate,
            grad=gradient,
            momentum=tf.cast(self.momentum, variable.dtype),
            use_nesterov=False,
        )


class AdamW(_ByVariable, keras.optimizers.Adam):
    """Adam with decoupled weight decay, proportional to the rates of step and variable.

    Loshchilov and Hutter 2019, arXiv 1711.05101, algorithm 2, with the decay times the whole rate
    as in PyTorch and Keras; Keras' betas (0.9, 0.999) and epsilon (1e-7).
    """

    def _decayed(
        self, gradient: tf.Tensor, variable: tf.Variable, drawn: tf.Tensor, rate: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        self.assign_sub(variable, rate * self._decay * drawn)
        return gradient, rate


class Lars(Sgd):
    """Layer-wise adaptive rate scaling: SGD with steps proportional to the norm of the weights.

    You et al. 2017, arXiv 1708.03888, in the form of SimCLR's released code: the rate of a variable
    is multiplied by 0.001 |weights| / |gradient + decay weights|, or by 1 where either norm is 0.
    Norms and biases get plain SGD with momentum: decay would draw the scale of a norm to 0 rather
    than to 1, and offsets, which start at 0, would get steps that shrink with them. SimCLR meant to
    leave all norms out, and its networks have batch norms only.
    """

    def _decayed(
        self, gradient: tf.Tensor, variable: tf.Variable, drawn: tf.Tensor, rate: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        gradient, rate = super()._decayed(gradient, variable, drawn, rate)
        trust = tf.math.divide_no_nan(ETA * tf.norm(variable), tf.norm(gradient))
        return gradient, rate * tf.where(trust > 0, trust, 1.0)


class ReleasedLars(Lars):
    """LARS as in the code released with REMEDIS, which decays and adapts group norms too.

    That code excludes variables whose names hold `batch_normalization` or `bias` (model.py:176-182,
    lars_optimizer.py:97-117). Names of BiT's group norms hold neither, so that their scales and
    offsets are decayed and adapted like kernels. An offset of 0 takes one step at the whole rate,
    and from then on steps of 0.001 rate |offset|. Batch norms, such as those of the projection
    head, and biases are excluded as in `lars`. Momentum is the classic one, without Nesterov's
    correction. This optimizer is for repeating the released recipe; new work has `lars`.
    """

    def _excluded(self, path: str, rank: int) -> bool:
        return is_norm_or_bias(path, rank) and GROUP_NORM not in path.split("/")


_SGD_LIKE = {SGD: Sgd, LARS: Lars, RELEASED_LARS: ReleasedLars}


def make(
    name: str,
    rate: keras.optimizers.schedules.LearningRateSchedule,
    multipliers: Mapping[str, float],
    *,
    momentum: float,
    weight_decay: float,
    decay_to: str = TO_ZERO,
    loss_scale: bool = False,
) -> keras.optimizers.Optimizer:
    """Returns an optimizer whose name and variables' paths are the same in every process.

    Args:
      name: one of `NAMES`.
      rate: the learning rate.
      multipliers: factors of the rate by path of the variable; 1 for variables without one.
      momentum: of SGD and LARS, without Nesterov's correction; AdamW has its own.
      weight_decay: of everything but norms and biases; of group norms too in `released_lars`.
      decay_to: one of `DECAYS`: what the decay draws weights to.
      loss_scale: for float16: gradients are those of the loss times `dynamic_scale`; a step with
        gradients that are not finite is skipped, and the scale is halved.

    Raises:
      UserError: the name is unknown, or what the decay draws to.
    """
    if decay_to not in DECAYS:
        raise unknown_choice("value of config.decay_to", decay_to, DECAYS)
    common: dict[str, Any] = {
        "factors": multipliers,
        "decay": weight_decay,
        "decay_to": decay_to,
        "learning_rate": rate,
        "name": name,
    }
    optimizer: keras.optimizers.Optimizer
    if name == ADAMW:
        optimizer = AdamW(**common)
    elif name in _SGD_LIKE:
        optimizer = _SGD_LIKE[name](momentum=float(momentum), **common)
    else:
        raise unknown_choice("value of config.optimizer", name, NAMES)
    if loss_scale:
        return keras.optimizers.LossScaleOptimizer(optimizer, name="loss_scale")
    return optimizer


def begin(optimizer: keras.optimizers.Optimizer, variables: Iterable[keras.Variable]) -> None:
    """Takes the current weights as the start of a training.

    Args:
      optimizer: of `make`, built.
      variables: those that it was built for, in the same order.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # of a loss scale
    if isinstance(inner, _ByVariable):
        inner.start(variables)
