"""A large sort in little memory. CAIRN_SORT_MIB says how much is sorted (8192; three times as much is needed on disk)."""
import os

import pytest

from lib.sort_memory import COMMANDS, PROGRAM, check_sort


@pytest.mark.parametrize("how", [PROGRAM, COMMANDS], ids=["program", "commands"])
def test_sort_stays_within_its_memory(tmp_path, how):
    check_sort(tmp_path, int(os.environ.get("CAIRN_SORT_MIB", 8192)), how)
