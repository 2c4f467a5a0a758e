"""Names of the sources, known without loading them; `remedis.data.sources` registers these."""

NAMES = (
    "camelyon16",
    "camelyon17",
    "camelyon_patches",
    "chestxray14",
    "chexpert",
    "csv",
    "dicom",
    "folder",
    "medmnist",
    "mimic_cxr",
    "openi",
    "padchest",
    "patch_camelyon",
    "pcam_kaggle",
    "rsna_pneumonia",
    "siim_pneumothorax",
    "slides",
    "tfds",
    "vindr_cxr",
    "wilds_camelyon17",
)
