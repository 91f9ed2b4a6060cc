"""Checkpoints that are on the disk before older ones are deleted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook

from ..utils.checkpoint_files import write_checkpoint


class DurableLocalBackend(LocalBackend):
    """mmengine's local files, with checkpoints written completely or not at all, with a digest.

    Stock mmengine writes a checkpoint under its final name, so that a killed run leaves half of
    one, and leaves it to the system when it reaches the disk.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Writes a file; see :func:`~mmseg_tsf.utils.checkpoint_files.write_checkpoint`.

        Raises:
            StoreError: The disk rejects a checkpoint.
        """
        if str(filepath).endswith('.pth'):
            write_checkpoint(Path(filepath), obj)
        else:
            super().put(obj, filepath)


register_backend('local', DurableLocalBackend, force=True, prefixes='')


def save_before_removing(hook: CheckpointHook) -> None:
    """Lets a hook delete older checkpoints after it has written the new one, not before.

    Args:
        hook: Hook of a run; changed in place.
    """
    for name in ('_save_checkpoint_with_step', '_save_best_checkpoint'):
        setattr(hook, name, _removing_last(hook, getattr(hook, name)))


def _removing_last(hook: CheckpointHook, save: Callable) -> Callable:
    def saved(*args, **kwargs) -> None:
        backend = hook.file_backend
        if isinstance(backend, _Postponing):  # the best checkpoint is followed by the last one
            save(*args, **kwargs)
            return
        hook.file_backend = postponing = _Postponing(backend)
        try:
            save(*args, **kwargs)
        finally:
            hook.file_backend = backend
        kept = {hook.last_ckpt, getattr(hook, 'best_ckpt_path', None)}
        kept |= set(getattr(hook, 'best_ckpt_path_dict', {}).values())
        for remove, path in postponing.removals:
            if path not in kept:
                remove(path)

    return saved


class _Postponing:
    """File backend that only notes what is to be deleted."""

    def __init__(self, backend) -> None:
        self.backend, self.removals = backend, []

    def __getattr__(self, name: str):
        return getattr(self.backend, name)

    def remove(self, path: str) -> None:
        """Notes a file."""
        self.removals.append((self.backend.remove, path))

    def rmtree(self, path: str) -> None:
        """Notes a folder."""
        self.removals.append((self.backend.rmtree, path))
