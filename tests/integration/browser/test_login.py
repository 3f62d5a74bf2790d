"""Signing in with an identity provider, whose word then stands in the ledger's place for a name."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.integration.browser.conftest import Site, settled
from tests.support.dashboards import RunningDashboard, running_dashboard
from tests.support.identity_provider import CLIENT_ID, identity_provider
from tests.support.ports import free_ports

READER = "grace@hospital.example"


@pytest.fixture
def dashboard_with_login(site: Site, tmp_path: Path) -> Iterator[RunningDashboard]:
    """The site's dashboard once more, where a provider says who readers are."""
    (port,) = free_ports(1)
    with identity_provider(READER) as provider:
        secrets = tmp_path / ".streamlit" / "secrets.toml"
        secrets.parent.mkdir()
        secrets.write_text(
            "[auth]\n"
            f'redirect_uri = "http://127.0.0.1:{port}/oauth2callback"\n'
            f'cookie_secret = "{"0" * 32}"\n'
            f'client_id = "{CLIENT_ID}"\n'
            'client_secret = "only for tests"\n'
            f'server_metadata_url = "{provider}/.well-known/openid-configuration"\n'
        )
        environment = {**site.environment, "HOME": str(tmp_path)}
        with running_dashboard(environment, tmp_path / "dashboard.log", port=port) as dashboard:
            yield dashboard


def test_a_reader_signs_in_and_out_with_the_provider(
    browser: Browser, dashboard_with_login: RunningDashboard
) -> None:
    context = browser.new_context()
    context.set_default_timeout(30_000)
    page = context.new_page()
    releases = f"{dashboard_with_login.url}/releases"
    first_page = re.compile(rf"^{dashboard_with_login.url}/(\?.*)?$")  # where a login and a logout end
    page.goto(releases)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(first_page, wait_until="commit")
    page.goto(releases)
    expect(page.get_by_text(f"Signed in as {READER}.")).to_be_visible()
    settled(page)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(first_page, wait_until="commit")
    page.goto(releases)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    context.close()
