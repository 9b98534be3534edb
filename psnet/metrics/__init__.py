"""EMBEDDINGS AND LABELS -> FIGURES: exact re-ID evaluation, and restoration quality."""

from psnet.metrics.ranking import Labels, QueryResults, evaluate_ranking
from psnet.metrics.restoration import RestorationMetric, RestorationScore, overall, psnr, ssim
from psnet.metrics.retrieval import RankedGallery, Retrieval, RetrievalMetric, Side, ranked_gallery
from psnet.metrics.single_shot import evaluate_single_shot
from psnet.metrics.summary import NoMatchError, chance, cmc, per_rate, summarise

__all__ = [
    "Labels",
    "NoMatchError",
    "QueryResults",
    "RankedGallery",
    "RestorationMetric",
    "RestorationScore",
    "Retrieval",
    "RetrievalMetric",
    "Side",
    "chance",
    "cmc",
    "evaluate_ranking",
    "evaluate_single_shot",
    "overall",
    "per_rate",
    "psnr",
    "ranked_gallery",
    "ssim",
    "summarise",
]
