"""Rounds of queries and answers inside a budget."""

from ..utils.files import StoreError
from ..utils.main_process import on_main_process
from .campaign.budget import Budget, spent
from .campaign.builder import build_campaign
from .campaign.campaign import Campaign, RoundOutcome
from .campaign.resuming import check_campaign, open_campaign
from .pool.outputs import PoolOutputs
from .pool.pool import Pool, PoolImage
from .pool.pool_pass import score_pool
from .registry import EXCHANGE_FORMATS, ORACLES, QUERY_STRATEGIES, SELECTORS
from .selection.candidates import Choice
from .selection.joint import JointCandidates, best_of_groups, k_center
from .selection.selection import select
from .selection.selectors.base import Selector
from .store.round_store import RoundStore
from .store.verification import check_rounds, verify
from .strategies.base import QueryContext, QueryStrategy

__all__ = [
    'EXCHANGE_FORMATS',
    'ORACLES',
    'QUERY_STRATEGIES',
    'SELECTORS',
    'Budget',
    'Campaign',
    'Choice',
    'JointCandidates',
    'Pool',
    'PoolImage',
    'PoolOutputs',
    'QueryContext',
    'QueryStrategy',
    'RoundOutcome',
    'RoundStore',
    'Selector',
    'StoreError',
    'best_of_groups',
    'build_campaign',
    'check_campaign',
    'check_rounds',
    'k_center',
    'on_main_process',
    'open_campaign',
    'score_pool',
    'select',
    'spent',
    'verify',
]
