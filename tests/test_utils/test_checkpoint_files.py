"""Checkpoints that are damaged: every byte is changed in turn."""

import io
import zipfile

import pytest
import torch
from tiny_runs import assert_equal

from mmseg_tsf.utils.checkpoint_files import (
    check_checkpoint,
    checkpoint_damage,
    damaged_checkpoints,
    write_checkpoint,
)
from mmseg_tsf.utils.errors import UserError


def small_checkpoint(path, sealed=True):
    content = dict(
        state_dict={'a.weight': torch.arange(6.0).view(2, 3), 'b': torch.ones(1)},
        meta=dict(iter=3, settings={'model.type': 'X'}),
    )
    written = io.BytesIO()
    torch.save(content, written)
    write_checkpoint(path, written.getvalue()) if sealed else path.write_bytes(written.getvalue())
    return content


def flipped(whole, place):
    changed = bytearray(whole)
    changed[place] ^= 1 << place % 8
    return changed


def test_no_flipped_bit_becomes_another_weight(tmp_path):
    path = tmp_path / 'iter_3.pth'
    content = small_checkpoint(path)
    assert checkpoint_damage(path) == ''
    assert_equal(torch.load(path, weights_only=True), content)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None and archive.comment.startswith(b'sha256 ')
    whole, unnoticed = path.read_bytes(), 0
    for place in sorted({*range(0, len(whole), 3), *range(len(whole) - 200, len(whole))}):
        path.write_bytes(flipped(whole, place))
        if not checkpoint_damage(path):
            unnoticed += 1
            assert_equal(torch.load(path, weights_only=True), content, f'byte {place}')
    assert unnoticed <= len(b'sha256 ') + 2  # the mark of a digest, and the length of the comment


def test_tensors_of_files_that_others_wrote_are_compared_with_their_checksums(tmp_path):
    path = tmp_path / 'weights.pth'
    small_checkpoint(path, sealed=False)
    assert checkpoint_damage(path) == ''
    whole = path.read_bytes()
    place = whole.index(torch.arange(6.0).numpy().tobytes())
    for offset in range(24):
        path.write_bytes(flipped(whole, place + offset))
        assert checkpoint_damage(path) == 'was altered after it was written'


@pytest.mark.parametrize('share', [0.0, 0.1, 0.5, 0.9])
def test_a_part_of_a_checkpoint_is_named(tmp_path, share):
    path = tmp_path / 'iter_3.pth'
    small_checkpoint(path)
    whole = path.read_bytes()
    for part in (whole[: int(share * len(whole))], bytes(len(whole))):
        path.write_bytes(part)
        with pytest.raises(UserError, match='iter_3.pth is incomplete: take another one, or a co'):
            check_checkpoint(path)
        assert damaged_checkpoints(tmp_path) == [f'{path} is incomplete']


def test_files_without_checksums_and_addresses_are_left_alone(tmp_path):
    torch.save(dict(a=1), tmp_path / 'old.pth', _use_new_zipfile_serialization=False)
    check_checkpoint(tmp_path / 'old.pth')
    check_checkpoint('https://example.org/weights.pth')
    with pytest.raises(UserError, match='none.pth does not exist'):
        check_checkpoint(tmp_path / 'none.pth')
    with pytest.raises(UserError, match=r'cannot be read \(Is a directory\)'):
        check_checkpoint(tmp_path)
