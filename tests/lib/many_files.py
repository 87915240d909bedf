"""A tree of many small files, into a folder and out again."""
import os
import random
import subprocess

from lib.data import tree_hashes


def make_tree(path, count, seed=1):
    """count files of up to 8 KiB in folders of a hundred."""
    rng = random.Random(seed)
    noise = rng.randbytes(1 << 16)
    for i in range(count):
        if i % 100 == 0:
            folder = os.path.join(path, f"d{i // 1000}", f"e{i // 100}")
            os.makedirs(folder)
        start = rng.randrange(len(noise) // 2)
        with open(os.path.join(folder, f"f{i}"), "wb") as file:
            file.write(noise[start : start + rng.randrange(8192)])


def round_trip(place, outside, count):
    """tar of a tree made in `outside` goes into `place`, comes out, and has the same files with the same hashes; then it is removed."""
    make_tree(f"{outside}/tree", count)
    wanted = tree_hashes(f"{outside}/tree")
    assert len(wanted) == count
    subprocess.run(f"tar -C {outside} -cf - tree | tar -C {place} -xf -", shell=True, check=True)
    assert tree_hashes(f"{place}/tree") == wanted
    os.mkdir(f"{outside}/out")
    subprocess.run(f"tar -C {place} -cf {place}/t.tar tree && tar -C {outside}/out -xf {place}/t.tar", shell=True, check=True)
    assert tree_hashes(f"{outside}/out/tree") == wanted
    subprocess.run(["rm", "-r", f"{place}/tree"], check=True)
    assert os.listdir(place) == ["t.tar"]
