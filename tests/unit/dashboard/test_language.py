"""Every sentence that a page can show exists in both languages, with the same braces."""

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from streamlit.testing.v1 import AppTest

import dashboard
from dashboard.frame import NOTICE
from dashboard.language import CATALOGUE, portuguese
from hilum.contract import NOTICE as CONTRACT_NOTICE

ROOT = Path(dashboard.__file__).parent
BRACES = re.compile(r"\{(\w+)")


def messages_in_code() -> set[str]:
    found = extract_from_dir(ROOT, method_map=[("**.py", "python")], keywords={"tr": (1,), "mark": (1,)})
    return {str(message) for _, _, message, _, _ in found}


def test_every_sentence_is_translated() -> None:
    assert messages_in_code() - set(portuguese()) == set()


def test_no_translation_is_left_over() -> None:
    assert set(portuguese()) - messages_in_code() == set(), f"remove these from {CATALOGUE.name}"


@pytest.mark.parametrize("message", sorted(portuguese()))
def test_a_translation_has_the_same_braces(message: str) -> None:
    assert sorted(BRACES.findall(message)) == sorted(BRACES.findall(portuguese()[message]))


def test_the_notice_is_the_contracts() -> None:
    assert NOTICE == CONTRACT_NOTICE


def test_the_page_speaks_portuguese_when_the_address_says_so() -> None:
    page = AppTest.from_file(str(ROOT / "app.py"))
    page.query_params["lang"] = "pt"
    page.run()
    assert not page.exception
    assert page.title[0].value == "Examinar radiografias de tórax"
