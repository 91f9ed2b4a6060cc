"""Label-efficient semantic segmentation as an MMSegmentation 1.x plugin.

``custom_imports = dict(imports=['mmseg_tsf'])`` in a config registers every component.
"""

__version__ = '0.1.0'

try:
    import mmcv  # noqa: F401
    import mmengine  # noqa: F401
    import mmseg.models  # noqa: F401
except (ImportError, AssertionError) as error:
    raise ImportError(
        'mmseg_tsf needs a working mmengine, mmcv and mmsegmentation stack: '
        '`pip install mmseg_tsf[onedl]` installs the maintained one, '
        '`pip install mmseg_tsf[openmmlab]` (with a compiled mmcv 2.1) the original; '
        f'importing it failed with: {error}'
    ) from error

from . import compat

compat.apply()

from . import active_learning, datasets, demo, engine, evaluation, models  # noqa: E402

__all__ = ['__version__', 'active_learning', 'datasets', 'demo', 'engine', 'evaluation', 'models']
