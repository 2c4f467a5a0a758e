"""The HyperRule's own length on few images, fitted to the data and not, for a linear head.

    python benchmarks/few_images.py

A linear head on fixed features of two overlapping classes is trained by SGD with momentum in
batches of 32, as `config.schedule="hyperrule"` does: 8,000 steps at 32 / 512 of the rate 0.003
(`fit_to_data=False`), and 500 steps of all images (`fit_to_data=True`: 500 * n / 32 steps at 32 / n
of the rate). `fewer steps alone` has the length of the second at the rate of the first. Every step
sees its images under new noise, as augmentation gives them. Mean AUROC on 400 other images, mean
logit of the training images in the direction of their class, and steps, over 50 draws.

Output:

    images  training                steps  epochs  AUROC  margin
        16  fit_to_data=False       8,000  16,000  0.915    2.97
        16  fit_to_data=True          500   1,000  0.916    3.11
        16  fewer steps alone         500   1,000  0.922    0.61
        38  fit_to_data=False       8,000   6,737  0.958    2.41
        38  fit_to_data=True          594     500  0.958    2.51
        38  fewer steps alone         594     500  0.962    0.48
       128  fit_to_data=False       8,000   2,000  0.981    1.99
       128  fit_to_data=True        2,000     500  0.981    2.01
       128  fewer steps alone       2,000     500  0.982    0.92
       512  fit_to_data=False       8,000     500  0.986    1.81
       512  fit_to_data=True        8,000     500  0.986    1.81
       512  fewer steps alone       8,000     500  0.986    1.81

Fitted to the data, the training ends at the same AUROC and nearly the same logits in 1 to 1/16 of
the steps. Fewer steps alone leave logits a fifth as large. In this convex problem with little noise
the AUROC does not depend on it; nothing is said of networks whose other layers train, too.
"""

import numpy as np

from remedis.training.schedules import Schedule

DRAWS, FEATURES, TEST = 50, 64, 400
SHIFT, NOISE = 0.2, 0.5  # between the classes, per feature; of augmentation
BATCH, RATE, MOMENTUM = 32, 0.003, 0.9


def rates(schedule: Schedule) -> np.ndarray:
    """Returns the rate of every step, [steps]."""
    steps = np.arange(schedule.steps)
    values = schedule.learning_rate * np.minimum(1, (steps + 1) / max(1, schedule.warmup))
    for share in schedule.drops:
        values = np.where(steps >= share * schedule.steps, values / 10, values)
    return values


def trained(
    rng: np.random.Generator, images: np.ndarray, classes: np.ndarray, step_rates: np.ndarray
) -> np.ndarray:
    """Returns the heads after training, [draws, features].

    Args:
      rng: draws batches and augmentation.
      images: [draws, images, features].
      classes: -1 or 1, [images].
      step_rates: the rate of every step, [steps].
    """
    weights = np.zeros((len(images), FEATURES), np.float32)
    velocity = np.zeros_like(weights)
    order = np.array([], int)
    for rate in step_rates:
        while len(order) < BATCH:  # an epoch is a permutation; batches go across epochs
            order = np.concatenate([order, rng.permutation(images.shape[1])])
        rows, order = order[:BATCH], order[BATCH:]
        batch = images[:, rows] + NOISE * rng.standard_normal(
            (len(images), BATCH, FEATURES), np.float32
        )
        margins = np.einsum("dbf,df->db", batch, weights) * classes[rows]
        pull = classes[rows] / (1 + np.exp(margins)) / BATCH
        velocity = MOMENTUM * velocity + np.float32(rate) * np.einsum("db,dbf->df", pull, batch)
        weights = weights + velocity
    return weights


def auroc(weights: np.ndarray, positives: np.ndarray, negatives: np.ndarray) -> float:
    """Returns the mean AUROC of heads [draws, features] on images [draws, n, features]."""
    scores = [np.einsum("dnf,df->dn", images, weights) for images in (positives, negatives)]
    pairs = scores[0][:, :, None] > scores[1][:, None, :]
    return float(pairs.mean())


def main() -> None:
    """Prints the table."""
    print(f"{'images':>6}  {'training':22} {'steps':>6} {'epochs':>7} {'AUROC':>6} {'margin':>7}")
    for count in (16, 38, 128, 512):
        kinds = {
            fitted: Schedule.from_settings(
                "hyperrule", count, BATCH, None, RATE, 512, None, (), fitted
            )
            for fitted in (False, True)
        }
        slow = dict(kinds)
        fewer = Schedule.from_settings(
            "hyperrule", count, BATCH, kinds[True].steps, RATE, 512, None, ()
        )
        for name, schedule in (
            ("fit_to_data=False", slow[False]),
            ("fit_to_data=True", slow[True]),
            ("fewer steps alone", fewer),
        ):
            rng = np.random.default_rng(0)
            classes = np.where(np.arange(count) % 2, 1, -1).astype(np.float32)
            draws = rng.standard_normal((DRAWS, count + TEST, FEATURES), np.float32)
            images = draws[:, :count] + SHIFT * classes[:, None]
            test = draws[:, count:]
            weights = trained(rng, images, classes, rates(schedule))
            area = auroc(weights, test[:, ::2] + SHIFT, test[:, 1::2] - SHIFT)
            margin = np.mean(np.einsum("dnf,df->dn", images, weights) * classes)
            epochs = schedule.steps * BATCH / count
            print(
                f"{count:6}  {name:22} {schedule.steps:6,} {epochs:7,.0f} {area:6.3f} {margin:7.2f}"
            )


if __name__ == "__main__":
    main()
