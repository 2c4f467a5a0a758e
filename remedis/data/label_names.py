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
# The codes of OpenI that count as a label, in lower case: a heading, or a heading with a qualifier.
OPENI: dict[str, tuple[str, ...]] = {
    "Atelectasis": ("pulmonary atelectasis",),
    "Cardiomegaly": ("cardiomegaly",),
    "Pleural Effusion": (
        *("pleural effusion", "hydropneumothorax", "hemothorax", "hemopneumothorax"),
    ),
    "Infiltration": ("infiltrate",),
    "Mass": ("mass",),
    "Nodule": ("nodule",),
    "Pneumonia": ("pneumonia",),
    "Pneumothorax": ("pneumothorax", "hydropneumothorax", "hemopneumothorax"),
    "Consolidation": ("consolidation",),
    "Edema": ("pulmonary edema",),
    "Emphysema": ("emphysema", "pulmonary emphysema", "bullous emphysema"),
    "Fibrosis": ("pulmonary fibrosis",),
    "Pleural Thickening": ("thickening/pleura",),
    "Hernia": ("hernia, hiatal", "hernia, diaphragmatic"),
    "Fracture": ("fractures, bone",),
    "Lung Opacity": ("opacity/lung",),
    "Support Devices": (
        *("catheters, indwelling", "implanted medical device", "medical device"),
        *("tube, inserted", "stents"),
    ),
    "No Finding": ("normal",),
}
VINDR_CXR = {
    "Aortic enlargement": "Aortic Enlargement",
    "Atelectasis": "Atelectasis",
    "Calcification": "Calcification",
    "Cardiomegaly": "Cardiomegaly",
    "Clavicle fracture": "Clavicle Fracture",
    "Consolidation": "Consolidation",
    "Edema": "Edema",
    "Emphysema": "Emphysema",
    "Enlarged PA": "Enlarged Pulmonary Artery",
    "ILD": "Interstitial Lung Disease",
    "Infiltration": "Infiltration",
    "Lung Opacity": "Lung Opacity",
    "Lung cavity": "Lung Cavity",
    "Lung cyst": "Lung Cyst",
    "Mediastinal shift": "Mediastinal Shift",
    "Nodule/Mass": "Nodule or Mass",
    "Pleural effusion": "Pleural Effusion",
    "Pleural thickening": "Pleural Thickening",
    "Pneumothorax": "Pneumothorax",
    "Pulmonary fibrosis": "Fibrosis",
    "Rib fracture": "Rib Fracture",
    "Other lesion": "Other Lesion",
    "COPD": "COPD",
    "Lung tumor": "Lung Tumor",
    "Pneumonia": "Pneumonia",
    "Tuberculosis": "Tuberculosis",
    "Other diseases": "Other Disease",
    "No finding": "No Finding",
}
# Metastasis of breast cancer in a lymph node; in PatchCamelyon, in the central 32x32 pixels.
CAMELYON = {"tumor": "tumor"}
# Kinds of skin lesions, named as in HAM10000.
LESIONS = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
# Classes of the 2D sets of MedMNIST, in the order of their numbers. Names are those of MedMNIST,
# save that findings on radiographs and skin have the names of this vocabulary, that grades have a
# word, and that no name has a comma.
_ORGANS = (
    *("bladder", "femur-left", "femur-right", "heart", "kidney-left", "kidney-right", "liver"),
    *("lung-left", "lung-right", "pancreas", "spleen"),
)
MEDMNIST = {
    "pathmnist": (
        *("adipose", "background", "debris", "lymphocytes", "mucus", "smooth muscle"),
        *("normal colon mucosa", "cancer-associated stroma"),
        "colorectal adenocarcinoma epithelium",
    ),
    # In the order of ChestX-ray14's labels.
    "chestmnist": (
        *("Atelectasis", "Cardiomegaly", "Pleural Effusion", "Infiltration", "Mass", "Nodule"),
        *("Pneumonia", "Pneumothorax", "Consolidation", "Edema", "Emphysema", "Fibrosis"),
        *("Pleural Thickening", "Hernia"),
    ),
    "dermamnist": LESIONS,
    "octmnist": ("choroidal neovascularization", "diabetic macular edema", "drusen", "normal"),
    "pneumoniamnist": ("normal", "Pneumonia"),
    "retinamnist": tuple(f"retinopathy grade {grade}" for grade in range(5)),
    "breastmnist": ("malignant", "normal or benign"),
    "bloodmnist": (
        *("basophil", "eosinophil", "erythroblast", "immature granulocyte", "lymphocyte"),
        *("monocyte", "neutrophil", "platelet"),
    ),
    "tissuemnist": (
        *("collecting duct or connecting tubule", "distal convoluted tubule"),
        *("glomerular endothelial cells", "interstitial endothelial cells", "leukocytes"),
        *("podocytes", "proximal tubule segments", "thick ascending limb"),
    ),
    "organamnist": _ORGANS,
    "organcmnist": _ORGANS,
    "organsmnist": _ORGANS,
}
# Signs on a made-up fundus.
SIGNS = ("diabetic_macular_edema", "referable_retinopathy")
