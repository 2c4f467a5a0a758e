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
# The terms of PadChest that count as a label: those of the finding and of what is below it in the
# data set's tree of terms; for "Support Devices" our choice. A term may count as several.
PADCHEST: dict[str, tuple[str, ...]] = {
    "Atelectasis": (
        *("atelectasis", "total atelectasis", "lobar atelectasis", "segmental atelectasis"),
        *("laminar atelectasis", "round atelectasis", "atelectasis basal"),
    ),
    "Cardiomegaly": ("cardiomegaly",),
    "Pleural Effusion": (
        *("pleural effusion", "loculated pleural effusion", "loculated fissural effusion"),
        *("hydropneumothorax", "empyema", "hemothorax"),
    ),
    "Infiltration": (
        *("infiltrates", "interstitial pattern", "ground glass pattern", "miliary opacities"),
        *("reticular interstitial pattern", "reticulonodular interstitial pattern"),
        *("alveolar pattern", "consolidation", "air bronchogram"),
    ),
    "Mass": (
        *("mass", "pulmonary mass", "mediastinal mass", "pleural mass", "breast mass"),
        "soft tissue mass",
    ),
    "Nodule": ("nodule", "multiple nodules"),
    "Pneumonia": ("pneumonia", "atypical pneumonia"),
    "Pneumothorax": ("pneumothorax", "hydropneumothorax"),
    "Consolidation": ("consolidation", "air bronchogram"),
    "Edema": ("pulmonary edema",),
    "Emphysema": ("emphysema",),
    "Fibrosis": ("pulmonary fibrosis", "post radiotherapy changes", "asbestosis signs"),
    "Pleural Thickening": (
        *("pleural thickening", "apical pleural thickening", "calcified pleural thickening"),
    ),
    "Hernia": ("hiatal hernia",),
    "Fracture": (
        *("fracture", "clavicle fracture", "humeral fracture", "vertebral fracture"),
        *("rib fracture", "callus rib fracture"),
    ),
    "Support Devices": (
        *("NSG tube", "endotracheal tube", "tracheostomy tube", "chest drain tube"),
        *("gastrostomy tube", "nephrostomy tube", "ventriculoperitoneal drain tube"),
        *("catheter", "central venous catheter", "reservoir central venous catheter"),
        *("central venous catheter via subclavian vein", "double J stent"),
        *("central venous catheter via jugular vein", "electrical device", "pacemaker", "dai"),
        *("central venous catheter via umbilical vein", "dual chamber device"),
        *("single chamber device", "artificial heart valve", "artificial mitral heart valve"),
        "artificial aortic heart valve",
    ),
    "No Finding": ("normal",),
}
# Metastasis of breast cancer in a lymph node; in PatchCamelyon, in the central 32x32 pixels.
CAMELYON = {"tumor": "tumor"}
# Of the made-up data sets: kinds of skin lesions, named as in HAM10000, and signs on a fundus.
LESIONS = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
SIGNS = ("diabetic_macular_edema", "referable_retinopathy")
