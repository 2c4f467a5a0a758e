"""Where a classifier looks: CAM, Grad-CAM and Grad-CAM++ for images and labels.

CAM (Zhou et al. 2016, arXiv 1512.04150) is exact for these classifiers. Their head is linear on the
spatial mean of a map, so a logit is the bias plus the mean over space of the label's CAM. What the
network did before that map is not resolved: a position of the map sees far more of the image than
the cell it is drawn in.

Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391) and Grad-CAM++ (Chattopadhay et al. 2018, arXiv
1710.11063) weight the channels of any intermediate map by gradients of the logit. They do
not add up to the logit.
"""

import tensorflow as tf

from remedis.models.bit import BiTResNet
from remedis.models.classifier import Classifier

CAM, GRAD_CAM, GRAD_CAM_PP = METHODS = ("cam", "grad_cam", "grad_cam++")
HEAD = "head"  # the map that the head pools, after its norm where there is one
# Pixels of the input per cell. BiT pads by (k - 1) / 2 on both sides of a k x k kernel of stride 2:
# cell i of a map sees pixels around `stride` * i, half a cell above and left of the i-th tile.
STRIDES = {"block1": 4, "block2": 8, "block3": 16, "block4": 32, HEAD: 32}
BLOCKS = tuple(STRIDES)[:-1]


def endpoints(classifier: Classifier) -> tuple[str, ...]:
    """Returns the names of the maps that gradients are taken at, the finest first."""
    return (*(BLOCKS if isinstance(classifier.backbone, BiTResNet) else ("map",)), HEAD)


def output_name(method: str, endpoint: str) -> str:
    """Returns the name of a heat map among the outputs of `heat_maps`."""
    suffix = method.replace("++", "_plus_plus")
    return suffix if method == CAM else f"{endpoint}_{suffix}"


def heat_maps(classifier: Classifier, images: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns all heat maps of one label per image.

    Args:
      classifier: the classifier.
      images: [N, H, W, 3] float32 in [0, 1].
      labels: [N] int32, position of the label, or [] for one label of all images.

    Returns:
      `cam` [N, h, w], signed: its mean over space plus `bias` is the logit. For every endpoint
      `<endpoint>_grad_cam` and `<endpoint>_grad_cam_plus_plus`, [N, h, w], 0 or more, at the
      resolution of the endpoint. `logit` [N], raw, and `bias` [N].
    """
    labels = tf.broadcast_to(labels, tf.shape(images)[:1])
    names = endpoints(classifier)
    # The weights of the maps are constants here: gradients reach the intermediate maps only.
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        backbone = classifier.backbone
        if isinstance(backbone, BiTResNet):
            ends = backbone.endpoints(images)
        else:
            ends = {"map": backbone(images, training=False)}
        ends[HEAD] = classifier.head_map(ends["map"])
        logits = classifier.head.dense(tf.reduce_mean(ends[HEAD], [1, 2]))
        logit = tf.gather(logits, labels, axis=1, batch_dims=1)
        score = tf.reduce_sum(logit)  # images do not depend on each other
    gradients = tape.gradient(score, [ends[name] for name in names])
    kernel = tf.gather(tf.transpose(classifier.head.dense.kernel), labels)
    found = {
        CAM: tf.einsum("nhwc,nc->nhw", ends[HEAD], kernel),
        "logit": logit,
        "bias": tf.gather(tf.convert_to_tensor(classifier.head.dense.bias), labels),
    }
    for name, gradient in zip(names, gradients, strict=True):
        found[output_name(GRAD_CAM, name)] = grad_cam(ends[name], gradient)
        found[output_name(GRAD_CAM_PP, name)] = grad_cam_plus_plus(ends[name], gradient)
    return found


def grad_cam(activations: tf.Tensor, gradients: tf.Tensor) -> tf.Tensor:
    """Returns Grad-CAM, [N, h, w] >= 0: equations 1 and 2 of Selvaraju et al. 2017.

    Args:
      activations: [N, h, w, C].
      gradients: of a score with respect to them, of the same shape.
    """
    weights = tf.reduce_mean(gradients, [1, 2])
    return tf.nn.relu(tf.einsum("nhwc,nc->nhw", activations, weights))


def grad_cam_plus_plus(activations: tf.Tensor, gradients: tf.Tensor) -> tf.Tensor:
    """Returns Grad-CAM++, [N, h, w] >= 0: equations 15 and 19 of Chattopadhay et al. 2018.

    The class score is the exponential of the logit, as in the paper: derivatives of all orders are
    then powers of the logit's gradient. The factor exp(logit) of a whole map is left out. Where a
    pixel's denominator is 0, its gradient is 0 and its weight, too. The paper assumes rectified
    activations; those of BiT's blocks are not, and the denominator may be negative there.

    Args:
      activations: [N, h, w, C].
      gradients: of the logit with respect to them, of the same shape.
    """
    sums = tf.reduce_sum(activations, [1, 2], keepdims=True)
    # g^2 / (2 g^2 + sum g^3), divided by g^2: tiny gradients do not underflow.
    denominator = 2 + sums * gradients
    share = tf.math.divide_no_nan(tf.cast(gradients != 0, gradients.dtype), denominator)
    weights = tf.reduce_sum(share * tf.nn.relu(gradients), [1, 2])
    return tf.nn.relu(tf.einsum("nhwc,nc->nhw", activations, weights))
