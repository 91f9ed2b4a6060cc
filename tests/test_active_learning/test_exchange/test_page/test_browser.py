"""The page in a browser: what was clicked is what arrives, whatever happens in between."""

import json
import time

import numpy as np
import pytest
from page_requests import make_request, units_of
from PIL import Image

page_browser = pytest.importorskip('page_browser', reason='selenium is not installed')
from page_browser import CHROMIUM, DESK, DRIVER, TABLET, Annotator, wait_for  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from tool_loader import load_tool  # noqa: E402

from mmseg_tsf.active_learning.store.label_png import decode  # noqa: E402

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason='chromium or chromedriver is not installed'
)

CLASSES = ('road', 'car', 'pole', *(f'kind {i}' for i in range(4, 13)))
SIZE = (60, 90)
IDS = ('deep/a b', 'deep/b#1', 'c')
import_answers = load_tool('active_learning/import_answers.py').main


def asked_masks():
    masks = {image_id: np.zeros(SIZE, bool) for image_id in IDS}
    for top in (4, 34):
        for left in (6, 36, 66):
            masks['deep/a b'][top : top + 20, left : left + 16] = True
    masks['deep/b#1'][10:50, 20:70] = True
    masks['deep/b#1'][20:30, 40:50] = False
    masks['c'][5, [5, 7]] = masks['c'][50, 80] = True
    masks['c'][20:40, 30:60] = True
    return masks


def believed(image_id):
    rows, columns = np.indices(SIZE)
    return ((columns // 30 + IDS.index(image_id)) % 3).astype(np.uint8)


@pytest.fixture(scope='module')
def shared(tmp_path_factory):
    """A browser that several tests use, each with a request of its own."""
    annotator = Annotator(tmp_path_factory.mktemp('browser'))
    yield annotator
    annotator.quit()


@pytest.fixture
def request_folder(tmp_path):
    beliefs = {image_id: believed(image_id) for image_id in IDS}
    return make_request(tmp_path, asked_masks(), beliefs, CLASSES)


@pytest.fixture
def page(request_folder):
    return request_folder.sealed.path / 'annotate.html'


@pytest.fixture
def annotator(shared, page, tmp_path):
    """The browser with the page of the request open."""
    shared.resize(DESK)
    shared.files = tmp_path / 'saved'
    shared.command('Browser.setDownloadBehavior', behavior='allow', downloadPath=str(shared.files))
    shared.open(page)
    yield shared
    for handle in shared.driver.window_handles[1:]:
        shared.driver.switch_to.window(handle)
        shared.driver.close()
    shared.driver.switch_to.window(shared.driver.window_handles[0])
    errors = [one for one in shared.driver.get_log('browser') if one['level'] == 'SEVERE']
    assert errors == []


def arrived(request, file):
    """Answers by image id, after the import."""
    import_answers([str(request.sealed.path), str(file), '--format', 'page', '--overwrite'])
    found = {}
    for path in request.answers.rglob('*.png'):
        image_id = path.relative_to(request.answers).with_suffix('').as_posix()
        found[image_id] = decode(path.read_bytes(), str(path))
    return found


def expected(request, answers):
    """Answers by image id from the class of each unit; a function gives that of each pixel."""
    found = {}
    for image_id in IDS:
        units = units_of(request, image_id)
        found[image_id] = np.full(SIZE, 255, np.uint8)
        for unit, value in answers.get(image_id, {}).items():
            found[image_id][units == unit] = value
    return {i: labels for i, labels in found.items() if answers.get(i)}


def check(request, file, wanted):
    found = arrived(request, file)
    assert set(found) == set(wanted)
    for image_id, labels in wanted.items():
        assert np.array_equal(found[image_id], labels), image_id


def test_keys_and_clicks_arrive(annotator, request_folder):
    order = sorted(IDS)  # c, deep/a b, deep/b#1
    assert annotator.text('title') == '2 pixels (1 of 3)'
    annotator.press('2')
    annotator.choose(4)
    annotator.press('0')
    annotator.wait_for_image('deep/a b')
    annotator.press('1', '2', '3', Keys.ENTER)
    annotator.wait_for_count(7)
    annotator.press('u')  # takes the belief back
    annotator.wait_for_count(6)
    annotator.hold(Keys.SHIFT, 'U')
    annotator.wait_for_count(7)
    annotator.press(Keys.ARROW_LEFT, Keys.BACKSPACE, '5')
    annotator.click('unknown')
    annotator.press(Keys.ENTER)  # the ninth is the last of its image
    annotator.wait_for_image('deep/b#1')
    annotator.press(Keys.ENTER)  # a ring of three classes, as believed
    annotator.wait_for_count(10)
    assert 'All regions are answered' in annotator.text('end')
    annotator.close_dialogs()
    file = annotator.save()
    wanted = expected(
        request_folder,
        {
            order[0]: {1: 1, 2: 4, 3: 255},
            order[1]: {1: 0, 2: 4, 3: 2, 4: 1, 5: 255, 6: 1},
            order[2]: {1: 9},
        },
    )
    wanted['deep/a b'][units_of(request_folder, 'deep/a b') == 4] = believed('deep/a b')[40, 70]
    last = units_of(request_folder, 'deep/a b') == 6
    wanted['deep/a b'][last] = believed('deep/a b')[last]
    ring = asked_masks()['deep/b#1']
    wanted['deep/b#1'][ring] = believed('deep/b#1')[ring]
    check(request_folder, file, wanted)
    saved = json.loads(file.read_text())
    seconds = [unit[2] for image in saved['images'].values() for unit in image['units']]
    assert len(seconds) == 10 and all(0 < one < 30 for one in seconds)


def test_parts_are_painted_by_brush_polygon_and_lasso(annotator, request_folder):
    annotator.click('open-overview')
    annotator.driver.find_elements('css selector', '.card')[2].click()
    annotator.wait_for_image('deep/b#1')
    annotator.press('+', 'f')
    at = annotator.place(SIZE)
    ring = asked_masks()['deep/b#1']
    labels = np.full(SIZE, 255, np.uint8)
    y, x = np.indices(SIZE) + 0.5
    # a lasso around the left part, from outside
    annotator.press('l', '1')
    annotator.drag([at(10, 5), at(30, 5), at(30, 55), at(10, 55)])
    labels[ring & (x < 30)] = 0
    # a triangle
    annotator.press('p', '2')
    for corner in ((50, 10), (70, 10), (70, 40), (50, 10)):
        annotator.drag([at(*corner)])
    triangle = (y > 10) & (x < 70) & ((y - 10) / 30 < (x - 50) / 20)
    labels[ring & triangle] = 1
    # a stroke of the brush, and one that is taken back
    annotator.press('b', '3', '[', '[')
    size = float(annotator.text('size').split()[0])
    size = 15 / 1.35**2 if round(15 / 1.35**2) == size else None
    annotator.drag([at(40, 45), at(60, 45)])
    distance = np.hypot(x - np.clip(x, 40, 60), y - 45)
    labels[ring & (distance <= size / 2)] = 2
    annotator.drag([at(25, 12), at(60, 12)])
    annotator.press('u')
    annotator.wait_for_count(0)
    # the rest as the network says
    annotator.press(Keys.ENTER)
    annotator.wait_for_count(1)
    rest = ring & (labels == 255)
    labels[rest] = believed('deep/b#1')[rest]
    assert sorted(np.unique(labels[ring])) == [0, 1, 2]
    check(request_folder, annotator.save(), {'deep/b#1': labels})


def test_parts_are_painted_by_keyboard_alone(annotator, request_folder):
    annotator.press(Keys.ARROW_RIGHT)  # the region of c: rows 20 to 39, columns 30 to 59
    assert annotator.text('title') == 'Region 2 of 3'
    annotator.press('b', '1', *'[' * 12)
    annotator.hold(Keys.SHIFT, Keys.ARROW_RIGHT)  # by one pixel, from the middle
    annotator.press(' ')
    annotator.hold(Keys.SHIFT, '3')  # the rest
    annotator.wait_for_count(1)
    labels = np.full(SIZE, 255, np.uint8)
    labels[20:40, 30:60] = 2
    labels[30, 46] = 0
    check(request_folder, annotator.save(), {'c': labels})


def test_several_regions_are_answered_at_once(annotator, request_folder):
    annotator.press(*[Keys.ARROW_RIGHT] * 3)
    annotator.wait_for_image('deep/a b')
    annotator.press('+', 'f', 'g')
    at = annotator.place(SIZE)
    # the two to the right, of which the first is in question
    annotator.drag([at(60, 1), at(88, 1), at(88, 58), at(60, 58)])
    assert annotator.text('title') == 'Region 1 of 6 and 1 more'
    annotator.press('a')  # and the next
    wait_for(lambda: annotator.text('title') == 'Region 1 of 6 and 2 more')
    annotator.drag([at(8, 44)])  # and the last
    wait_for(lambda: annotator.text('title') == 'Region 1 of 6 and 3 more')
    annotator.press('4')
    annotator.wait_for_count(4)
    units = units_of(request_folder, 'deep/a b')
    chosen = np.isin(units, [1, 2, units[40, 70], units[40, 10]])
    labels = np.where(chosen, 3, 255).astype(np.uint8)
    annotator.press('u')
    annotator.wait_for_count(0)
    annotator.hold(Keys.SHIFT, 'U')
    annotator.wait_for_count(4)
    check(request_folder, annotator.save(), {'deep/a b': labels})


def test_a_class_without_a_key_is_searched(annotator, request_folder):
    annotator.press('/')
    annotator.press(*'kind 1', Keys.ARROW_DOWN)
    rows = annotator.driver.find_elements('css selector', '#classes button')
    assert [row.text for row in rows if row.is_displayed()] == ['kind 10', 'kind 11', 'kind 12']
    annotator.press(Keys.ENTER)
    annotator.wait_for_count(1)
    annotator.press('1')  # the keys are those of the page again
    annotator.wait_for_count(2)
    units = units_of(request_folder, 'c')
    labels = np.full(SIZE, 255, np.uint8)
    labels[units == 1] = CLASSES.index('kind 11')
    labels[units == 2] = 0
    check(request_folder, annotator.save(), {'c': labels})


def test_work_survives_a_reload_and_a_part_of_a_region(annotator, request_folder, page):
    annotator.press('1')
    annotator.wait_for_count(1)
    annotator.press('b', '2', ' ')  # one stroke in the second
    annotator.wait_until_kept()
    annotator.open(page)
    annotator.wait_for_count(1)
    assert annotator.text('title') == 'Region 2 of 3'
    assert not annotator.driver.find_element('id', 'start').is_displayed()
    annotator.hold(Keys.SHIFT, '3')  # a whole region, unless a tool paints
    annotator.wait_for_count(2)
    annotator.press('u')
    annotator.wait_for_count(1)
    annotator.press('b')
    annotator.hold(Keys.SHIFT, '3')
    annotator.wait_for_count(2)
    found = arrived(request_folder, annotator.save())['c'][20:40, 30:60]
    y, x = np.indices(found.shape) + 0.5
    stroke = np.hypot(x - 15, y - 10) <= 7.5
    assert np.array_equal(found, np.where(stroke, 1, 2))


def test_a_saved_file_goes_on_in_another_browser(annotator, request_folder, page):
    annotator.press('1', '2', Keys.ENTER)
    annotator.wait_for_image('deep/a b')
    annotator.press('0', 'b', '3', ' ')  # a part of the fifth
    annotator.wait_for_count(4)
    first = annotator.save()
    annotator.run("indexedDB.deleteDatabase('mmseg_tsf annotate')")
    annotator.open(page)
    annotator.wait_for_count(0)
    annotator.driver.find_element('id', 'load').send_keys(str(first))
    annotator.wait_for_count(4)
    second = annotator.save()
    same = [json.loads(path.read_text())['images'] for path in (first, second)]
    assert same[0] == same[1] and len(same[0]) == 2
    annotator.press('u')
    annotator.wait_for_count(0)


def test_one_of_two_tabs_works(annotator, request_folder, page):
    driver = annotator.driver
    annotator.press('1')
    annotator.wait_for_count(1)
    annotator.wait_until_kept()
    first = driver.current_window_handle
    driver.switch_to.new_window('tab')
    annotator.open(page)
    assert 'open in another tab' in annotator.text('warning')
    annotator.press('2')  # nothing happens here yet
    driver.find_element('css selector', '#warning button').click()
    annotator.wait_for_count(1)
    annotator.press('2')
    annotator.wait_for_count(2)
    second = driver.current_window_handle
    driver.switch_to.window(first)
    wait_for(lambda: 'was opened in another tab' in annotator.text('warning'))
    annotator.press('5')
    annotator.wait_for_count(1)
    driver.find_element('css selector', '#warning button').click()  # back to the first
    annotator.wait_for_count(2)
    annotator.press('3')
    annotator.wait_for_count(3)
    driver.switch_to.window(second)
    wait_for(lambda: 'was opened in another tab' in annotator.text('warning'))
    driver.switch_to.window(first)
    wanted = expected(request_folder, {'c': {1: 0, 2: 1, 3: 2}})
    check(request_folder, annotator.save(), wanted)


def test_a_full_disk_is_said_and_nothing_is_lost(annotator, request_folder, page):
    annotator.press('1')
    annotator.wait_until_kept()
    annotator.run("""
        window.put = IDBObjectStore.prototype.put;
        IDBObjectStore.prototype.put = () => {
          throw new DOMException('no room', 'QuotaExceededError');
        };
    """)
    annotator.press('2')
    wait_for(lambda: 'storage of this browser is full' in annotator.text('warning'))
    annotator.press('3')
    annotator.wait_for_count(3)
    wanted = expected(request_folder, {'c': {1: 0, 2: 1, 3: 2}})
    check(request_folder, annotator.save(), wanted)
    annotator.run('IDBObjectStore.prototype.put = window.put')
    annotator.driver.find_element('css selector', '#warning button').click()
    wait_for(lambda: annotator.text('warning') == '')
    annotator.wait_until_kept()
    annotator.open(page)
    annotator.wait_for_count(3)
    check(request_folder, annotator.save(), wanted)


def test_a_missing_or_wrong_image_is_named_and_passed_over(annotator, request_folder, page):
    (request_folder.sealed.path / 'images/deep/a b.png').unlink()
    other = request_folder.sealed.path / 'images/deep/b#1.png'
    other.unlink()
    Image.fromarray(np.zeros((60, 91), np.uint8)).save(other)
    annotator.open(page)
    annotator.press('1', '1', '1')
    annotator.wait_for_count(3)
    wait_for(lambda: '7 regions are left, whose images' in annotator.text('end'))
    assert 'cannot be opened (images/deep/a b.png)' in annotator.text('warning')
    assert 'has 91x60 pixels instead of 90x60' in annotator.text('warning')
    annotator.close_dialogs()
    annotator.driver.get_log('browser')  # the browser, too, says that the file is missing


@pytest.mark.parametrize('size', [DESK, TABLET])
def test_everything_is_in_the_window(annotator, size):
    annotator.resize(size, touch=size == TABLET)
    annotator.press('b')
    time.sleep(0.1)
    inside = """
        return [...document.querySelectorAll('header *, aside > *, main *')].filter((one) => {
          const box = one.getBoundingClientRect();
          const shown = one.checkVisibility() && box.width > 0;
          return shown && (box.right > innerWidth + 1 || box.bottom > innerHeight + 1);
        }).map((one) => one.outerHTML.slice(0, 80));
    """
    assert annotator.run(inside) == []
    small = """
        return [...document.querySelectorAll('button')].filter((one) => {
          const box = one.getBoundingClientRect();
          return one.checkVisibility() && (box.height < arguments[0] || box.width < arguments[0]
            || one.scrollWidth > one.clientWidth + 1);
        }).map((one) => one.outerHTML.slice(0, 80));
    """
    assert annotator.run(small, 44 if size == TABLET else 30) == []


def test_fingers_answer_and_paint(annotator, request_folder):
    annotator.resize(TABLET, touch=True)
    buttons = annotator.driver.find_elements('css selector', '#classes button')
    annotator.tap(buttons[2])
    annotator.wait_for_count(1)
    annotator.tap(annotator.driver.find_element('id', 'accept'))
    annotator.wait_for_count(2)
    annotator.tap(annotator.driver.find_element('id', 'unknown'))
    annotator.wait_for_count(3)
    labels = expected(request_folder, {'c': {1: 2, 2: 0, 3: 255}})['c']
    region = units_of(request_folder, 'c') == 2
    labels[region] = believed('c')[region]
    annotator.wait_for_image('deep/a b')
    annotator.press('+', 'f')
    at = annotator.place(SIZE)
    lasso = annotator.driver.find_elements('css selector', '#tools button')[3]
    for button in (lasso, buttons[1]):
        annotator.tap(button)
        wait_for(lambda button=button: button.get_attribute('aria-pressed') == 'true')
    annotator.stroke([at(60, 1), at(74, 1), at(74, 30), at(60, 30)])
    assert annotator.text('message') == ''
    annotator.tap(annotator.driver.find_element('id', 'accept'))
    annotator.wait_for_count(4)
    painted = np.full(SIZE, 255, np.uint8)
    painted[4:24, 66:82] = believed('deep/a b')[4:24, 66:82]
    painted[4:24, 66:74] = 1
    check(request_folder, annotator.save(), {'c': labels, 'deep/a b': painted})


def test_a_key_that_is_held_answers_once(annotator):
    key = dict(key='1', code='Digit1', windowsVirtualKeyCode=49)
    for repeat in (False, True, True):
        annotator.command('Input.dispatchKeyEvent', type='rawKeyDown', autoRepeat=repeat, **key)
    annotator.command('Input.dispatchKeyEvent', type='keyUp', **key)
    time.sleep(0.1)
    annotator.wait_for_count(1)
    # a French keyboard has & in the place of 1
    annotator.command('Input.dispatchKeyEvent', type='rawKeyDown', **dict(key, key='&'))
    annotator.wait_for_count(2)


def test_the_next_region_is_drawn_within_50_milliseconds(shared, large, tmp_path):
    shared.files = tmp_path / 'saved'
    shared.command('Browser.setDownloadBehavior', behavior='allow', downloadPath=str(shared.files))
    shared.resize(DESK)
    shared.open(large.sealed.path / 'annotate.html')
    keys = [*'12345', Keys.ENTER, '0', '1', '2', '3'] * 6
    for count, key in enumerate(keys, 1):
        shared.press(key)
        shared.wait_for_count(count)
        if count == 1:
            wait_for(lambda: shared.text('title') == 'Region 2 of 3078')
    took = shared.run("return performance.getEntriesByName('next unit').map((e) => e.duration)")
    assert len(took) == 60 and np.median(took) < 50, np.sort(took)
    shared.press('o')
    cards = shared.driver.find_elements('css selector', '.card')
    assert len(cards) == 200
    cards[-1].click()
    wait_for(lambda: '(200 of 200)' in shared.text('image'))
    shared.press('1', '2')
    shared.wait_for_count(62)
    found = json.loads(shared.save().read_text())['images']
    assert [len(image['units']) for image in found.values()] == [60, 2]
    units = units_of(large, 'image_000')
    runs = np.array(found['image_000']['runs']).reshape(-1, 3)
    assert runs[:, 1].sum() == np.isin(units, range(1, 61)).sum()
