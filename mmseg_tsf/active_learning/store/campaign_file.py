"""Description of a campaign on disk, with the settings that a resumed run must not change."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from ...utils.files import StoreError, write_file
from .sealed_json import from_sealed_json, to_sealed_json

TRAINING = 'training'
"""Key of a nested dict whose own keys are compared one by one."""


class CampaignFile:
    """``campaign.json``, which holds a digest of its own content.

    Args:
        path: Path of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, campaign: dict, fixed: Iterable[str]) -> list[str]:
        """Writes the file, or compares it with the stored one; see ``RoundStore.open``.

        Args:
            campaign: JSON-serialisable description.
            fixed: Keys that must not change.

        Returns:
            list[str]: All other changes, one sentence each.

        Raises:
            StoreError: A fixed key has changed; the message holds both values.
        """
        if not self.path.exists():
            self.write(campaign)
            return []
        old, campaign = _flat(self.read()), _flat(json.loads(json.dumps(campaign)))
        changed = [key for key in {**old, **campaign} if old.get(key) != campaign.get(key)]
        for key in changed:
            if key in set(fixed):
                raise StoreError(
                    f'{key} was {_short(old.get(key))} when {self.path.parent} was begun and is '
                    f'{_short(campaign.get(key))} now, but labels were bought for the old value: '
                    'restore it, or start a new run with another --work-dir'
                )
        return [
            f'{key} was {_short(old.get(key))}, is {_short(campaign.get(key))}' for key in changed
        ]

    def write(self, campaign: dict) -> None:
        """Replaces the file in one step."""
        write_file(self.path, to_sealed_json(campaign, indent=1))

    def read(self) -> dict:
        """Stored description.

        Raises:
            StoreError: The file is missing or altered.
        """
        if not self.path.is_file():
            raise StoreError(
                f'{self.path} is missing: {self.path.parent} holds no active-learning campaign'
            )
        campaign = from_sealed_json(self.path.read_bytes())
        if campaign is None:
            raise StoreError(
                f'{self.path} was altered after it was written: restore it from a copy'
            )
        return campaign


def _flat(campaign: dict) -> dict:
    training = campaign.pop(TRAINING, {})
    return {**campaign, **training}


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) < 80 else text[:77] + '...'
