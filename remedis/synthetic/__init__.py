"""Made-up images in the layouts on disk of published data sets.

They let programs, loaders and tests run without a real image. The images are drawn by a program: no
result on them means anything clinically.
"""

from remedis.synthetic.chest import HOSPITAL_A, HOSPITAL_B, HospitalStyle
from remedis.synthetic.chestxray14 import write_chestxray14
from remedis.synthetic.chexpert import write_chexpert
from remedis.synthetic.findings import CONDITIONS
from remedis.synthetic.histology import CENTRES, CentreStyle
from remedis.synthetic.mimic_cxr import write_mimic_cxr
from remedis.synthetic.patch_camelyon import write_patch_camelyon
from remedis.synthetic.wilds_camelyon17 import write_wilds_camelyon17

__all__ = [
    "CENTRES",
    "CONDITIONS",
    "HOSPITAL_A",
    "HOSPITAL_B",
    "CentreStyle",
    "HospitalStyle",
    "write_chestxray14",
    "write_chexpert",
    "write_mimic_cxr",
    "write_patch_camelyon",
    "write_wilds_camelyon17",
]
