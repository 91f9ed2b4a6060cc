"""``model-index.yml`` and its metafiles by the rules of MMSegmentation, which keeps them itself.

The rules are those that ``.dev_scripts/update_model_index.py`` of MMSegmentation builds its own
files by and ``mim`` and the ``model-index`` package read them by; where MMSegmentation brings its
files along, they are held against the same rules.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import mmseg
import pytest
import yaml

OURS = Path(__file__).parents[1]
THEIRS = Path(mmseg.__file__).parent / '.mim'
COLLECTION = {'Name', 'License', 'Metadata', 'Paper', 'README', 'Frameworks'}
MODEL = {'Name', 'In Collection', 'Config', 'Metadata', 'Results'}
OF_WEIGHTS = {'Weights', 'Training log', 'Paper', 'Code', 'Framework'}
"""Fields of a model, too, whose weights are published."""
METADATA = {'Training Data', 'Batch Size', 'Architecture'}


def problems(root: Path) -> list[str]:
    """What is wrong with the model index of a project, one sentence each."""
    index = yaml.safe_load((root / 'model-index.yml').read_text())
    files, found = index['Import'], []
    there = sorted(p.relative_to(root).as_posix() for p in root.glob('configs/*/metafile.yaml'))
    if set(index) != {'Import'} or sorted(files) != there:
        found.append(f'Import must list {there} and nothing else')
    metafiles = {name: yaml.safe_load((root / name).read_text()) for name in files}
    collections = [c for meta in metafiles.values() for c in meta.get('Collections', ())]
    models = [m for meta in metafiles.values() for m in meta['Models']]
    for kind, entries in (('collection', collections), ('model', models)):
        names = [entry['Name'] for entry in entries]
        found += [f'{kind} {n} occurs twice' for n in sorted(names) if names.count(n) > 1]
    for name, meta in metafiles.items():
        if not set(meta) <= {'Collections', 'Models'} or not meta['Models']:
            found.append(f'{name} must have Collections and Models and nothing else')
        for collection in meta.get('Collections', ()):
            texts = collection_problems(root, Path(name).parent, collection)
            found += [f'{name}: collection {collection["Name"]}: {text}' for text in texts]
        for model in meta['Models']:
            texts = model_problems(root, Path(name).parent, model, collections)
            found += [f'{name}: model {model["Name"]}: {text}' for text in texts]
    return found


def collection_problems(root: Path, folder: Path, collection: dict) -> list[str]:
    found = []
    if not COLLECTION - {'Paper'} <= set(collection) <= COLLECTION:
        return [f'its fields must be {sorted(COLLECTION)}']
    if not is_text(collection['Name'], collection['License']):
        found.append('Name and License must be text')
    data = collection['Metadata']['Training Data']
    if not isinstance(data, list) or not data or not is_text(*data):
        found.append('Training Data must be a list of names')
    if collection['Frameworks'] != ['PyTorch']:
        found.append('Frameworks must be [PyTorch]')
    if collection['README'] != f'{folder.as_posix()}/README.md':
        found.append('README must be the one beside the metafile')
    return found


def model_problems(root: Path, folder: Path, model: dict, collections: list[dict]) -> list[str]:
    found = []
    if not MODEL - {'Results'} <= set(model) <= MODEL | OF_WEIGHTS:
        found.append(f'its fields must be {sorted(MODEL)}')
    if model['Config'] != f'{folder.as_posix()}/{model["Name"]}.py':
        found.append('Config must be in the folder of the metafile and lend the model its name')
    if not (root / model['Config']).is_file():
        found.append(f'{model["Config"]} does not exist')
    mine = [c for c in collections if c['Name'] == model['In Collection']]
    if not mine:
        return [*found, f'there is no collection {model["In Collection"]}']
    metadata = model['Metadata']
    if not METADATA <= set(metadata) <= METADATA | {'Training Resources', 'Memory (GB)'}:
        return [*found, f'its Metadata must be {sorted(METADATA)}']
    if metadata['Training Data'] not in mine[0]['Metadata']['Training Data']:
        found.append(f'its collection does not name {metadata["Training Data"]!r}')
    size = re.search(r'_(\d+)xb(\d+)[_-]', model['Name'])
    if size and metadata['Batch Size'] != int(size[1]) * int(size[2]):
        found.append(f'Batch Size must be {int(size[1]) * int(size[2])}, as its name says')
    if not metadata['Architecture'] or not is_text(*metadata['Architecture']):
        found.append('Architecture must be a list of names')
    results = model.get('Results') or []
    for result in [results] if isinstance(results, dict) else results:
        found += result_problems(result, metadata['Training Data'])
    return found


def result_problems(result: dict, data: str) -> list[str]:
    if set(result) != {'Task', 'Dataset', 'Metrics'} or result['Task'] != 'Semantic Segmentation':
        return ['a result must have Task: Semantic Segmentation, Dataset and Metrics']
    found = []
    if result['Dataset'] != data:
        found.append('Dataset of a result must be the Training Data')
    metrics = result['Metrics']
    if not metrics or not all(isinstance(value, float) for value in metrics.values()):
        found.append('Metrics must be numbers by name')
    return found


def is_text(*values) -> bool:
    return all(isinstance(value, str) and value for value in values)


def test_ours_is_valid():
    assert problems(OURS) == []


@pytest.mark.parametrize('path', sorted(OURS.glob('configs/*/metafile.yaml')), ids=str)
def test_papers_are_those_that_the_readme_cites(path):
    (collection,) = yaml.safe_load(path.read_text())['Collections']
    text = path.with_name('README.md').read_text()
    assert text.startswith('# ')
    cited = re.search(r'^> \[(.*)\]\(([a-zA-Z]+://\S*)\)', text, re.MULTILINE)
    paper = cited and dict(Title=cited[1], URL=cited[2])
    assert collection.get('Paper') == paper


def test_the_rules_are_those_that_mmsegmentation_keeps():
    if not (THEIRS / 'model-index.yml').is_file():
        pytest.skip('MMSegmentation is installed without its model index')
    models = sum(path.read_text().count('\n- Name: ') for path in THEIRS.rglob('metafile.yaml'))
    # what is left are slips: models that are listed twice, configs whose names are misspelt
    assert models > 400 and len(problems(THEIRS)) < 0.1 * models


@pytest.mark.parametrize(
    ('spoil', 'text'),
    [
        (lambda index, meta: index['Import'].append(index['Import'][0]), 'Import must list'),
        (lambda index, meta: index['Import'].pop(), 'Import must list'),
        (lambda index, meta: meta['Models'].append(meta['Models'][0]), 'occurs twice'),
        (lambda index, meta: meta.update(More=1), 'must have Collections and Models'),
        (lambda index, meta: meta['Collections'][0].update(README='README.md'), 'beside the'),
        (lambda index, meta: meta['Collections'][0].pop('License'), 'its fields must be'),
        (lambda index, meta: meta['Models'][0].update(Name='x'), 'lend the model its name'),
        (lambda index, meta: meta['Models'][0].update(Config='x.py'), 'x.py does not exist'),
        (lambda index, meta: meta['Models'][0].update({'In Collection': 'X'}), 'no collection X'),
        (
            lambda index, meta: meta['Models'][0]['Metadata'].update({'Batch Size': 3}),
            'as its name',
        ),
        (lambda index, meta: meta['Models'][0]['Metadata'].pop('Architecture'), 'Architecture'),
        (lambda index, meta: meta['Models'][0].update(Results=[dict(Task='x')]), 'a result must'),
    ],
)
def test_what_breaks_a_rule_is_named(spoil, text, tmp_path):
    shutil.copytree(OURS / 'configs', tmp_path / 'configs')
    index = yaml.safe_load((OURS / 'model-index.yml').read_text())
    path = tmp_path / 'configs/tsf/metafile.yaml'
    meta = yaml.safe_load(path.read_text())
    spoil(index, meta)
    (tmp_path / 'model-index.yml').write_text(yaml.safe_dump(index))
    path.write_text(yaml.safe_dump(meta))
    assert any(text in problem for problem in problems(tmp_path))
