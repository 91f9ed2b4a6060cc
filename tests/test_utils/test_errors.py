"""Which errors are the disk's, and how they are said."""

import errno

import pytest
from fault_runs import small_disk
from query_runs import random_images

from mmseg_tsf.active_learning import StoreError
from mmseg_tsf.active_learning.selection.selection import choose
from mmseg_tsf.active_learning.selection.selectors.pixels import PixelSelector
from mmseg_tsf.utils.errors import explain_disk_errors, explain_disk_errors_in


def raised(error, folder):
    """What becomes of an error below a folder."""
    with pytest.raises((StoreError, OSError)) as found, explain_disk_errors_in(folder):
        raise error
    return found.value


@pytest.mark.parametrize('code', [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS])
def test_what_only_writing_meets_is_the_disk_s(tmp_path, code):
    assert str(raised(OSError(code, 'system'), tmp_path)).startswith(f'{tmp_path} cannot be')
    error = OSError(code, 'system', str(tmp_path / 'log/x'))
    assert str(raised(error, tmp_path)).startswith(f'{tmp_path}/log/x cannot be written: ')


@pytest.mark.parametrize('code', [errno.EIO, errno.ESTALE])
def test_a_device_that_fails_is_named_without_a_promise(tmp_path, code):
    error = OSError(code, 'system', str(tmp_path / 'x'))
    sentence = str(raised(error, tmp_path))
    assert sentence.startswith(f'{tmp_path}/x cannot be read or written: the ')
    assert 'verify.py' in sentence and 'intact' not in sentence


def test_what_may_not_be_read_elsewhere_is_no_matter_of_the_run_s_disk(tmp_path):
    for error in (
        PermissionError(errno.EACCES, 'system', '/images/x.png'),
        FileNotFoundError(errno.ENOENT, 'system', str(tmp_path / 'x')),
    ):
        assert raised(error, tmp_path) is error
    inside = PermissionError(errno.EACCES, 'system', str(tmp_path / 'x'))
    assert 'x cannot be written: permission is denied' in str(raised(inside, tmp_path))


def test_a_refusal_is_handed_on_as_it_is(tmp_path):
    full = OSError(errno.ENOSPC, 'system')
    with (
        pytest.raises(StoreError, match='b cannot be written: the disk is full: make room'),
        explain_disk_errors_in(tmp_path / 'a'),
        explain_disk_errors(tmp_path / 'b'),
    ):
        raise full


def test_a_full_scratch_disk_is_named(tmp_path, monkeypatch):
    images = list(random_images(41))
    with small_disk(tmp_path / 'disk') as disk:
        monkeypatch.setattr('tempfile.tempdir', str(disk.path))
        assert choose(images, PixelSelector(), 77)
        disk.fill()
        with pytest.raises(StoreError, match=f'{disk.path} cannot be written: the disk is full'):
            choose(images, PixelSelector(), 77)
