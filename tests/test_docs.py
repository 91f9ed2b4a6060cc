"""The documents: links lead somewhere, commands and messages exist, guides work as written."""

import importlib
import re
from pathlib import Path

import pytest
from docs_pages import PAGES, ROOT, blocks, commands, name_of
from mmengine.config import Config
from mmseg.registry import HOOKS, LOOPS, MODELS
from tool_loader import options_of

import mmseg_tsf  # noqa: F401
from mmseg_tsf.active_learning import ORACLES, QUERY_STRATEGIES, SELECTORS

SOURCES = [*ROOT.glob('mmseg_tsf/**/*.py'), *ROOT.glob('tools/**/*.py')]


def anchors(page: Path) -> set[str]:
    """Anchors of the headings, made as GitHub makes them."""
    heads = re.findall(r'^#+ (.+)$', page.read_text(), re.M)
    return {re.sub(r'[^\w\- ]', '', head.lower()).replace(' ', '-') for head in heads}


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_links(page):
    for target in re.findall(r'\]\(([^)\s]+)\)', page.read_text()):
        if target.startswith(('http://', 'https://')):
            continue
        path, _, anchor = target.partition('#')
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f'{target} leads nowhere'
        assert not anchor or anchor in anchors(file), f'{target}: no such heading'


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_commands_exist_and_know_their_options(page):
    makefile = (ROOT / 'Makefile').read_text()
    for words in commands(page):
        if words[0] == 'make':
            assert re.search(rf'^{words[1]}:', makefile, re.M), words
        tool = next((w for w in words[:2] if w.startswith(('tools/', 'docs/'))), None)
        if tool is None:
            continue
        if tool.endswith('.sh'):
            tool = f'tools/{"test" if "test" in tool else "train"}.py'
        given = {word.split('=')[0] for word in words if word.startswith('--')}
        if tool.startswith('tools/'):
            known = options_of(tool.removeprefix('tools/'))
        else:
            known = set(re.findall(r"'(--[\w-]+)'", (ROOT / tool).read_text()))
        assert given <= known, (tool, given - known)


def test_troubleshooting_quotes_real_messages():
    text = '\n'.join(path.read_text() for path in SOURCES)
    text = re.sub(r"""['"]\s*\n\s*f?['"]""", '', text)  # strings over several lines
    page = (ROOT / 'docs/troubleshooting.md').read_text()
    cells = re.findall(r'^\| (`.+?) \|', page, re.M)
    quotes = [quote for cell in cells for quote in re.findall(r'`(.+?)`', cell)]
    assert len(quotes) > 15
    assert [quote for quote in quotes if quote not in text] == []


def test_api_names_exist():
    page = (ROOT / 'docs/api.md').read_text()
    registered = dict(MODELS=MODELS, HOOKS=HOOKS, LOOPS=LOOPS, ORACLES=ORACLES)
    registered.update(SELECTORS=SELECTORS, QUERY_STRATEGIES=QUERY_STRATEGIES)
    for names, registry in re.findall(r'^\| (`.+?`) \| `(\w+)` \|', page, re.M):
        for name in re.findall(r'`(\w+)`', names):
            if registry in registered:
                assert registered[registry].get(name) is not None, name
    for module in re.findall(r'`(mmseg_tsf\.[\w.]+)`', page):
        importlib.import_module(module)
    for group in re.findall(r'^\| `([\w/]*\{[\w,]+\}\.py)`', page, re.M):
        head, names = re.fullmatch(r'([\w/]*)\{([\w,]+)\}\.py', group).groups()
        for name in names.split(','):
            assert (ROOT / 'tools' / f'{head}{name}.py').is_file(), name


def test_wrapping_an_existing_config(tmp_path):
    page = ROOT / 'docs/wrap_your_model.md'
    wrap, data, refine = blocks(page, 'python')
    old = "model = dict(type='EncoderDecoder', decode_head=dict(num_classes=4))\n"
    (tmp_path / 'old.py').write_text(old + "val_cfg = dict(type='ValLoop')\ntest_cfg = val_cfg\n")
    code = wrap.replace('path/to/your/mmseg_config.py', './old.py')
    data = data.replace('**old_train_dataset, ', "type='BaseSegDataset', ")
    (tmp_path / 'new.py').write_text(code + data)
    (tmp_path / 'refined.py').write_text("_base_ = './new.py'\n" + refine)
    cfg = Config.fromfile(str(tmp_path / 'refined.py'))
    assert cfg.model.type == 'TeacherStudentFriend'
    assert cfg.model.segmentor.to_dict() == dict(
        type='EncoderDecoder', decode_head=dict(num_classes=4)
    )
    assert cfg.model.error_head.type == 'ErrorMaskDecoder'
    assert cfg.val_cfg.type == 'SemiValLoop'
    assert cfg.train_dataloader.dataset.labelled.ann_file == 'splits/1-8/labelled.txt'
