import ctypes.util
import sysconfig
from pathlib import Path

import pytest

from hilum.triton import installation
from hilum.triton.errors import MissingTritonError
from hilum.triton.installation import LIBPYTHON, find_libpython, find_triton


def test_finds_every_part() -> None:
    found = find_triton()
    assert found.binary.stat().st_mode & 0o111
    assert found.stub.stat().st_mode & 0o111
    assert any(found.libraries.glob("libtritonserver*.so"))
    assert (found.python_backend / "libtriton_python.so").is_file()


def test_no_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "find_spec", lambda _: None)
    with pytest.raises(MissingTritonError, match=r"pip install 'hilum\[embedded\]'"):
        find_triton()


def test_a_package_without_this_pythons_stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "PYTHON_VERSION", "2.7")
    with pytest.raises(MissingTritonError, match=r"has no .*2\.7/triton_python_backend_stub"):
        find_triton()


def test_libpython_beside_the_interpreter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / LIBPYTHON).touch()
    monkeypatch.setattr(sysconfig, "get_config_var", lambda _: str(tmp_path))
    assert find_libpython() == tmp_path


def test_libpython_of_the_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sysconfig, "get_config_var", lambda _: str(tmp_path))
    monkeypatch.setattr(ctypes.util, "find_library", lambda _: LIBPYTHON)
    assert find_libpython() is None


def test_no_libpython_names_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sysconfig, "get_config_var", lambda _: str(tmp_path))
    monkeypatch.setattr(ctypes.util, "find_library", lambda _: None)
    with pytest.raises(MissingTritonError, match=r"sudo apt-get install libpython3\.1[12]"):
        find_libpython()
