"""Intermediate feature maps by module path."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ...utils.errors import UserError

INPUT = ':input'
"""Ending of a path that stands for what the module receives."""


class FeatureTap:
    """Collects what named sub-modules return or receive, so that no head has to be subclassed.

    Use it as a context around a forward pass::

        with FeatureTap(segmentor, ['decode_head.bottleneck']) as tap:
            segmentor.decode_head.forward(features)
        tap['decode_head.bottleneck']  # (N, C, h, w)

    Args:
        module: The network.
        paths: Dotted paths as ``named_modules`` gives them, for a module's output; with
            ``':input'`` behind it, for its first argument.

    Raises:
        UserError: A path does not exist; the sentence lists those that do. Or, when it is asked
            for, a module has not run or returns something else than one map.
    """

    def __init__(self, module: nn.Module, paths: Sequence[str]) -> None:
        known = dict(module.named_modules())
        for path in paths:
            if not path or path.removesuffix(INPUT) not in known:
                start = path.split('.')[0]
                near = [name for name in known if name.split('.')[0] == start and name]
                near = near or [name for name, _ in module.named_children()]
                raise UserError(
                    f'feature tap {path!r} names no module of {type(module).__name__}; '
                    f'there are: {", ".join(near)}'
                )
        self._modules = {path: known[path.removesuffix(INPUT)] for path in paths}
        self._handles: list = []
        self._features: dict[str, Tensor] = {}

    def __enter__(self) -> FeatureTap:
        self._features.clear()
        for path, module in self._modules.items():
            self._handles.append(module.register_forward_hook(self._keep(path)))
        return self

    def __exit__(self, *_) -> None:
        while self._handles:
            self._handles.pop().remove()

    def __getitem__(self, path: str) -> Tensor:
        found = self._features.get(path)
        if not isinstance(found, Tensor) or found.dim() != 4:
            raise UserError(
                f'feature tap {path!r} gives no (N, C, h, w) map in a forward pass of backbone '
                'and decode head: name a module of these that returns one'
            )
        return found

    def _keep(self, path: str):
        def hook(module, inputs, output):
            self._features[path] = inputs[0] if path.endswith(INPUT) else output

        return hook
