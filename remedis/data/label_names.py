"""Label names of the data sets in one vocabulary, known without pandas, which takes seconds."""

# The conditions that CheXpert and ChestX-ray14 share and that results are averaged over.
FIVE_CONDITIONS = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")

# The label names of each dataset, in its own order, mapped to the vocabulary of manifests. One name
# means one finding; who found it and on what evidence differs between datasets.
CHEXPERT = {
    name: name
    for name in (
        "No Finding",
        "Enlarged Cardiomediastinum",
        "Cardiomegaly",
        "Lung Opacity",
        "Lung Lesion",
        "Edema",
        "Consolidation",
        "Pneumonia",
        "Atelectasis",
        "Pneumothorax",
        "Pleural Effusion",
        "Pleural Other",
        "Fracture",
        "Support Devices",
    )
}
CHESTXRAY14 = {
    "Atelectasis": "Atelectasis",
    "Cardiomegaly": "Cardiomegaly",
    "Effusion": "Pleural Effusion",
    "Infiltration": "Infiltration",
    "Mass": "Mass",
    "Nodule": "Nodule",
    "Pneumonia": "Pneumonia",
    "Pneumothorax": "Pneumothorax",
    "Consolidation": "Consolidation",
    "Edema": "Edema",
    "Emphysema": "Emphysema",
    "Fibrosis": "Fibrosis",
    "Pleural_Thickening": "Pleural Thickening",
    "Hernia": "Hernia",
    "No Finding": "No Finding",
}
# Labels of CheXpert's labeller, in alphabetical order.
MIMIC_CXR = {name: CHEXPERT[name] for name in sorted(CHEXPERT)}
# Metastasis of breast cancer in a lymph node; in PatchCamelyon, in the central 32x32 pixels.
CAMELYON = {"tumor": "tumor"}
# Of the made-up data sets: kinds of skin lesions, named as in HAM10000, and signs on a fundus.
LESIONS = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
SIGNS = ("diabetic_macular_edema", "referable_retinopathy")
