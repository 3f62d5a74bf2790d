"""Two releases side by side in a real browser, as MLflow keeps their evaluations."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.integration.browser.conftest import Site, settled
from tests.support.paired_predictions import disturbed
from tests.support.predictions import synthetic_predictions
from training.evaluate.evaluation import evaluate
from training.evaluate.run import log_evaluation
from training.promote.release import fetch_release
from training.registry import Registry

OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def evaluated(site: Site, mlflow_server: str) -> Site:
    """The site, its two releases tested on the same images, where the second one guesses more."""
    registry = Registry(mlflow_server)
    predictions = synthetic_predictions()
    said = {site.champion: predictions, site.judged: disturbed(predictions, spread=3.0)}
    for release, answers in said.items():
        run_id = fetch_release(registry, release).release.classifier.run_id
        log_evaluation(run_id, "test", evaluate(answers, n_bootstrap=100), answers, "00" * 32)
    return site


def test_two_releases_are_compared_and_all_of_it_is_accessible(open_page: OpenPage, evaluated: Site) -> None:
    page = open_page("evaluation")
    expect(page.get_by_role("heading", name=f"release {evaluated.champion}")).to_be_visible()
    page.get_by_role("combobox", name="Compare with").click()
    page.get_by_role("option", name=f"release {evaluated.judged}", exact=True).click()
    expect(page.get_by_role("heading", name=f"release {evaluated.judged}")).to_be_visible()
    expect(page.get_by_text(f"release {evaluated.champion} is better: AUROC")).to_be_visible()
    expect(page.get_by_text("Alerts per 1,000")).to_have_count(2)
    settled(page)
    assert page.get_by_test_id("stException").count() == 0
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]})
    assert found.violations_count == 0, found.generate_report()
