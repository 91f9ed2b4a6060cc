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
from .selection.selection import Choice, select
from .selection.selectors.base import Selector
from .store.round_store import RoundStore
from .store.verification import check_rounds, verify
from .strategies.base import QueryStrategy

__all__ = [
    'EXCHANGE_FORMATS',
    'ORACLES',
    'QUERY_STRATEGIES',
    'SELECTORS',
    'Budget',
    'Campaign',
    'Choice',
    'Pool',
    'PoolImage',
    'PoolOutputs',
    'QueryStrategy',
    'RoundOutcome',
    'RoundStore',
    'Selector',
    'StoreError',
    'build_campaign',
    'check_campaign',
    'check_rounds',
    'on_main_process',
    'open_campaign',
    'score_pool',
    'select',
    'spent',
    'verify',
]
