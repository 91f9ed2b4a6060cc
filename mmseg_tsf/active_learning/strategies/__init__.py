"""What to ask first."""

from ..pool.outputs import PoolOutputs
from .base import QueryStrategy
from .confidence import ConfidenceQuery, ErrorMaskQuery
from .plar import PLARQuery
from .random import RandomQuery
from .seed import SeedQuery
from .uncertainty import EntropyQuery, LeastConfidenceQuery, MarginQuery

__all__ = [
    'ConfidenceQuery',
    'EntropyQuery',
    'ErrorMaskQuery',
    'LeastConfidenceQuery',
    'MarginQuery',
    'PLARQuery',
    'PoolOutputs',
    'QueryStrategy',
    'RandomQuery',
    'SeedQuery',
]
