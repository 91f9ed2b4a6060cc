"""Query strategies: how useful the label of a pixel would be."""

from ..pool.outputs import PoolOutputs
from .base import QueryContext, QueryStrategy
from .deal import DEALQuery
from .plar import PLARQuery
from .seed import SeedQuery
from .uncertainty import (
    ConfidenceQuery,
    EntropyQuery,
    ErrorMaskQuery,
    LeastConfidenceQuery,
    MarginQuery,
    RandomQuery,
)

__all__ = [
    'ConfidenceQuery',
    'DEALQuery',
    'EntropyQuery',
    'ErrorMaskQuery',
    'LeastConfidenceQuery',
    'MarginQuery',
    'PLARQuery',
    'PoolOutputs',
    'QueryContext',
    'QueryStrategy',
    'RandomQuery',
    'SeedQuery',
]
