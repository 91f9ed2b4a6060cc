"""Makes timm importable beside a CPU build of torch.

timm imports torchvision, and the wheel of PyPI is built for CUDA: beside a CPU build of torch its
operators are missing, so that its import fails. timm's models use none of them.
"""

import importlib.util
import re

import torch

_LIBRARIES: list = []


def declare_missing_operators() -> None:
    """Declares the operators that torchvision's import asks for, where they are missing."""
    if importlib.util.find_spec('torchvision') is None:
        return
    for _ in range(20):
        try:
            import torchvision  # noqa: F401
        except RuntimeError as error:
            name = re.search(r'torchvision::(\w+) does not exist', str(error))
            if name is None:
                raise
            library = torch.library.Library('torchvision', 'FRAGMENT')
            library.define(f'{name[1]}() -> ()')
            _LIBRARIES.append(library)
        else:
            return


declare_missing_operators()
