"""What users edit: datasets, task templates, prompts, base models and studies, as checked Python values."""

from rc_pipeline.catalog.datasets import Dataset
from rc_pipeline.catalog.loader import Catalog, load_catalog
from rc_pipeline.catalog.models import BaseModelCard
from rc_pipeline.catalog.problems import CatalogError, Problem
from rc_pipeline.catalog.prompts import PromptTemplate
from rc_pipeline.catalog.runs import Run
from rc_pipeline.catalog.settings import Answer, PromptUse, Tune
from rc_pipeline.catalog.studies import RunEntry, Study
from rc_pipeline.catalog.tasks import TaskTemplate
from rc_pipeline.catalog.variants import Ablation

__all__ = [
    "Ablation",
    "Answer",
    "BaseModelCard",
    "Catalog",
    "CatalogError",
    "Dataset",
    "Problem",
    "PromptTemplate",
    "PromptUse",
    "Run",
    "RunEntry",
    "Study",
    "TaskTemplate",
    "Tune",
    "load_catalog",
]
