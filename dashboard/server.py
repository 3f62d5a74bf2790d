"""The server that `hilum dashboard` runs: Streamlit's, with bounds on what readers send to it."""

from pathlib import Path

import streamlit as st
from starlette.formparsers import MultiPartParser
from starlette.middleware import Middleware

from dashboard.ahead import import_ahead
from dashboard.commands import MAX_UPLOAD_MIB
from dashboard.uploads import UploadBudget

# A file that arrives would pass through a temporary file from 1 MiB on: no radiograph may touch the disk.
MultiPartParser.spool_max_size = (MAX_UPLOAD_MIB + 1) * 2**20

import_ahead()

app = st.App(Path(__file__).with_name("app.py"), middleware=[Middleware(UploadBudget)])
