"""Rounds of queries and answers inside a budget."""

from .audit import verify
from .budget import Budget, spent
from .build import build_campaign
from .campaign import Campaign, RoundOutcome
from .files import StoreError
from .main_process import on_main_process
from .opening import check_campaign, open_campaign
from .pool import Pool, PoolImage
from .pool_pass import score_pool
from .query_strategies import PoolOutputs, QueryStrategy
from .registry import ORACLES, QUERY_STRATEGIES, SELECTORS
from .round_store import RoundStore
from .selection import Choice, select
from .selectors import Selector

__all__ = [
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
    'on_main_process',
    'open_campaign',
    'score_pool',
    'select',
    'spent',
    'verify',
]
