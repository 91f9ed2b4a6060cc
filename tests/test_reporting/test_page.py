"""The page shows the contents of the run's files as text and loads nothing from elsewhere."""

import html
import json
import re
from html.parser import HTMLParser

import pytest
from made_up_runs import NAMES, make_run, metrics, write_run_info

from mmseg_tsf.reporting.page import write_report
from mmseg_tsf.utils.errors import UserError


class Reader(HTMLParser):
    """Collects the rows of tables, ids, texts and addresses of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows, self.ids, self.tags, self.addresses, self.texts = [], [], [], [], []
        self.in_row = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        self.ids += [attrs['id']] if 'id' in attrs else []
        self.addresses += [attrs[key] for key in ('src', 'href') if attrs.get(key)]
        if tag == 'tr':
            self.rows.append([])
            self.in_row = True
        if tag in ('td', 'th'):
            self.rows[-1].append('')

    def handle_endtag(self, tag):
        self.in_row = self.in_row and tag != 'tr'

    def handle_data(self, data):
        self.texts.append(data)
        if self.in_row and self.rows[-1]:
            self.rows[-1][-1] += data.strip()


@pytest.fixture(scope='module')
def page(made_up, tmp_path_factory):
    out = tmp_path_factory.mktemp('out')
    return Reader(write_report(made_up, out).read_text()), out


def test_every_section_is_there_and_every_id_once(page):
    reader, _ = page
    sections = [attrs['id'] for tag, attrs in reader.tags if tag == 'section']
    assert sections == ['run', 'score', 'classes', 'budget', 'refinement', 'training', 'gallery']
    assert len(set(reader.ids)) == len(reader.ids)
    links = {address[1:] for address in reader.addresses if address.startswith('#')}
    assert links == {*sections, 'main'}


def test_nothing_is_loaded_from_elsewhere_and_every_file_is_there(page):
    reader, out = page
    files = [a for a in reader.addresses if not a.startswith(('#', 'data:,'))]
    assert len(files) == 2 * 5 * 6 and not any(
        ':' in name or name.startswith('/') for name in files
    )
    other = [attrs[k] for _, attrs in reader.tags for k in ('data-own', 'data-safe') if k in attrs]
    assert all((out / name).is_file() for name in [*files, *other])
    text = (out / 'index.html').read_text()
    assert 'http' not in text.replace('http://www.w3.org', '')
    assert '@import' not in text and 'url(' not in text


def test_names_are_text_and_never_markup(page):
    _, out = page
    text = (out / 'index.html').read_text()
    assert '<b>pole' not in text and html.escape(NAMES[3]) in text


def test_tables_hold_the_numbers(page):
    rows = [row for row in page[0].rows if row]
    assert ['sky', '31.0', '36.0', '41.0', '+10.0'] in rows  # IoU of a class by round
    assert ['mean', '30.0', '35.0', '40.0', '+10.0'] in rows
    assert any(row[:1] == ['made_up'] and row[2] == '35.00' for row in rows)  # the curve
    assert ['0', '', '1,000', '40.0 %', '30.0 %', '10.00 %'] in [row[:6] for row in rows]
    assert [
        '1',
        '',
        '30',
        '100',
        '30.0 %',
    ] in rows  # wrong before, by the snapshots: 5 * 6 of 5 * 20
    assert ['0', '9.0', '1.0', '2.0', '0.2', '0.5'] in rows  # seconds
    assert ['60', '–', '–', '–', '–', '61.5', '–'] in rows  # hidden ground truth
    assert ['1', '40.0', '–', '–', '–', '60.0', '70.0'] in rows  # snapshots
    assert ['loss_ts', '0.1111', '0.1111', '1'] in rows


def test_classes_and_images_add_up(page, made_up):
    from mmseg_tsf.active_learning import RoundStore

    store, rows = RoundStore(made_up / 'rounds'), page[0].rows
    counts = [store.answer(r).images[i]['classes'] for r in (0, 1) for i in store.answer(r).images]
    bought = [sum(column) for column in zip(*counts, strict=True)]
    by_class = [row for row in rows if len(row) == 4 and row[0] in NAMES and row[1] == '']
    assert [int(row[2].replace(',', '')) for row in by_class] == bought
    image = max(
        store.request(0).images,
        key=lambda i: sum(store.request(r).images[i]['pixels'] for r in (0, 1)),
    )
    pixels = sum(store.request(r).images[image]['pixels'] for r in (0, 1))
    assert [image, '2', str(pixels)] in rows


def test_the_run_is_described(page):
    text = ' '.join(' '.join(page[0].texts).split())
    for part in ('MeanTeacher', '0123456789ab', 'configs/made_up.py', '4 × 2', 'Seed 7', '123 MiB'):
        assert part in text
    assert 'The teacher went from 30.0 to 40.0 mIoU over 2 rounds. Training is finished.' in text
    assert 'train_dataloader = ' in text  # the whole config


def test_runs_to_compare_with_are_curves_and_levels(tmp_path):
    run, other = (make_run(tmp_path / name, images=2) for name in ('run', 'other'))
    write_run_info(other, seed=8)
    full = tmp_path / 'full'
    full.mkdir()
    write_run_info(full, config='configs/full.py')
    with pytest.raises(UserError, match='full has no teacher/mIoU at iteration 90'):
        write_report(run, compare=[full])
    (full / 'test_metrics.json').write_text(
        json.dumps(dict(checkpoint='iter_90.pth', metrics=metrics(77.0)))
    )
    page = write_report(run, tmp_path / 'out', compare=[other, full]).read_text()
    reader = Reader(page)
    assert ['full, as tested', '–', '77.00', '–'] in reader.rows
    assert [row[2] for row in reader.rows if row[:1] == ['made_up (n=1)']] == [
        '30.00',
        '35.00',
        '40.00',
    ]
    wide = page[page.index('<div class="wide">') : page.index('<div class="narrow">')]
    assert re.findall(r'class="(line|level) (s\d)"', wide) == [
        ('line', 's0'),
        ('line', 's1'),
        ('level', 's2'),
    ]
    with pytest.raises(UserError, match='nothing is not the folder of a run'):
        write_report(run, compare=[tmp_path / 'nothing'])


def test_runs_without_rounds_lack_the_sections_on_rounds(tmp_path):
    write_run_info(tmp_path, finished_iters=0, lists={})
    reader = Reader(write_report(tmp_path).read_text())
    assert [attrs['id'] for tag, attrs in reader.tags if tag == 'section'] == ['run']
    assert 'MeanTeacher, 90 iterations from its images; not finished.' in reader.texts
    path = tmp_path / '20300101/vis_data/scalars.json'
    path.parent.mkdir(parents=True)
    entries = [
        {'loss': 1.0, 'step': 10},
        dict(metrics(30.0), step=45),
        dict(metrics(33.0), step=90),
    ]
    path.write_text('\n'.join(map(json.dumps, entries)))
    reader = Reader(write_report(tmp_path).read_text())
    sections = [attrs['id'] for tag, attrs in reader.tags if tag == 'section']
    assert sections == ['run', 'score', 'classes', 'training']
    assert ['sky', '31.0', '34.0', '+3.0'] in reader.rows


def test_other_folders_and_damaged_rounds_are_rejected(tmp_path, own_made_up):
    with pytest.raises(UserError, match='not the folder of a run'):
        write_report(tmp_path)
    mask = next((own_made_up / 'rounds/round_000/request/masks').rglob('*.png'))
    mask.write_bytes(b'')
    with pytest.raises(UserError, match='was altered after it was written'):
        write_report(own_made_up)
    assert not (own_made_up / 'report/index.html').exists()


def test_without_jinja2_the_remedy_is_named(made_up, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'jinja2', None)
    with pytest.raises(UserError, match='pip install jinja2'):
        write_report(made_up, tmp_path)


def test_twenty_rounds_would_stay_below_50_mb(tmp_path):
    run = make_run(tmp_path / 'run', rounds=2, images=15, size=(240, 320))  # noise: packs badly
    page = write_report(run)
    one_round = sum(path.stat().st_size for path in (page.parent / 'img/round_000').iterdir())
    assert len(list((page.parent / 'img/round_000').glob('*_image.jpg'))) == 12
    assert 20 * (one_round + page.stat().st_size / 2) < 50e6
