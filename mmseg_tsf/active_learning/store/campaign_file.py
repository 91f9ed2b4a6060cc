"""What a campaign is about, on disk: what no resumed run may change, and what it has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from ...utils.files import StoreError, write_file

TRAINING = 'training'
"""Part of a campaign whose keys are compared one by one."""
LATER = (TRAINING, 'initial_paths')


class CampaignFile:
    """``campaign.json`` with a digest of its own content.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, campaign: dict, fixed: Iterable[str]) -> list[str]:
        """Writes the file, or compares it with what it was; see ``RoundStore.open``.

        Args:
            campaign: Anything that JSON takes.
            fixed: Keys that may not change.

        Returns:
            list[str]: Sentences on what else has changed.

        Raises:
            StoreError: A fixed key has changed (names it, and both values).
        """
        if not self.path.exists():
            self.write(campaign)
            return []
        old, campaign = self.read(), json.loads(json.dumps(campaign))
        for name in LATER:  # files of earlier versions do not say
            if name not in old:
                campaign.pop(name, None)
        old, campaign = _flat(old), _flat(campaign)
        changed = [key for key in {**old, **campaign} if old.get(key) != campaign.get(key)]
        for key in changed:
            if key in set(fixed):
                raise StoreError(
                    f'{key} was {_short(old.get(key))} when {self.path.parent} was begun and is '
                    f'{_short(campaign.get(key))} now: labels were bought for the old one; put '
                    'it back, or start anew with another --work-dir'
                )
        return [
            f'{key} was {_short(old.get(key))}, is {_short(campaign.get(key))}' for key in changed
        ]

    def write(self, campaign: dict) -> None:
        """Puts a campaign in the place of the one there is, in one step."""
        sealed = dict(campaign, sha256=_digest(campaign))
        write_file(self.path, json.dumps(sealed, indent=1).encode())

    def read(self) -> dict:
        """What was written.

        Raises:
            StoreError: The file is missing or was altered.
        """
        if not self.path.is_file():
            raise StoreError(
                f'{self.path} is missing: {self.path.parent} holds no active-learning campaign'
            )
        try:
            campaign = json.loads(self.path.read_bytes())
        except ValueError:
            campaign = {}
        campaign = campaign if isinstance(campaign, dict) else {}
        if campaign.pop('sha256', None) != _digest(campaign):
            raise StoreError(
                f'{self.path} was altered after it was written: restore it from a copy'
            )
        return campaign


def _flat(campaign: dict) -> dict:
    training = campaign.pop(TRAINING, {})
    return {**campaign, **training}


def _digest(campaign: dict) -> str:
    return hashlib.sha256(json.dumps(campaign, sort_keys=True).encode()).hexdigest()


def _short(value) -> str:
    text = json.dumps(value)
    return text if len(text) < 80 else text[:77] + '...'
