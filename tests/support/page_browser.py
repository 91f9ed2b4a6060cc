"""Chromium without a window, and what an annotator does in it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

webdriver = pytest.importorskip('selenium.webdriver', reason='selenium is not installed')
ActionChains = webdriver.ActionChains
CHROMIUM, DRIVER = shutil.which('chromium'), shutil.which('chromedriver')
FLAGS = (
    *('headless=new', 'no-sandbox', 'disable-gpu', 'disable-dev-shm-usage', 'no-first-run'),
    *('disable-quic', 'disable-background-networking', 'disable-component-update', 'disable-sync'),
)
DESK, TABLET = (1366, 768), (1024, 768)


class Annotator:
    """One browser with one profile.

    Args:
        folder: Folder for profile and saved files.

    Attributes:
        driver: The browser.
    """

    def __init__(self, folder: Path) -> None:
        self.files = folder / 'saved'
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in (*FLAGS, f'user-data-dir={folder / "profile"}'):
            options.add_argument(f'--{flag}')
        options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
        service = webdriver.ChromeService(DRIVER)
        self.driver = webdriver.Chrome(options=options, service=service)
        self.command('Browser.setDownloadBehavior', behavior='allow', downloadPath=str(self.files))
        self.resize(DESK)

    def command(self, name: str, **options) -> dict:
        """A command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, options)

    def resize(self, size: tuple[int, int], touch: bool = False) -> None:
        """Sets the size of the page, and whether it is used by fingers."""
        metrics = dict(width=size[0], height=size[1], deviceScaleFactor=1, mobile=touch)
        self.command('Emulation.setDeviceMetricsOverride', **metrics)
        self.command('Emulation.setTouchEmulationEnabled', enabled=touch)

    def open(self, page: Path) -> None:
        """Opens a page; closes the introduction if it shows."""
        self.driver.get(page.as_uri())
        wait_for(lambda: self.text('title') or self.text('warning'))
        if self.text('count').startswith('0 of') and not self.text('warning'):
            wait_for(lambda: self.text('start-title'))
            self.close_dialogs()

    def close_dialogs(self) -> None:
        """Closes what lies above the page."""
        self.run("for (const one of document.querySelectorAll('dialog[open]')) one.close()")
        wait_for(lambda: self.run('return document.activeElement.id') == 'canvas')

    def run(self, script: str, *arguments):
        """Result of a script."""
        return self.driver.execute_script(script, *arguments)

    def text(self, element: str) -> str:
        """Text of an element, empty if it is hidden."""
        return self.driver.find_element('id', element).text

    def click(self, element: str) -> None:
        """Clicks an element."""
        self.driver.find_element('id', element).click()

    def press(self, *keys: str) -> None:
        """Presses keys one after the other."""
        chain = ActionChains(self.driver, duration=0)
        for key in keys:
            chain.send_keys(key)
        chain.perform()

    def hold(self, modifier: str, key: str) -> None:
        """Presses a key while another is held."""
        chain = ActionChains(self.driver, duration=0)
        chain.key_down(modifier).send_keys(key).key_up(modifier).perform()

    def choose(self, value: int) -> None:
        """Clicks the button of a class."""
        self.driver.find_elements('css selector', '#classes button')[value].click()

    def drag(self, points: list[tuple[float, float]], release: bool = True) -> None:
        """Draws with the mouse from point to point of the window."""
        pen = dict(button='left', clickCount=1)
        for i, (x, y) in enumerate(points):
            kind = 'mouseMoved' if i else 'mousePressed'
            self.command('Input.dispatchMouseEvent', type=kind, x=x, y=y, **pen)
        if release:
            x, y = points[-1]
            self.command('Input.dispatchMouseEvent', type='mouseReleased', x=x, y=y, **pen)

    def tap(self, element) -> None:
        """Touches the middle of an element."""
        box = element.rect
        point = dict(x=box['x'] + box['width'] / 2, y=box['y'] + box['height'] / 2)
        time.sleep(0.4)  # two touches in quick succession are another gesture
        self.command('Input.dispatchTouchEvent', type='touchStart', touchPoints=[point])
        time.sleep(0.05)
        self.command('Input.dispatchTouchEvent', type='touchEnd', touchPoints=[])
        time.sleep(0.1)  # the browser makes a click of it a little later

    def stroke(self, points: list[tuple[float, float]]) -> None:
        """Draws with a finger from point to point of the window."""
        for i, (x, y) in enumerate(points):
            kind = 'touchMove' if i else 'touchStart'
            self.command('Input.dispatchTouchEvent', type=kind, touchPoints=[dict(x=x, y=y)])
        self.command('Input.dispatchTouchEvent', type='touchEnd', touchPoints=[])

    def place(self, size: tuple[int, int]) -> Callable[[float, float], tuple[float, float]]:
        """Function from x and y in an image to the window, while the whole image is shown.

        Args:
            size: Height and width of the image.
        """
        box = self.driver.find_element('id', 'canvas').rect
        scale = min(box['width'] / size[1], box['height'] / size[0])
        left = box['x'] + (box['width'] - size[1] * scale) / 2
        top = box['y'] + (box['height'] - size[0] * scale) / 2
        return lambda x, y: (left + x * scale, top + y * scale)

    def save(self) -> Path:
        """Saves the work and returns the file."""
        self.click('open-save')
        wait_for(lambda: any(map(_is_json, self.files.glob('*.json'))))
        (path,) = self.files.glob('*.json')
        return path.rename(self.files.parent / f'{path.stem}_{time.monotonic_ns()}.json')

    def wait_for_count(self, count: int) -> None:
        """Waits until so many regions are answered."""
        wait_for(lambda: self.text('count').startswith(f'{count} of '))

    def wait_for_image(self, image_id: str) -> None:
        """Waits until a region of an image is shown; keys before that answer nothing."""
        wait_for(lambda: self.text('image').startswith(f'{image_id} ('))

    def wait_until_kept(self) -> None:
        """Waits until the browser has had the time to store the last answers."""
        time.sleep(0.3)

    def quit(self) -> None:
        """Ends the browser."""
        self.driver.quit()


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    """Waits until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'waited too long'
        time.sleep(0.02)


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text())
    except ValueError:
        return False
    return True
