"""The short form of tests/soak/test_sort_memory.py."""
from lib.sort_memory import PROGRAM, check_sort


def test_sort_stays_within_its_memory(tmp_path):
    check_sort(tmp_path, 512, PROGRAM)
