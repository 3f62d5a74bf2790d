"""The server that `hilum dashboard` runs: Streamlit's, and beside its pages where pictures are sent to."""

from pathlib import Path

import streamlit as st

from dashboard.ahead import import_ahead
from dashboard.examine.uploads import Uploads

import_ahead()

app = st.App(Path(__file__).with_name("app.py"), routes=[Uploads().route])
