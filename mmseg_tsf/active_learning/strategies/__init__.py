"""Query strategies: how useful the label of a pixel would be."""

from ..pool.outputs import PoolOutputs
from .base import QueryContext, QueryStrategy
from .committee import QBCQuery
from .core_set import CoreSetQuery
from .deal import DEALQuery
from .foreground import ClaSPQuery, ForegroundRandomQuery
from .plar import PLARQuery
from .regions import PixelPickQuery, RIPUQuery, S4ALQuery
from .seed import SeedQuery
from .uncertainty import (
    ConfidenceQuery,
    EntropyQuery,
    ErrorMaskQuery,
    LeastConfidenceQuery,
    MarginQuery,
    RandomQuery,
)
from .vaal import VAALQuery

__all__ = [
    'ClaSPQuery',
    'ConfidenceQuery',
    'CoreSetQuery',
    'DEALQuery',
    'EntropyQuery',
    'ErrorMaskQuery',
    'ForegroundRandomQuery',
    'LeastConfidenceQuery',
    'MarginQuery',
    'PLARQuery',
    'PixelPickQuery',
    'PoolOutputs',
    'QBCQuery',
    'QueryContext',
    'QueryStrategy',
    'RIPUQuery',
    'RandomQuery',
    'S4ALQuery',
    'SeedQuery',
    'VAALQuery',
]
