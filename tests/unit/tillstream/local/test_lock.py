"""A folder belongs to one process at a time, for as long as that lives."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from schemas.errors import Stop
from tillstream.local.lock import FolderLock, own_part

HOLDER = """
import sys, pathlib
from tillstream.local.lock import FolderLock
lock = FolderLock(pathlib.Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds tmp_path / "data"."""
    argv = [sys.executable, "-c", HOLDER, str(tmp_path / "data")]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_held_folder_is_refused_with_its_holder_and_the_setting(tmp_path, holder):
    with pytest.raises(Stop) as stopped:
        FolderLock(tmp_path / "data").acquire()
    assert stopped.value.sentence == f"{tmp_path / 'data'} is in use by process {holder.pid}."
    assert "TILLSTREAM_DATA_DIR or --data-dir" in stopped.value.hint


def test_the_lock_of_a_killed_process_is_free(tmp_path, holder):
    holder.kill()
    holder.wait()
    FolderLock(tmp_path / "data").acquire().release()


def test_a_released_folder_can_be_taken_and_names_its_new_holder(tmp_path):
    lock = FolderLock(tmp_path)
    lock.acquire().release()
    lock.acquire()
    assert (tmp_path / "lock").read_text() == str(os.getpid())
    lock.release()


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Stop, match="cannot be used: Not a directory"):
        FolderLock(tmp_path / "file" / "data").acquire()


def test_several_processes_of_a_role_have_parts_of_their_own(tmp_path):
    first, second = own_part(tmp_path, "worker"), own_part(tmp_path, "worker")
    assert (first.folder.name, second.folder.name) == ("worker-0", "worker-1")
    first.release()
    assert own_part(tmp_path, "worker").folder.name == "worker-0"
    second.release()


def test_more_processes_of_a_role_than_parts_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("tillstream.local.lock.MOST_PARTS", 1)
    held = own_part(tmp_path, "worker")
    with pytest.raises(Stop, match="holds 1 running workers"):
        own_part(tmp_path, "worker")
    held.release()
