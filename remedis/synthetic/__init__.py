"""Made-up images in the layouts on disk of published data sets.

They let programs, loaders and tests run without a real image. The images are drawn by a program: no
result on them means anything clinically.
"""

from remedis.data.label_names import LESIONS, SIGNS
from remedis.synthetic.camelyon16 import write_camelyon16
from remedis.synthetic.camelyon17 import write_camelyon17
from remedis.synthetic.camelyon_patches import write_camelyon_patches
from remedis.synthetic.chest import HOSPITAL_A, HOSPITAL_B, HospitalStyle
from remedis.synthetic.chestxray14 import write_chestxray14
from remedis.synthetic.chexpert import write_chexpert
from remedis.synthetic.findings import CONDITIONS
from remedis.synthetic.fundus import write_fundus
from remedis.synthetic.histology import CENTRES, CentreStyle
from remedis.synthetic.lesion_boxes import write_lesion_boxes
from remedis.synthetic.mammograms import write_mammograms
from remedis.synthetic.medmnist import write_medmnist
from remedis.synthetic.mimic_cxr import write_mimic_cxr
from remedis.synthetic.openi import write_openi
from remedis.synthetic.padchest import write_padchest
from remedis.synthetic.patch_camelyon import write_patch_camelyon
from remedis.synthetic.pcam_kaggle import write_pcam_kaggle
from remedis.synthetic.rsna_pneumonia import write_rsna_pneumonia
from remedis.synthetic.siim_pneumothorax import write_siim_pneumothorax
from remedis.synthetic.skin import CLINIC_A, CLINIC_B, ClinicStyle, write_skin
from remedis.synthetic.vindr_cxr import write_vindr_cxr
from remedis.synthetic.wilds_camelyon17 import write_wilds_camelyon17

__all__ = [
    "CENTRES",
    "CLINIC_A",
    "CLINIC_B",
    "CONDITIONS",
    "HOSPITAL_A",
    "HOSPITAL_B",
    "LESIONS",
    "SIGNS",
    "CentreStyle",
    "ClinicStyle",
    "HospitalStyle",
    "write_camelyon16",
    "write_camelyon17",
    "write_camelyon_patches",
    "write_chestxray14",
    "write_chexpert",
    "write_fundus",
    "write_lesion_boxes",
    "write_mammograms",
    "write_medmnist",
    "write_mimic_cxr",
    "write_openi",
    "write_padchest",
    "write_patch_camelyon",
    "write_pcam_kaggle",
    "write_rsna_pneumonia",
    "write_siim_pneumothorax",
    "write_skin",
    "write_vindr_cxr",
    "write_wilds_camelyon17",
]
