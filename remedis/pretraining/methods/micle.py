"""MICLe: SimCLR on two views of two different images of a patient, where there are two.

Azizi et al. 2021, "Big Self-Supervised Models Advance Medical Image Classification", arXiv
2101.05224: multi-instance contrastive learning.
"""

from remedis.pretraining.methods.simclr import SimCLR


class MICLe(SimCLR):
    """SimCLR's loss, head and settings; the input pipeline draws the image of the second view.

    If a batch holds further images of a patient by chance, they are negatives, as in SimCLR.
    """

    name = "micle"
    partners = True
