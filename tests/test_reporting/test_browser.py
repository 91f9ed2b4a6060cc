"""The page in a browser: it loads quickly and without errors, and works by keyboard alone."""

import shutil
import time

import pytest
from made_up_runs import make_run

from mmseg_tsf.reporting.page import write_report

webdriver = pytest.importorskip('selenium.webdriver', reason='selenium is not installed')
Keys = pytest.importorskip('selenium.webdriver.common.keys').Keys
CHROMIUM, DRIVER = shutil.which('chromium'), shutil.which('chromedriver')
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason='chromium or chromedriver is not installed'
)

SIZES = dict(desk=(1366, 768), phone=(390, 844))
ROUNDS, IMAGES = 3, 14
LAYERS = ['pseudo', 'errors', 'refined', 'request', 'answer']
REACHABLE = """
    const all = 'a[href], button, input, summary, [tabindex="0"]';
    return [...document.querySelectorAll(all)].filter((e) => e.checkVisibility());
"""


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    """A page with every section."""
    folder = tmp_path_factory.mktemp('browser')
    run = make_run(folder / 'run', rounds=ROUNDS, images=IMAGES, size=(240, 320))
    return write_report(run, folder / 'out')


@pytest.fixture(scope='module')
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in ('headless=new', 'no-sandbox', 'disable-gpu', 'disable-dev-shm-usage'):
        options.add_argument(f'--{option}')
    options.add_argument('--force-prefers-reduced-motion')  # clicks do not wait for scrolling
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(params=SIZES)
def shown(request, browser, page):
    """The page, opened from its file in one of the window sizes."""
    width, height = SIZES[request.param]
    metrics = dict(width=width, height=height, deviceScaleFactor=1, mobile=False)
    browser.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', metrics)
    browser.get('about:blank')
    browser.get(page.as_uri())
    return browser


def find(browser, selector):
    return browser.find_elements('css selector', selector)


def click(browser, selector):
    (element,) = find(browser, selector)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    element.click()
    return element


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'waited too long'
        time.sleep(0.05)


def opening_time(browser):
    """Milliseconds until the page and what it shows first were loaded."""
    entry = "performance.getEntriesByType('navigation')[0].loadEventEnd"
    wait_for(lambda: browser.execute_script(f'return {entry}'))
    return browser.execute_script(f'return {entry}')


def visible_layers(browser):
    frame = find(browser, '.round:not([hidden]) .frame')[0]
    return [
        layer for layer in LAYERS if frame.find_element('css selector', f'.{layer}').is_displayed()
    ]


def test_it_opens_at_once_without_errors_and_fits(shown):
    times = [opening_time(shown)]
    while min(times) > 2000 and len(times) < 3:  # the machine may be busy
        shown.refresh()
        times.append(opening_time(shown))
    assert 0 < min(times) < 2000
    fits = 'const all = document.documentElement; return all.scrollWidth <= all.clientWidth'
    assert shown.execute_script(fits)
    for summary in find(shown, 'summary'):
        shown.execute_script('arguments[0].parentNode.open = true', summary)
    assert shown.execute_script(fits)
    drawings = [svg.is_displayed() for svg in find(shown, 'svg.chart')]
    assert sum(drawings) == len(drawings) / 2 > 3  # one of the two widths each
    assert shown.get_log('browser') == []


def test_images_load_lazily_and_completely(shown):
    first = shown.execute_script("return performance.getEntriesByType('resource').length")
    images = find(shown, 'img')
    assert len(images) == ROUNDS * 12 * 6 and first < len(images) / 2
    everything = """
        const images = [...document.querySelectorAll('img')];
        for (const image of images) image.loading = 'eager';
        return images.every((image) => image.complete && image.naturalWidth === 320);
    """
    wait_for(lambda: shown.execute_script(everything))
    click(shown, '#palette')
    assert all('.safe.png' in image.get_attribute('src') for image in find(shown, 'img[data-own]'))
    wait_for(lambda: shown.execute_script(everything))
    assert shown.get_log('browser') == []


def test_layers_are_switched_by_buttons_and_keys(shown):
    assert visible_layers(shown) == ['pseudo', 'request']
    click(shown, '[data-layer=pseudo]')
    button = click(shown, '[data-layer=errors]')
    assert visible_layers(shown) == ['errors', 'request']
    assert button.get_attribute('aria-pressed') == 'true'
    button.send_keys('5')
    assert visible_layers(shown) == ['errors', 'request', 'answer']
    assert find(shown, '[data-layer=answer]')[0].get_attribute('aria-pressed') == 'true'
    button.send_keys('5')
    assert visible_layers(shown) == ['errors', 'request']
    find(shown, 'nav a')[0].send_keys('1')  # keys count inside of the gallery alone
    assert visible_layers(shown) == ['errors', 'request']


def test_the_slider_sets_the_opacity_of_layers(shown):
    layer = find(shown, '.round:not([hidden]) .pseudo')[0]
    assert float(layer.value_of_css_property('opacity')) == pytest.approx(0.6)
    slider = click(shown, '#veil')
    slider.send_keys(Keys.HOME)
    assert float(layer.value_of_css_property('opacity')) == 0
    slider.send_keys(Keys.END)
    assert float(layer.value_of_css_property('opacity')) == 1


def test_rounds_are_chosen(shown):
    for number in ('0', str(ROUNDS - 1)):
        click(shown, f'.tools [data-round="{number}"]')
        rounds = find(shown, '.round')
        assert [r.get_attribute('data-round') for r in rounds if r.is_displayed()] == [number]
        (pressed,) = find(shown, '.tools [data-round][aria-pressed=true]')
        assert pressed.text == number


def test_the_palette_colours_labels_and_legends(shown):
    def colours():
        swatch = find(shown, '.keys .swatches i')[0].value_of_css_property('background-color')
        return swatch, find(shown, '.round:not([hidden]) .pseudo')[0].get_attribute('src')

    before = colours()
    button = click(shown, '#palette')
    assert button.get_attribute('aria-pressed') == 'true'
    safe = colours()
    assert before[0] == 'rgba(200, 0, 0, 1)' and safe[0] == 'rgba(230, 159, 0, 1)'
    assert safe[1] == before[1].replace('.png', '.safe.png')
    click(shown, '#palette')
    assert colours() == before


def test_an_image_is_enlarged_and_let_go(shown):
    frames = find(shown, '.round:not([hidden]) .frame')
    shown.execute_script("arguments[0].scrollIntoView({block: 'center'})", frames[0])
    frames[0].send_keys(Keys.ENTER)
    titles = [caption.text for caption in find(shown, '#zoom figcaption')]
    expected = ['Image', 'Pseudo-label', 'Error mask', 'Refined labels', 'Request', 'Answer']
    assert titles == expected
    (title,) = find(shown, '#zoom-title')
    assert title.text == frames[0].get_attribute('data-id')
    sheets = "return [...document.querySelectorAll('#zoom img')].every((i) => i.naturalWidth > 0)"
    wait_for(lambda: shown.execute_script(sheets))
    shown.switch_to.active_element.send_keys(Keys.ARROW_LEFT)
    assert title.text == frames[-1].get_attribute('data-id')
    shown.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not find(shown, '#zoom')[0].is_displayed()
    wait_for(lambda: shown.switch_to.active_element == frames[-1])


def test_every_control_is_reached_by_tab_and_shows_it(shown):
    wanted = shown.execute_script(REACHABLE)
    assert len(wanted) > 35
    reached = []
    for _ in range(len(wanted) + 2):
        shown.switch_to.active_element.send_keys(Keys.TAB)
        element = shown.switch_to.active_element
        reached.append(element)
        if element.tag_name not in ('body', 'html'):
            assert element.value_of_css_property('outline-style') != 'none', element.tag_name
    assert [e for e in wanted if e not in reached] == []


def test_controls_have_names_and_drawings_have_titles(shown):
    for element in find(shown, 'button, input, svg[role=img], [role=region], nav'):
        if element.is_displayed():
            assert element.accessible_name.strip(), element.get_attribute('outerHTML')[:80]
