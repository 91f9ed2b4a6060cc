"""Registries of active learning, in addition to MMSeg's own.

A component is found under its name by any config whose ``default_scope`` is ``'mmseg'``. Importing
``mmseg_tsf`` registers those of the package; ``docs/extending.md`` adds one of each kind::

    @QUERY_STRATEGIES.register_module()
    class MyQuery(QueryStrategy): ...
"""

from mmengine.registry import Registry

_PACKAGE = 'mmseg_tsf.active_learning'

QUERY_STRATEGIES = Registry('query strategy', scope='mmseg', locations=[f'{_PACKAGE}.strategies'])
"""How useful the label of a pixel would be: subclasses of ``QueryStrategy``, in
``train_cfg.query`` and ``train_cfg.first_query``."""

SELECTORS = Registry('selector', scope='mmseg', locations=[f'{_PACKAGE}.selection.selectors'])
"""In which units people are asked: subclasses of ``Selector``, in ``train_cfg.selector``."""

ORACLES = Registry('oracle', scope='mmseg', locations=[f'{_PACKAGE}.oracles'])
"""Who answers: subclasses of ``Oracle``, in ``train_cfg.oracle``."""

EXCHANGE_FORMATS = Registry(
    'exchange format', scope='mmseg', locations=[f'{_PACKAGE}.exchange.formats']
)
"""How a request reaches an annotation tool and comes back: subclasses of ``ExchangeFormat``, in
``--format`` of the tools."""

__all__ = ['EXCHANGE_FORMATS', 'ORACLES', 'QUERY_STRATEGIES', 'SELECTORS']
