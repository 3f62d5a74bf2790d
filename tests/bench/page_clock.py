"""How long a reader of the dashboard waits: for a page's beginning, for all of it, and for what a click does.

A page has begun when its title and something below it stand there. It is drawn when, in three frames of the
browser one after another, there is a title, the page's program has run to its end, nothing turns or is grayed
out, every plot has drawn its axes and every picture is there. The clock stops in the third such frame: what
the browser is busy drawing counts.
"""

import time
from collections.abc import Callable

from playwright.sync_api import FilePayload, Locator, Page

DRAWN = """
() => {
    const app = document.querySelector('[data-testid=stApp]');
    const busy = '[data-testid=stSpinner], [data-testid=stSkeleton], [data-stale=true]';
    const plots = [...document.querySelectorAll('[data-testid=stPlotlyChart]')];
    const drawn = document.querySelector('h1')
        && app.getAttribute('data-test-script-state') === 'notRunning'
        && !window.hilumWaiting
        && !document.querySelector(busy)
        && plots.every(plot => plot.querySelector('.main-svg'))
        && [...document.images].every(image => image.complete);
    window.hilumFrames = drawn ? (window.hilumFrames || 0) + 1 : 0;
    return window.hilumFrames >= 3;
}
"""

BEGUN = """
() => document.querySelector('h1')
    && document.querySelectorAll('[data-testid=stMain] [data-testid=stElementContainer]').length > 1
"""

LISTEN = """
window.WebSocket = class extends WebSocket {
    constructor(...given) {
        super(...given);
        this.addEventListener('message', () => {
            window.hilumWaiting = false;
            window.hilumFrames = 0;
        });
    }
};
"""
"""Run before the page's own scripts: each message of the server begins the three frames anew, and the first
one after `WAIT` is the answer's. The program's state alone does not do: a short run passes unseen."""

WAIT = "() => { window.hilumWaiting = true; window.hilumFrames = 0; }"

ANSWER = """
input => {
    window.hilumAnswer = new Promise(resolve => {
        let start;
        input.addEventListener('change', () => { start = performance.now(); }, { capture: true, once: true });
        const answers = input.getRootNode().querySelector('.answers');
        const shown = () => answers.querySelector('li:not([hidden])') && resolve(performance.now() - start);
        new MutationObserver(shown).observe(answers, { subtree: true, attributes: true });
    });
}
"""
"""Takes the time, in ms, from the choice of a file to the sentence that stands in the page for it."""

TIMEOUT_MS = 60_000


def wait_drawn(page: Page) -> None:
    """Return once the page is drawn."""
    page.wait_for_function(DRAWN, polling="raf", timeout=TIMEOUT_MS)


def paint_s(page: Page, url: str) -> tuple[float, float]:
    """Return the seconds from the call of an address to the page's beginning, and to the drawn page."""
    start = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.wait_for_function(BEGUN, polling="raf", timeout=TIMEOUT_MS)
    begun = time.perf_counter() - start
    wait_drawn(page)
    return begun, time.perf_counter() - start


def answer_s(page: Page, drop_zone: Locator, file: FilePayload) -> float:
    """Return the seconds from the choice of a file to its answer in the page, by the page's own clock."""
    drop_zone.evaluate(ANSWER)
    drop_zone.set_input_files([file])
    answered_ms: float = page.evaluate("() => window.hilumAnswer")
    return answered_ms / 1000


def interaction_s(page: Page, act: Callable[[], None]) -> float:
    """Return the seconds from what a reader does to the page drawn anew; its program must run for it."""
    wait_drawn(page)  # what refreshes itself must not be taken for the answer
    page.evaluate(WAIT)
    start = time.perf_counter()
    act()
    wait_drawn(page)
    return time.perf_counter() - start
