"""Every page while nothing answers, in both languages: a sentence in place of each part."""

import pytest
from streamlit.testing.v1 import AppTest

PAGES = {
    "operations": "Prometheus at ",
    "evaluation": "MLflow at ",
    "releases": "MLflow at ",
}


def page_of(name: str, language: str = "en") -> AppTest:
    """Return one page, drawn by itself."""

    def script(module: str, language: str) -> None:
        from importlib import import_module

        import streamlit as st

        st.session_state["language"] = language
        import_module(f"dashboard.{module}.page").draw()

    return AppTest.from_function(script, args=(name, language), default_timeout=30).run()


@pytest.mark.parametrize("name", PAGES)
def test_a_source_that_does_not_answer_is_a_sentence(name: str) -> None:
    page = page_of(name)
    assert not page.exception
    said = [warning.value for warning in page.warning]
    assert any(PAGES[name] in sentence and "does not answer" in sentence for sentence in said), said


@pytest.mark.parametrize("name", PAGES)
def test_it_is_said_in_portuguese_too(name: str) -> None:
    page = page_of(name, "pt")
    assert not page.exception
    assert any("não responde" in warning.value for warning in page.warning)


def test_operations_says_first_that_triton_does_not_answer() -> None:
    assert page_of("operations").error[0].value == "Triton does not answer"
