"""The router: which pages there are, in which language. Run by `hilum dashboard`."""

import streamlit as st

from dashboard import about
from dashboard.data import page as data
from dashboard.evaluation import page as evaluation
from dashboard.examine import page as examine
from dashboard.language import choose_language, current_language, speaking, tr
from dashboard.operations import page as operations
from dashboard.releases import page as releases


def main() -> None:
    """Draw the page that the address names."""
    st.set_page_config(page_title="Hilum", page_icon=":material/pulmonology:", layout="wide")
    with st.sidebar:
        choose_language()
    page = st.navigation(
        [
            st.Page(
                examine.draw,
                title=tr("Examine"),
                icon=":material/radiology:",
                default=True,
            ),
            st.Page(
                operations.draw,
                title=tr("Operations"),
                icon=":material/monitor_heart:",
                url_path="operations",
            ),
            st.Page(
                evaluation.draw,
                title=tr("Evaluation"),
                icon=":material/analytics:",
                url_path="evaluation",
            ),
            st.Page(
                data.draw,
                title=tr("Data and drift"),
                icon=":material/scatter_plot:",
                url_path="data",
            ),
            st.Page(
                releases.draw,
                title=tr("Releases"),
                icon=":material/verified:",
                url_path="releases",
            ),
            st.Page(about.draw, title=tr("About"), icon=":material/info:", url_path="about"),
        ]
    )
    with speaking(current_language()):  # asked for once, not for each of a page's hundreds of sentences
        page.run()


main()
