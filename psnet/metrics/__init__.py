"""EMBEDDINGS AND LABELS -> FIGURES: exact re-ID evaluation, and restoration quality."""

from psnet.metrics.diagnosis import Duplicates, duplicates, why_no_match
from psnet.metrics.expansion import expand_queries, pool_queries
from psnet.metrics.given import GivenScores
from psnet.metrics.labels import Labels, OwnImages, Rules, own_images
from psnet.metrics.neighbours import Neighbours, nearest
from psnet.metrics.ranking import evaluate_ranking, multi_shot
from psnet.metrics.rerank import ReRanked, k_reciprocal
from psnet.metrics.restoration import RestorationMetric, RestorationScore, overall, psnr, ssim
from psnet.metrics.results import QueryResults
from psnet.metrics.retrieval import RankedGallery, Retrieval, RetrievalMetric, Side, ranked_gallery
from psnet.metrics.scores import Distance, Progress, Scores
from psnet.metrics.single_shot import draw_galleries, evaluate_single_shot, single_shot
from psnet.metrics.summary import NoMatchError, chance, cmc, per_group, summarise
from psnet.metrics.uncertainty import Comparison, Interval, cmc_band, compare, confidence_intervals, figures_of
from psnet.metrics.verification import FALSE_ACCEPT_RATES, Verification, accept_rates, verify

__all__ = [
    "FALSE_ACCEPT_RATES",
    "Comparison",
    "Distance",
    "Duplicates",
    "GivenScores",
    "Interval",
    "Labels",
    "Neighbours",
    "NoMatchError",
    "OwnImages",
    "Progress",
    "QueryResults",
    "RankedGallery",
    "ReRanked",
    "RestorationMetric",
    "RestorationScore",
    "Retrieval",
    "RetrievalMetric",
    "Rules",
    "Scores",
    "Side",
    "Verification",
    "accept_rates",
    "chance",
    "cmc",
    "cmc_band",
    "compare",
    "confidence_intervals",
    "draw_galleries",
    "duplicates",
    "evaluate_ranking",
    "evaluate_single_shot",
    "expand_queries",
    "figures_of",
    "k_reciprocal",
    "multi_shot",
    "nearest",
    "overall",
    "own_images",
    "per_group",
    "pool_queries",
    "psnr",
    "ranked_gallery",
    "single_shot",
    "ssim",
    "summarise",
    "verify",
    "why_no_match",
]
