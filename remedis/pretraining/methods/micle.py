"""MICLe: SimCLR whose two views are of two images of one patient, where there are two.

Azizi et al. 2021, "Big Self-Supervised Models Advance Medical Image Classification", arXiv
2101.05224: multi-instance contrastive learning.
"""

from remedis.pretraining.methods.simclr import SimCLR


class MICLe(SimCLR):
    """SimCLR's loss, head and settings; which image the second view is of is for the data to say.

    A patient with several images in one batch, by chance, is told apart from itself, as in SimCLR.
    """

    name = "micle"
    partners = True
