"""Registries of active learning, in addition to MMSeg's own."""

from mmengine.registry import Registry

_PACKAGE = 'mmseg_tsf.active_learning'

QUERY_STRATEGIES = Registry('query strategy', scope='mmseg', locations=[f'{_PACKAGE}.strategies'])
SELECTORS = Registry('selector', scope='mmseg', locations=[f'{_PACKAGE}.selection.selectors'])
ORACLES = Registry('oracle', scope='mmseg', locations=[f'{_PACKAGE}.oracles'])
EXCHANGE_FORMATS = Registry(
    'exchange format', scope='mmseg', locations=[f'{_PACKAGE}.exchange.formats']
)
